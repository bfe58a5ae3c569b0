# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboot a host into its rollback, and wait until that has ended, with a line at least once a minute.

An action plugin, because a task reports nothing while it runs, and a module cannot survive the host's reboot.
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
_SAY_EVERY = 30
_REBOOT = "ansible.builtin.reboot"

Result = dict[str, Any]


class ActionModule(ActionBase):
    """The action `safepoint.lvm.rollback_wait`; plugins/modules/rollback_wait.py documents it."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        if problem := _problem(given):
            return {"failed": True, "changed": False, "msg": problem}
        self._vars = dict(task_vars or {})
        if self._task.check_mode:
            return self._look(given)
        started = time.monotonic()
        if given["reboot"]:
            rebooted = self._reboot(given)
            if rebooted.get("failed"):
                return _not_back(rebooted)
            self._say(f"is back after {duration(round(time.monotonic() - started))}")
        result = self._wait(given)
        elapsed = round(time.monotonic() - started)
        return {**result, "changed": bool(result.get("changed") or given["reboot"]), "elapsed": elapsed}

    def _say(self, text: str) -> None:
        Display().display(f"{self._vars.get('inventory_hostname', 'host')}: {text}")

    def _reboot(self, given: Result) -> Result:
        """Let Ansible's own action reboot the host."""
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
        with self._telling("reboots"):
            result: Result = action.run(task_vars=self._vars)
        # The Python that was found before may have come with the change, and gone with it.
        facts = self._vars.get("ansible_facts", {})
        self._vars["ansible_facts"] = {
            name: value for name, value in facts.items() if not name.startswith("discovered_interpreter")
        }
        return result

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Say now and then that something still goes on, and for how long."""
        ended, started = threading.Event(), time.monotonic()

        def tell() -> None:
            while not ended.wait(_SAY_EVERY):
                self._say(f"{what} since {duration(round(time.monotonic() - started))}")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()

    def _look(self, given: Result) -> Result:
        """One run of the module, which goes on with whatever merges it can."""
        names = ("name", "accept_loss_of", "min_headroom", "lock_timeout")
        arguments = {name: given[name] for name in names if given[name] is not None}
        result: Result = self._execute_module(
            module_name="safepoint.lvm.snapset", module_args={**arguments, "state": "merged"}, task_vars=self._vars
        )
        return result

    def _wait(self, given: Result) -> Result:
        """Look until all is merged, time is over, or only another reboot would help."""
        started = time.monotonic()
        samples: list[Sample] = []
        kept: Result = {"changed": False}
        self._say("looks at the merges")
        while True:
            result = self._look(given)
            kept["changed"] = kept["changed"] or bool(result.get("changed"))
            if "ansible_facts" in result:
                kept["ansible_facts"] = result["ansible_facts"]
            elapsed = time.monotonic() - started
            if result.get("failed") or result["snapset"]["state"] == "rolled_back":
                return {**result, **kept}
            samples.append(Sample(elapsed, left_to_merge(result["snapset"])))
            line = describe(result["snapset"], samples, datetime.now().astimezone())
            if result["reboot_required"] or elapsed >= given["timeout"]:
                return {**result, **kept, "failed": True, "msg": _ended(given, result, line)}
            self._say(line)
            advised = result.get("poll_after") or 0
            remaining = given["timeout"] - elapsed
            time.sleep(pause(elapsed=elapsed, remaining=remaining, least=given["poll_min"], advised=advised))


def _problem(given: Result) -> str:
    """What is wrong with the arguments, or nothing."""
    least = {"reboot_timeout": 1, "timeout": 0, "poll_min": 0}
    wrong = [f"{name} is {given[name]}: use {low} or more seconds" for name, low in least.items() if given[name] < low]
    return "; ".join(wrong)


def _not_back(rebooted: Result) -> Result:
    """The failure of the reboot, with whether the host went down for it."""
    down = bool(rebooted.get("rebooted"))
    what = "the host did not come back after the reboot" if down else "the host could not be rebooted"
    return {**rebooted, "changed": down, "msg": f"{what}: {rebooted.get('msg')}"}


def _ended(given: Result, result: Result, line: str) -> str:
    """The sentence for a rollback that is not at its end."""
    why = (
        "waits for another reboot"
        if result["reboot_required"]
        else f"has not ended within {given['timeout']} s (timeout)"
    )
    return f"the rollback to {given['name']} {why}: {line}. Nothing is lost: run this again to continue"
