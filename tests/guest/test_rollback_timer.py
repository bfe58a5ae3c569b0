# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arm, change and disarm a rollback timer. `test_timer_fires.py` is about what its program does at the end."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, start, verbs
from timers import ARM, DISARM, MOTD, STATUS, UNIT, VOLUME, is_active, log

if TYPE_CHECKING:
    from collections.abc import Iterator

volume: Any = importlib.import_module("ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.volume")


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    ok("rollback_timer", {**DISARM, "lock_timeout": 60})


def units() -> list[str]:
    return sorted(str(path) for path in Path("/etc/systemd/system").rglob("safepoint-*"))


def run_and_repeat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run it in check mode, for real, and again: check mode predicts the result, and the last run does nothing."""
    before = (storage.seqnos(), units())
    check = ok("rollback_timer", arguments, check=True)
    assert (storage.seqnos(), units(), check["commands"]) == (*before, [])
    real = ok("rollback_timer", arguments)
    assert (check["changed"], check["planned"]) == (real["changed"], real["planned"]) == (True, real["planned"])
    assert {**check["rollback_timer"], "deadline": real["rollback_timer"]["deadline"]} == real["rollback_timer"]
    after = (storage.seqnos(), units())
    again = ok("rollback_timer", arguments)
    assert (again["changed"], again["planned"], verbs(again["commands"])) == (False, [], [])
    assert again["rollback_timer"] == real["rollback_timer"]
    assert (storage.seqnos(), units()) == after
    shown: dict[str, Any] = real["rollback_timer"]
    return shown


def test_arm_change_and_disarm() -> None:
    set_id = ok("snapset", present("s", "thick/a", "thin/t1"))["snapset"]["id"]
    armed = run_and_repeat(ARM)
    assert (armed["state"], armed["id"], armed["after"], armed["failed_boots"]) == ("armed", set_id, 7200, 0)
    assert is_active()
    info = ok("snapset_info", {})
    assert info["rollback_timers"] == [armed]
    assert f"the host rolls back to s by itself at {armed['deadline']} or a little later" in str(info["warnings"])
    assert "rolls back to the snapset s by itself" in MOTD.read_text()
    assert run_and_repeat(DISARM)["state"] == "disarmed"
    assert (units(), is_active()) == ([], False)
    assert not [path for path in (MOTD, STATUS) if path.exists()]
    assert lvm.names("other") == {"a"}
    assert ok("snapset_info", {})["snapsets"][0]["state"] == "active"


def program() -> str:
    """The PID of the program."""
    return lvm.run("systemctl", "show", "--property=MainPID", "--value", UNIT).strip()


def test_another_time_without_a_moment_without_a_timer() -> None:
    ok("snapset", present("s", "thick/a"))
    armed = run_and_repeat(ARM)
    pid, tags = program(), lvm.tags(VOLUME)
    longer = run_and_repeat({**ARM, "after": "3h", "failed_boots": 5, "spread": "30s"})
    assert (longer["after"], longer["failed_boots"], longer["spread"]) == (10800, 5, 30)
    assert longer["deadline"] > armed["deadline"]
    assert (program(), lvm.names("other")) == (pid, {"a", "safepoint_timer_s"})
    changed = {"safepoint.timer.after=10800", "safepoint.timer.boots=5", "safepoint.timer.spread=30"}
    assert {tag for tag in lvm.tags(VOLUME) - tags if "armed" not in tag} == changed
    # With the same values, only on request.
    again = ok("rollback_timer", {**ARM, "after": "3h", "failed_boots": 5, "spread": "30s", "restart": True})
    assert again["changed"]
    assert again["rollback_timer"]["deadline"] >= longer["deadline"]
    assert program() == pid
    shorter = run_and_repeat({**ARM, "after": "1h"})
    assert shorter["deadline"] < longer["deadline"]


def test_the_time_counts_from_when_the_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy host it can take minutes until it does."""
    monkeypatch.setattr(volume, "write_toolbox", slowly(volume.write_toolbox))
    ok("snapset", present("s", "thick/a"))
    begun = time.time()
    armed = ok("rollback_timer", {**ARM, "spread": "0s"})["rollback_timer"]
    deadline = datetime.fromisoformat(armed["deadline"]).timestamp()
    assert begun + 7200 + 5 <= deadline <= time.time() + 7200 + 2


def slowly(function: Any) -> Any:
    def slow(*arguments: Any) -> Any:
        time.sleep(5)
        return function(*arguments)

    return slow


