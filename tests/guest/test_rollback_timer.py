# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollback timer made, verified, started and stopped. That it brings a host back is for the scenario `confirm`."""

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
    """What the program has written, without when."""
    with storage.mounted(VOLUME) as place:
        return [line.split(" ", 1)[1] for line in (place / "log").read_text().splitlines()]


def same_twice(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run it in check mode, for real, and again: it does what it said, and then nothing."""
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


def test_the_whole_way() -> None:
    set_id = ok("snapset", present("s", "thick/a", "thin/t1"))["snapset"]["id"]
    armed = same_twice(ARM)
    assert (armed["state"], armed["id"], armed["after"], armed["failed_boots"]) == ("armed", set_id, 7200, 0)
    assert is_active()
    assert ok("snapset_info", {})["rollback_timers"] == [armed]
    longer = same_twice({**ARM, "after": "3h", "failed_boots": 5})
    assert (longer["after"], longer["failed_boots"]) == (10800, 5)
    assert longer["deadline"] > armed["deadline"]
    assert same_twice(DISARM)["state"] == "disarmed"
    assert (units(), is_active()) == ([], False)
    assert lvm.names("other") == {"a"}
    assert ok("snapset_info", {})["snapsets"][0]["state"] == "active"


def test_refusals() -> None:
    refused("rollback_timer", ARM, "snapset s is absent")
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


def test_damaged_files_are_noticed_before_anything_is_done() -> None:
    ok("snapset", present("s", "thick/a"))
    ok("rollback_timer", ARM)
    lvm.run("systemctl", "stop", UNIT)
    with storage.mounted(VOLUME) as place:
        (place / "requests").write_text("request() { :; }\n")
    subprocess.run(["systemctl", "start", UNIT], check=False)
    wait_for(lambda: "the files of the timer are damaged" in log(), stopped=True)
    assert ok("rollback_timer", ARM)["changed"]
    assert is_active()


def test_a_set_that_is_gone() -> None:
    ok("snapset", present("s", "thick/a"))
    ok("rollback_timer", ARM)
    ok("snapset", absent("s"))
    subprocess.run(["systemctl", "restart", UNIT], check=False)
    wait_for(lambda: log()[-1].endswith("is lost or has overflowed: no rollback possible"), stopped=True)
    assert ok("snapset_info", {})["rollback_timers"][0]["state"] == "armed"
    same_twice(DISARM)


def wait_for(come: Any, *, stopped: bool) -> None:
    """Wait until the program has ended, which gives its filesystem back, and something is so."""
    for _try in range(120):
        if is_active() is not stopped and come():
            return
        time.sleep(1)
    raise AssertionError(
        subprocess.run(["systemctl", "status", UNIT], capture_output=True, text=True, check=False).stdout
    )


@pytest.mark.parametrize("delay", [0.7, 3.0])
def test_killed_while_it_is_armed(delay: float) -> None:
    ok("snapset", present("s", "thick/a"))
    running = start("rollback_timer", ARM)
    time.sleep(delay)
    running.kill()
    assert "safepoint.lvm/mnt" not in Path("/proc/self/mountinfo").read_text()
    assert ok("rollback_timer", {**ARM, "lock_timeout": 60})["rollback_timer"]["state"] == "armed"
    assert is_active()
    assert len(ok("snapset_info", {})["rollback_timers"]) == 1


def test_what_cannot_be_started_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert "what was made for it was removed again" in result["msg"]
    assert (result["changed"], units(), lvm.names("other")) == (False, [], {"a"})
