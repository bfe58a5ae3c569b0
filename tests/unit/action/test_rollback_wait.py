# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin rollback_wait on a simulated host: which modules it runs, when it ends, what it prints."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.safepoint.lvm.plugins.action import rollback_wait

FACTS = {"discovered_interpreter_python": "/usr/local/bin/python3.14", "distribution": "Debian"}


def observed(
    state: str, percent: float | None = None, *, reboot: bool = False, changed: bool = False
) -> dict[str, Any]:
    """Return a result of the module snapset during the rollback of one member."""
    member = {
        "vg": "data",
        "origin": "db",
        "mountpoints": ["/srv"],
        "state": state,
        "merge_percent": percent,
        "size": 1000,
    }
    return {
        "changed": changed,
        "snapset": {"state": state, "members": [member]},
        "reboot_required": reboot,
        "poll_after": 2 if state == "merging" else None,
    }


class Played:
    """The plugin on a host that returns `results` one after the other. The clock moves only while the plugin waits."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *results: dict[str, Any], check: bool = False, **args: Any
    ) -> None:
        self.results = list(results)
        self.asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.said: list[str] = []
        self.now = 1000.0
        self.rebooted: dict[str, Any] = {"failed": False, "rebooted": True}
        self.reboots: list[dict[str, Any]] = []
        task = SimpleNamespace(
            args={"name": "patch", **args}, check_mode=check, async_val=0, action="safepoint.lvm.rollback_wait"
        )
        task.copy = lambda: SimpleNamespace(**vars(task))
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"), always_pipeline_modules=True)
        loader = SimpleNamespace(action_loader=SimpleNamespace(get=self._reboot_action))
        # The stand-ins do not have Ansible's types.
        make: Any = rollback_wait.ActionModule
        self.plugin = make(task, connection, None, None, None, loader)
        # ansible-core 2.19 and newer ignore the argument.
        self.plugin._shared_loader_obj = loader
        monkeypatch.setattr(self.plugin, "_execute_module", self._execute)
        monkeypatch.setattr(rollback_wait, "Display", lambda: SimpleNamespace(display=self.said.append))
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _execute(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((module_name, module_args, dict(task_vars["ansible_facts"])))
        return self.results.pop(0)

    def _reboot_action(self, name: str, *, task: Any, **_more: Any) -> Any:
        assert name == "ansible.builtin.reboot"
        self.reboots.append(task.args)

        def run(**_variables: Any) -> dict[str, Any]:
            self.now += 42
            return self.rebooted

        return SimpleNamespace(run=run)

    def run(self) -> dict[str, Any]:
        """Run the task and return its result."""
        result: dict[str, Any] = self.plugin.run(None, {"inventory_hostname": "web1", "ansible_facts": dict(FACTS)})
        return result


def test_it_looks_until_all_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(
        monkeypatch, observed("merging", 10, changed=True), observed("merging", 60), observed("rolled_back")
    )
    result = played.run()
    assert (result.get("failed"), result["changed"]) == (None, True)
    assert result["snapset"]["state"] == "rolled_back"
    assert result["elapsed"] == 10
    arguments = {"name": "patch", "state": "merged", "accept_loss_of": [], "lock_timeout": 60}
    assert played.asked == [("safepoint.lvm.snapset", arguments, FACTS)] * 3
    assert played.said[:2] == ["web1: waiting for the merges", "web1: /srv merging 10%"]
    assert played.said[2].startswith("web1: /srv merging 60%; 0.0 MiB/s; expected end ")
    assert played.reboots == []


def test_nothing_is_left_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, observed("rolled_back"))
    assert played.run()["changed"] is False
    assert played.said == ["web1: waiting for the merges"]


def test_after_a_reboot_python_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**observed("rolled_back"), "ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}
    played = Played(monkeypatch, found, reboot=True, reboot_timeout=77)
    result = played.run()
    assert played.reboots == [{"reboot_timeout": 77, "msg": "Rollback to patch"}]
    assert played.asked[0][2] == {"distribution": "Debian"}
    assert played.said == ["web1: is back after 42 s", "web1: waiting for the merges"]
    assert result["elapsed"] == 42
    assert result["ansible_facts"] == {"discovered_interpreter_python": "/usr/bin/python3"}
    assert result["changed"] is True


def test_the_python_that_was_found_first_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"discovered_interpreter_python": "/usr/bin/python3"}
    played = Played(
        monkeypatch, {**observed("merging", 5), "ansible_facts": facts}, observed("rolled_back"), reboot=True
    )
    assert played.run()["ansible_facts"] == facts


@pytest.mark.parametrize(
    ("down", "sentence"),
    [
        (True, "the host did not come back after the reboot: Timed out"),
        (False, "cannot reboot the host: Timed out"),
    ],
)
def test_a_reboot_that_fails(monkeypatch: pytest.MonkeyPatch, *, down: bool, sentence: str) -> None:
    played = Played(monkeypatch, reboot=True)
    played.rebooted = {"failed": True, "rebooted": down, "msg": "Timed out"}
    result = played.run()
    assert (result["failed"], result["changed"], result["msg"]) == (True, down, sentence)
    assert played.asked == []


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        (observed("merging", 30), "the rollback to patch did not end within 60 s (timeout): /srv merging 30%"),
        (
            observed("merge_pending", reboot=True),
            "the rollback to patch needs another reboot: /srv merge pending",
        ),
    ],
)
def test_it_ends_where_waiting_does_not_help(
    monkeypatch: pytest.MonkeyPatch, last: dict[str, Any], sentence: str
) -> None:
    played = Played(monkeypatch, *[last] * 20, timeout=60)
    result = played.run()
    assert result["failed"] is True
    assert result["msg"] == f"{sentence}. Nothing is lost: run this task again to continue"
    assert played.now <= 1000 + 60 + 1


def test_an_origin_that_is_open_for_a_moment_needs_no_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [
        observed("merge_pending", reboot=True),
        observed("merge_pending"),
        observed("merge_pending", reboot=True),
    ]
    played = Played(monkeypatch, *results, observed("rolled_back"))
    assert played.run()["snapset"]["state"] == "rolled_back"


def test_an_error_of_the_module_is_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, observed("merging", 30, changed=True), {"failed": True, "msg": "LVM says no"})
    result = played.run()
    assert (result["failed"], result["msg"], result["changed"]) == (True, "LVM says no", True)


def test_check_mode_only_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted = observed("merging", changed=True)
    played = Played(monkeypatch, predicted, check=True, reboot=True, min_headroom="0", accept_loss_of="a, b")
    assert played.run() == predicted
    assert (played.reboots, played.said) == ([], [])
    (asked,) = played.asked
    assert asked[1]["min_headroom"] == "0"
    # The module gets the words as they are: it parses them itself.
    assert asked[1]["accept_loss_of"] == ["a", " b"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"reboot_timeout": 0}, "reboot_timeout is 0: use 1 or more seconds"),
        (
            {"timeout": -1, "poll_min": -2},
            "timeout is -1: use 0 or more seconds; poll_min is -2: use 0 or more seconds",
        ),
    ],
)
def test_bad_times(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], sentence: str) -> None:
    played = Played(monkeypatch, reboot=True, **given)
    result = played.run()
    assert (result["failed"], result["msg"]) == (True, sentence)
    assert (played.asked, played.reboots) == ([], [])


def test_it_prints_a_line_during_the_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, observed("rolled_back"), reboot=True)
    monkeypatch.setattr(rollback_wait, "_REPORT_SECONDS", 0.01)

    def run(**_variables: Any) -> dict[str, Any]:
        while not played.said:
            pass
        return {"failed": False}

    action = SimpleNamespace(run=run)
    played.plugin._shared_loader_obj = SimpleNamespace(
        action_loader=SimpleNamespace(get=lambda *_name, **_more: action)
    )
    played.run()
    assert played.said[0] == "web1: rebooting for 0 s"
