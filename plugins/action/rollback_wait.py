# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboot a host into its rollback and wait until the rollback has ended. Prints a line at least once a minute.

This is an action plugin because a module cannot print while it runs, and does not survive the reboot of its host.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.safepoint.lvm.plugins.plugin_utils._progress import (
    Sample,
    describe,
    duration,
    left_to_merge,
    pause,
)
from ansible_collections.safepoint.lvm.plugins.plugin_utils._python import without_discovered_python

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "reboot": {"type": "bool", "default": False},
    "reboot_timeout": {"type": "int", "default": 900},
    "timeout": {"type": "int", "default": 7200},
    "poll_min": {"type": "int", "default": 5},
    "accept_loss_of": {"type": "list", "elements": "str", "default": []},
    "min_headroom": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 60},
}
_REPORT_SECONDS = 30
_REBOOT = "ansible.builtin.reboot"

Result = dict[str, Any]


class ActionModule(ActionBase):
    """The action `safepoint.lvm.rollback_wait`, documented in plugins/modules/rollback_wait.py."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        if problem := _argument_problem(given):
            return {"failed": True, "changed": False, "msg": problem}
        self._vars = dict(task_vars or {})
        if self._task.check_mode:
            return self._run_snapset(given)
        started = time.monotonic()
        if given["reboot"]:
            rebooted = self._reboot(given)
            if rebooted.get("failed"):
                return _reboot_failure(rebooted)
            self._print(f"is back after {duration(round(time.monotonic() - started))}")
        result = self._wait(given)
        elapsed = round(time.monotonic() - started)
        return {**result, "changed": bool(result.get("changed") or given["reboot"]), "elapsed": elapsed}

    def _print(self, text: str) -> None:
        Display().display(f"{self._vars.get('inventory_hostname', 'host')}: {text}")

    def _reboot(self, given: Result) -> Result:
        """Reboot the host with Ansible's own action."""
        task = self._task.copy()
        task.action = _REBOOT
        task.args = {"reboot_timeout": given["reboot_timeout"], "msg": f"Rollback to {given['name']}"}
        action = self._shared_loader_obj.action_loader.get(
            _REBOOT,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        with self._reporting("rebooting"):
            result: Result = action.run(task_vars=self._vars)
        self._vars = without_discovered_python(self._vars)
        return result

    @contextmanager
    def _reporting(self, what: str) -> Iterator[None]:
        """Print every 30 seconds what still goes on, and for how long."""
        ended, started = threading.Event(), time.monotonic()

        def report() -> None:
            while not ended.wait(_REPORT_SECONDS):
                self._print(f"{what} for {duration(round(time.monotonic() - started))}")

        reporter = threading.Thread(target=report, daemon=True)
        reporter.start()
        try:
            yield
        finally:
            ended.set()
            reporter.join()

    def _run_snapset(self, given: Result) -> Result:
        """Run the module snapset once. It also requests the merges that have become possible."""
        names = ("name", "accept_loss_of", "min_headroom", "lock_timeout")
        arguments = {name: given[name] for name in names if given[name] is not None}
        result: Result = self._execute_module(
            module_name="safepoint.lvm.snapset", module_args={**arguments, "state": "merged"}, task_vars=self._vars
        )
        return result

    def _wait(self, given: Result) -> Result:
        """Run the module until everything is merged, the time is over, or only another reboot would help."""
        started = time.monotonic()
        samples: list[Sample] = []
        needs_reboot = False
        # What the final result takes from every run of the module.
        carried: Result = {"changed": False}
        self._print("waiting for the merges")
        while True:
            result = self._run_snapset(given)
            carried["changed"] = carried["changed"] or bool(result.get("changed"))
            if "ansible_facts" in result:
                carried["ansible_facts"] = result["ansible_facts"]
            elapsed = time.monotonic() - started
            if result.get("failed") or result["snapset"]["state"] == "rolled_back":
                return {**result, **carried}
            samples.append(Sample(elapsed, left_to_merge(result["snapset"])))
            line = describe(result["snapset"], samples, datetime.now().astimezone())
            # Once can be udev, which opens an LV for a moment after an unmount.
            needs_reboot, needed_reboot = result["reboot_required"], needs_reboot
            if (needs_reboot and needed_reboot) or elapsed >= given["timeout"]:
                return {**result, **carried, "failed": True, "msg": _unfinished_message(given, result, line)}
            self._print(line)
            advised = result.get("poll_after") or 0
            remaining = given["timeout"] - elapsed
            time.sleep(pause(elapsed=elapsed, remaining=remaining, least=given["poll_min"], advised=advised))


def _argument_problem(given: Result) -> str:
    """Return what is wrong with the arguments; empty if nothing is."""
    minima = {"reboot_timeout": 1, "timeout": 0, "poll_min": 0}
    wrong = [f"{name} is {given[name]}: use {low} or more seconds" for name, low in minima.items() if given[name] < low]
    return "; ".join(wrong)


def _reboot_failure(rebooted: Result) -> Result:
    """Return the result of a failed reboot, depending on whether the host went down."""
    down = bool(rebooted.get("rebooted"))
    what = "the host did not come back after the reboot" if down else "cannot reboot the host"
    return {**rebooted, "changed": down, "msg": f"{what}: {rebooted.get('msg')}"}


def _unfinished_message(given: Result, result: Result, line: str) -> str:
    """Return the error message for a rollback that has not ended."""
    why = "needs another reboot" if result["reboot_required"] else f"did not end within {given['timeout']} s (timeout)"
    return f"the rollback to {given['name']} {why}: {line}. Nothing is lost: run this task again to continue"