def test_failed_boots_need_an_active_target() -> None:
    ok("snapset", present("s", "thick/a"))
    former = lvm.run("systemctl", "get-default").strip()
    lvm.run("systemctl", "set-default", "rescue.target")
    try:
        refused("rollback_timer", {**ARM, "failed_boots": 1}, "the default target of systemd is not active now")
        assert ok("rollback_timer", ARM)["changed"]
    finally:
        lvm.run("systemctl", "set-default", former)


def test_refusals() -> None:
    refused("rollback_timer", ARM, "snapset s does not exist")
    ok("snapset", present("s", "thick/a"))
    refused("rollback_timer", {**ARM, "vg": "nowhere"}, "there is no VG nowhere here")
    refused("rollback_timer", {**ARM, "after": "59s"}, "after: '59s' is not a valid duration: use 60s to 30d")
    lvm.run("lvcreate", "-y", "-q", "-l", "100%FREE", "-n", "full", "other")
    refused("rollback_timer", ARM, "VG other has 0 bytes free, but .* are needed")
    lvm.run("lvremove", "-y", "-q", "other/full")
    with storage.mounted("thick/a"):
        ok("snapset", merged("s"))
        refused("rollback_timer", ARM, "snapset s is merge_pending")
    ok("snapset", merged("s"))


def test_damaged_files_are_detected_first() -> None:
    ok("snapset", present("s", "thick/a"))
    ok("rollback_timer", ARM)
    lvm.run("systemctl", "stop", UNIT)
    with storage.mounted(VOLUME) as place:
        (place / "members").write_text("thick x/y z\n")
    subprocess.run(["systemctl", "start", UNIT], check=False)
    wait_for(lambda: "postponed: the files of the timer are damaged" in log(), stopped=True)
    assert ok("rollback_timer", ARM)["changed"]
    assert is_active()


def test_a_set_that_no_longer_exists() -> None:
    ok("snapset", present("s", "thick/a"))
    ok("rollback_timer", ARM)
    ok("snapset", absent("s"))
    subprocess.run(["systemctl", "restart", UNIT], check=False)
    wait_for(lambda: log()[-1] == "spent: the snapshot of thick/a is gone", stopped=True)
    info = ok("snapset_info", {})
    (found,) = info["rollback_timers"]
    assert (found["state"], found["phase"], found["running"]) == ("armed", "spent", False)
    assert "can no longer roll back: the snapshot of thick/a is gone" in str(info["warnings"])
    run_and_repeat(DISARM)


def wait_for(condition: Any, *, stopped: bool) -> None:
    """Wait until the unit has stopped, which unmounts its filesystem, and the condition is true."""
    for _try in range(120):
        if is_active() is not stopped and condition():
            return
        time.sleep(1)
    raise AssertionError(
        subprocess.run(["systemctl", "status", UNIT], capture_output=True, text=True, check=False).stdout
    )


@pytest.mark.parametrize("delay", [0.7, 3.0])
def test_killed_while_arming(delay: float) -> None:
    ok("snapset", present("s", "thick/a"))
    running = start("rollback_timer", ARM)
    time.sleep(delay)
    running.kill()
    assert "safepoint.lvm/mnt" not in Path("/proc/self/mountinfo").read_text()
    assert ok("rollback_timer", {**ARM, "lock_timeout": 60})["rollback_timer"]["state"] == "armed"
    assert is_active()
    assert len(ok("snapset_info", {})["rollback_timers"]) == 1


def test_undo_if_the_unit_cannot_be_started() -> None:
    ok("snapset", present("s", "thick/a"))
    broken = Path("/run/safepoint-guest/systemctl")
    real = broken.with_name("real-systemctl")
    shutil.copy2("/usr/bin/systemctl", real)
    broken.write_text(f'#!/bin/sh\ncase "$*" in *enable*) exit 1 ;; esac\nexec {real} "$@"\n')
    broken.chmod(0o755)
    lvm.run("mount", "--bind", str(broken), "/usr/bin/systemctl")
    try:
        result = call("rollback_timer", ARM)
    finally:
        lvm.run("umount", "/usr/bin/systemctl")
    assert "systemctl enable --now" in result["msg"]
    assert "removed again: " in result["msg"]
    assert (result["changed"], units(), lvm.names("other")) == (False, [], {"a"})


def test_programs_in_the_path_of_a_user_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be run as root, weeks later."""
    place = Path("/run/safepoint-guest/bin")
    place.mkdir()
    shutil.copy2("/usr/bin/false", place / "date")
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    ok("snapset", present("s", "thick/a"))
    assert ok("rollback_timer", ARM)["rollback_timer"]["phase"] == "watching"
