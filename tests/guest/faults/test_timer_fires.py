# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of a rollback timer does on real LVM when the time is over. Only the reboot is simulated.

The scenarios `confirm` and `failed_boots` roll back a whole host.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import storage
import test_merging
import test_refused_by_lvm
from calls import absent, call, merged, ok, present, refused, rolled_back, states
from timers import (
    ARM,
    UNIT,
    VOLUME,
    armed,
    is_active,
    lock_held,
    phase,
    remove,
    rolled_back_after_reboot,
    script,
    shown,
    wait_for_phase,
    wait_for_reboot,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from timers import SimulatedHost

ORIGINS = ("thick/a", "thin/t2")


def test_it_merges_reboots_once_and_has_fired(host: SimulatedHost) -> None:
    before = armed(*ORIGINS)
    host.let_time_pass()
    wait_for_reboot(host)
    assert phase() == "firing"
    assert shown()["state"] == "fired"
    assert states(rolled_back_after_reboot(host))[0] == "rolled_back"
    assert storage.checksums(*ORIGINS) == before
    assert not is_active()


def test_a_change_that_is_accepted_too_late(host: SimulatedHost) -> None:
    """The error says what goes on, and does not advise to wait longer."""
    armed("thick/c")
    host.let_time_pass()
    wait_for_reboot(host)
    for task in (("snapset", absent("s")), ("rollback_timer", {"name": "s", "state": "disarmed"})):
        busy = call(*task)
        assert busy.get("failed"), busy
        assert "the host is rolling back to s by itself and will reboot" in busy["msg"]
        assert "lock_timeout" not in busy["msg"]


def test_an_origin_in_use(host: SimulatedHost) -> None:
    """A power cut before the host is up again changes nothing: LVM merges at the next activation."""
    ok("snapset", present("s", "thick/a"))
    ok("rollback_timer", ARM)
    with storage.mounted("thick/a") as place:
        (place / "after").write_text("x")
        host.let_time_pass()
        wait_for_reboot(host)
        (info,) = ok("snapset_info", {"name": "s"})["snapsets"]
        assert info["state"] == "merge_pending"
    # As a boot would.
    lvm.run("lvchange", "-y", "-an", "thick/a")
    lvm.run("lvchange", "-y", "-ay", "thick/a")
    rolled_back_after_reboot(host)
    with storage.mounted("thick/a") as place:
        assert not (place / "after").exists()


def test_a_held_lock_postpones(host: SimulatedHost) -> None:
    armed("thick/c")
    with lock_held() as pid:
        host.let_time_pass()
        wait_for_phase("postponed", because="another run holds the host lock")
        assert (host.reboots, pid > 0) == (0, True)
        found = ok("snapset_info", {})
        assert (found["rollback_timers"][0]["phase"], found["rollback_timers"][0]["running"]) == ("postponed", True)
        assert "another run holds the host lock" in str(found["warnings"])
    wait_for_reboot(host)


def test_a_lock_that_is_held_for_long_is_ignored(monkeypatch: pytest.MonkeyPatch, host: SimulatedHost) -> None:
    monkeypatch.setitem(script.LIMITS, "LOCK_LIMIT", 10)
    monkeypatch.setitem(script.LIMITS, "UDEV_LIMIT", 5)
    before = armed("thick/c")
    with lock_held():
        host.set(uptime="100000.00 1.00")
        wait_for_phase("postponed")
        host.set(uptime="100020.00 1.00")
        wait_for_reboot(host)
    rolled_back_after_reboot(host)
    assert storage.checksums("thick/c") == before


def test_renamed_volumes(host: SimulatedHost) -> None:
    before = armed(*ORIGINS)
    lvm.run("lvrename", "thick", "a_s", "kept")
    lvm.run("lvrename", "thick", "a", "moved")
    # Another snapshot with the name of the member.
    lvm.run("lvcreate", "-q", "-s", "-L", "8m", "-n", "a_s", "thick/moved")
    lvm.run("vgrename", "thick", "thicker")
    try:
        host.let_time_pass()
        wait_for_reboot(host)
        rolled_back_after_reboot(host)
    finally:
        lvm.run("vgrename", "thicker", "thick")
        lvm.run("lvremove", "-y", "-q", "thick/a_s")
        lvm.run("lvrename", "thick", "moved", "a")
    assert storage.checksums(*ORIGINS) == before


def test_pvmove_is_waited_for(host: SimulatedHost) -> None:
    """LVM would refuse to merge, after /boot was restored."""
    with test_merging.slow_group() as disk, test_refused_by_lvm.storage_of("slow") as (_good, spare):
        lvm.run("pvchange", "-q", "-xn", spare)
        ok("snapset", present("s", "slow/o", size="20MiB"))
        lvm.run("pvchange", "-q", "-xy", spare)
        ok("rollback_timer", ARM)
        with test_refused_by_lvm.moving("o_s", test_refused_by_lvm.SLOW, spare, disk):
            host.let_time_pass()
            wait_for_phase("postponed", because="pvmove moves slow/o_s")
        wait_for_reboot(host)
        rolled_back_after_reboot(host)
        remove()


def test_the_vg_of_the_timer_is_renamed(host: SimulatedHost) -> None:
    """The next boot finds its filesystem by its UUID."""
    armed("thick/c")
    lvm.run("vgrename", "other", "moved")
    try:
        host.reboot("b2")
        wait_for_phase("watching")
        host.let_time_pass()
        wait_for_reboot(host)
    finally:
        remove()
        lvm.run("vgrename", "moved", "other")


def test_a_member_that_overflowed_while_it_is_inactive(host: SimulatedHost) -> None:
    """LVM does not know that it is invalid, and would merge it."""
    ok("snapset", present("s", "thick/c", size="4MiB", reserve="0"))
    ok("rollback_timer", ARM)
    storage.write("thick/c", 10)
    lvm.run("lvchange", "-y", "-an", "thick/c")
    host.let_time_pass()
    wait_for_phase("spent", because="thick/c_s has overflowed")
    wait_until(lambda: not is_active())
    assert (host.reboots, shown()["phase"], shown()["running"]) == (0, "spent", False)


@contextmanager
def merging_slowly() -> Iterator[None]:
    """Another snapshot of thick/c waits to be merged."""
    lvm.run("lvcreate", "-q", "-s", "-L", "12m", "-n", "x", "thick/c")
    lvm.run("mkfs.ext4", "-q", "-F", "/dev/thick/c")
    with storage.mounted("thick/c"):
        lvm.run("lvconvert", "-q", "--merge", "-b", "thick/x")
        yield
    lvm.run("lvchange", "-y", "-an", "thick/c")
    lvm.run("lvremove", "-y", "-q", "thick/x")
    lvm.run("lvchange", "-y", "-ay", "thick/c")


def test_another_merge_into_the_origin_is_waited_for(host: SimulatedHost) -> None:
    ok("snapset", present("s", "thick/c"))
    ok("rollback_timer", ARM)
    with merging_slowly():
        host.let_time_pass()
        wait_for_phase("postponed", because="another snapshot of thick/c is being merged: thick/x")
        assert host.reboots == 0
    wait_for_reboot(host)


def test_after_a_rollback_to_another_set_it_never_goes_forward(host: SimulatedHost) -> None:
    ok("snapset", present("older", "thick/c"))
    armed("thick/c")
    ok("snapset", merged("older"))
    rolled_back("snapset", merged("older"))
    host.let_time_pass()
    wait_for_phase("spent", because="was rolled back to another snapset since")
    assert host.reboots == 0


def test_two_sets_of_one_origin() -> None:
    ok("snapset", present("s", "thick/c"))
    ok("rollback_timer", ARM)
    try:
        second = ok("snapset", present("second", "thick/c"))
        assert "the rollback timer of another snapset, s, is armed for thick/c" in str(second["warnings"])
        again = ok("snapset", present("s", "thick/c"))
        assert "the rollback timer of s is armed" in str(again["warnings"])
        wish = {**ARM, "name": "second"}
        refused("rollback_timer", wish, "the rollback timer of another snapset, s, is armed for thick/c")
    finally:
        remove()


def test_another_machine(host: SimulatedHost) -> None:
    armed("thick/c")
    host.set(machine="m2")
    host.reboot("b2")
    wait_for_phase("stale", because="another machine")
    host.let_time_pass()
    found = ok("snapset_info", {})
    assert "does nothing until somebody decides" in str(found["warnings"])
    assert (found["rollback_timers"][0]["phase"], found["rollback_timers"][0]["running"]) == ("stale", True)
    assert "To accept the change" in Path("/run/motd.d/safepoint-lvm-s").read_text()
    assert "until somebody decides" in lvm.run("journalctl", "-k", "-b", "-p", "1", "-o", "cat", "-g", "safepoint")
    # Armed again, this machine counts.
    host.set(uptime="700.00 1.00")
    again = ok("rollback_timer", ARM)
    assert [step["step"] for step in again["planned"]] == ["set_time", "remember_time"]
    assert again["rollback_timer"]["phase"] == "watching"
    assert host.reboots == 0
    host.let_time_pass()
    wait_for_reboot(host)


def test_the_deadline_passed_long_ago(host: SimulatedHost) -> None:
    armed("thick/c")
    wait_until(lambda: phase() == "watching")
    lvm.run("systemctl", "stop", UNIT)
    with storage.mounted(VOLUME) as place:
        serial, boot, end, _deadline, graces = (place / "end").read_text().split()
        (place / "end").write_text(f"{serial} {boot} {end} 1700000000 {graces}\n")
    host.reboot("b2")
    wait_for_phase("stale", because="by the clock the deadline passed")
    host.let_time_pass()
    assert host.reboots == 0


def test_a_timer_that_nobody_has_activated(host: SimulatedHost) -> None:
    """With auto_activation_volume_list, or an initramfs that activates only /: the unit asks LVM of the host."""
    armed("thick/c")
    with lvm.settings("activation { auto_activation_volume_list = [] }"):
        lvm.run("systemctl", "stop", UNIT)
        lvm.run("lvchange", "-an", VOLUME)
        host.reboot("b2")
        wait_for_phase("watching")


def test_the_program_is_killed(host: SimulatedHost) -> None:
    armed("thick/c")
    lvm.run("systemctl", "kill", "--signal=KILL", UNIT)
    wait_until(lambda: not is_active())
    # systemd starts it again.
    wait_until(is_active)
    host.let_time_pass()
    wait_for_reboot(host)
