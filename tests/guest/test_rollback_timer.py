# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arm, change and disarm a rollback timer. The scenario `confirm` checks that it rolls a host back."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, start, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

VOLUME = "other/safepoint_timer_s"
UNIT = "safepoint-lvm-timer-s.service"
ARM = {"name": "s", "after": "2h", "vg": "other"}
DISARM = {"name": "s", "state": "disarmed"}


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    ok("rollback_timer", {**DISARM, "lock_timeout": 60})


def is_active() -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode == 0


def units() -> list[str]:
    return sorted(str(path) for path in Path("/etc/systemd/system").rglob("safepoint-*"))


def log() -> list[str]:
    """The messages in the log of the program, without the times."""
    with storage.mounted(VOLUME) as place:
        return [line.split(" ", 1)[1] for line in (place / "log").read_text().splitlines()]


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
    assert ok("snapset_info", {})["rollback_timers"] == [armed]
    longer = run_and_repeat({**ARM, "after": "3h", "failed_boots": 5})
    assert (longer["after"], longer["failed_boots"]) == (10800, 5)
    assert longer["deadline"] > armed["deadline"]
    assert run_and_repeat(DISARM)["state"] == "disarmed"
    assert (units(), is_active()) == ([], False)
    assert lvm.names("other") == {"a"}
    assert ok("snapset_info", {})["snapsets"][0]["state"] == "active"


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
        (place / "requests").write_text("request() { :; }\n")
    subprocess.run(["systemctl", "start", UNIT], check=False)
    wait_for(lambda: "the files of the timer are damaged" in log(), stopped=True)
    assert ok("rollback_timer", ARM)["changed"]
    assert is_active()


def test_a_set_that_no_longer_exists() -> None:
    ok("snapset", present("s", "thick/a"))
    ok("rollback_timer", ARM)
    ok("snapset", absent("s"))
    subprocess.run(["systemctl", "restart", UNIT], check=False)
    wait_for(lambda: log()[-1].endswith("is lost or has overflowed: no rollback possible"), stopped=True)
    assert ok("snapset_info", {})["rollback_timers"][0]["state"] == "armed"
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


def test_undo_if_the_unit_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    ok("snapset", present("s", "thick/a"))
    broken = Path("/run/safepoint-guest/broken-systemctl")
    broken.mkdir()
    (broken / "systemctl").write_text(
        '#!/bin/sh\ncase "$*" in *enable*) exit 1 ;; esac\nexec /usr/bin/systemctl "$@"\n'
    )
    (broken / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken}:/usr/sbin:/usr/bin:/sbin:/bin")
    result = call("rollback_timer", ARM)
    assert "systemctl enable --now" in result["msg"]
    assert "removed again: " in result["msg"]
    assert (result["changed"], units(), lvm.names("other")) == (False, [], {"a"})
