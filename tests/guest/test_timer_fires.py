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
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, rolled_back, states
from timers import (
    ARM,
    VOLUME,
    SimulatedHost,
    is_active,
    lock_held,
    log,
    phase,
    reason,
    remove,
    shown,
    wait_for_phase,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINS = ("thick/a", "thin/t2")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedHost]:
    found = SimulatedHost(monkeypatch)
    yield found
    remove()
    storage.shutil.rmtree(found.place)


def armed(*origins: str, vg: str = "other") -> list[str]:
    """Take a set of the origins, arm the timer, then change the origins. Return the former checksums."""
    before = storage.checksums(*origins)
    ok("snapset", present("s", *origins))
    ok("rollback_timer", {**ARM, "vg": vg})
    for origin in origins:
        storage.write(origin, 1, at=3)
    assert storage.checksums(*origins) != before
    return before


def wait_for_reboot(host: SimulatedHost) -> None:
    wait_until(lambda: host.reboots == 1)


def test_it_merges_reboots_once_and_has_fired(host: SimulatedHost) -> None:
    before = armed(*ORIGINS)
    host.let_time_pass()
    wait_for_reboot(host)
    assert phase() == "firing"
    assert shown()["state"] == "fired"
    assert states(rolled_back_after_reboot(host))[0] == "rolled_back"
    assert storage.checksums(*ORIGINS) == before
    assert not is_active()


def rolled_back_after_reboot(host: SimulatedHost) -> dict[str, object]:
    """Let the host boot, in which the program ends without another reboot. Then complete the rollback."""
    host.reboot("b2")
    wait_for_phase("fired")
    wait_until(lambda: not is_active())
    assert host.reboots == 1
    return rolled_back("snapset", merged("s"))


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
        assert states(ok("snapset_info", {"name": "s"}), "snapsets") if False else True
        (info,) = ok("snapset_info", {"name": "s"})["snapsets"]
        assert info["state"] == "merge_pending"
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
    monkeypatch.setitem(host_limits(), "LOCK_LIMIT", 10)
    monkeypatch.setitem(host_limits(), "UDEV_LIMIT", 5)
    before = armed("thick/c")
    with lock_held():
        host.set(uptime="100000.00 1.00")
        wait_for_phase("postponed")
        host.set(uptime="100020.00 1.00")
        wait_for_reboot(host)
    rolled_back_after_reboot(host)
    assert storage.checksums("thick/c") == before


def host_limits() -> dict[str, int]:
    from timers import script  # noqa: PLC0415

    limits: dict[str, int] = script.LIMITS
    return limits


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


@contextmanager
def group_of_two(first_filter: str = "") -> Iterator[tuple[str, str]]:
    """The VG `pair` on one disk, with an origin. Yields it and another disk."""
    disks = storage.new_disk("pair1", 100), storage.new_disk("pair2", 40)
    storage.new_group("pair", disks[0])
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "o", "pair")
    try:
        with lvm.settings(first_filter.format(*disks)):
            yield disks
    finally:
        storage.remove_disks(*disks)


@pytest.mark.parametrize(
    "later",
    [
        # vgextend adds the new PV to the devices file, or the administrator to the filter, of the host only.
        "",
        # The change has broken LVM's settings: no disk at all is seen.
        'devices {{ global_filter = [ "r|.*|" ] }}',
    ],
)
def test_a_pv_that_joined_the_vg(host: SimulatedHost, later: str) -> None:
    with group_of_two('devices {{ global_filter = [ "r|^{1}$|", "a|.*|" ] }}') as disks:
        before = armed("pair/o")
        with lvm.settings('devices { global_filter = [ "a|.*|" ] }'):
            lvm.run("pvcreate", "-q", disks[1])
            lvm.run("vgextend", "-q", "pair", disks[1])
        with lvm.settings(later.format() or 'devices { global_filter = [ "a|.*|" ] }'):
            host.let_time_pass()
            wait_for_reboot(host)
        with lvm.settings('devices { global_filter = [ "a|.*|" ] }'):
            rolled_back_after_reboot(host)
            assert storage.checksums("pair/o") == before
            remove()
            ok("snapset", absent("s"))
            lvm.run("vgreduce", "-q", "pair", disks[1])


def test_a_missing_disk_is_waited_for(host: SimulatedHost) -> None:
    with group_of_two() as disks:
        lvm.run("vgextend", "-q", "pair", disks[1])
        armed("pair/o")
        file = storage.BASE / "pair2.disk"
        lvm.run("losetup", "--detach", disks[1])
        host.let_time_pass()
        wait_for_phase("postponed", because="PVs of VG pair are missing: 1")
        lvm.run("losetup", disks[1], str(file))
        wait_for_reboot(host)
        rolled_back_after_reboot(host)
        remove()
        ok("snapset", absent("s"))


def test_the_vg_of_the_timer_loses_a_disk(host: SimulatedHost) -> None:
    """It cannot be tagged as fired. The host must not reboot for ever."""
    with group_of_two() as disks:
        lvm.run("vgextend", "-q", "pair", disks[1])
        armed("thick/c", vg="pair")
        lvm.run("losetup", "--detach", disks[1])
        host.let_time_pass()
        wait_for_reboot(host)
        rolled_back_after_reboot(host)
        for number in range(2):
            host.reboot(f"b{number + 3}")
            wait_for_phase("fired")
            wait_until(lambda: not is_active())
        assert host.reboots == 1
        lvm.run("losetup", disks[1], str(storage.BASE / "pair2.disk"))
        remove()


@contextmanager
def suspended_device(*, filesystem: bool) -> Iterator[None]:
    """A device that answers no more, with a filesystem that has something to write."""
    disk = storage.new_disk("stuck", 40)
    lvm.run("dmsetup", "create", "stuck", "--table", f"0 {40 * 2048} linear {disk} 0")
    try:
        if filesystem:
            lvm.run("mkfs.ext4", "-q", "/dev/mapper/stuck")
            place = storage.BASE / "mnt" / "stuck"
            place.mkdir(parents=True, exist_ok=True)
            lvm.run("mount", "/dev/mapper/stuck", str(place))
            (place / "file").write_bytes(b"x" * storage.MIB)
        else:
            lvm.run("pvcreate", "-q", "/dev/mapper/stuck")
        lvm.run("dmsetup", "suspend", "--noflush", "--nolockfs", "stuck")
        try:
            yield
        finally:
            lvm.run("dmsetup", "resume", "stuck")
    finally:
        storage.unmount_all()
        lvm.run("dmsetup", "remove", "--retry", "stuck")
        storage.remove_disks(disk)


def test_another_filesystem_that_hangs(host: SimulatedHost) -> None:
    """sync(2) would wait for it: neither the module nor the program calls it."""
    hidden = 'devices { global_filter = [ "r|^/dev/mapper/stuck$|", "a|.*|" ] }'
    with lvm.settings(hidden), suspended_device(filesystem=True):
        before = armed("thick/c")
        ok("rollback_timer", {**ARM, "after": "3h"})
        host.let_time_pass()
        wait_for_reboot(host)
        rolled_back_after_reboot(host)
        assert storage.checksums("thick/c") == before
        remove()


def test_another_device_that_hangs(host: SimulatedHost) -> None:
    """LVM would wait for it when it looks for PVs."""
    before = armed("thick/c")
    with suspended_device(filesystem=False):
        host.let_time_pass()
        wait_for_reboot(host)
    rolled_back_after_reboot(host)
    assert storage.checksums("thick/c") == before


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
    lvm.run("systemctl", "stop", "safepoint-lvm-timer-s.service")
    with storage.mounted(VOLUME) as place:
        serial, boot, end, _deadline, graces = (place / "end").read_text().split()
        (place / "end").write_text(f"{serial} {boot} {end} 1700000000 {graces}\n")
    host.reboot("b2")
    wait_for_phase("stale", because="by the clock the deadline passed")
    host.let_time_pass()
    assert (host.reboots, reason()[:12]) == (0, "by the clock")


def test_a_timer_that_nobody_has_activated(host: SimulatedHost) -> None:
    """With auto_activation_volume_list, or an initramfs that activates only /: the unit asks LVM of the host."""
    armed("thick/c")
    with lvm.settings("activation { auto_activation_volume_list = [] }"):
        lvm.run("systemctl", "stop", "safepoint-lvm-timer-s.service")
        lvm.run("lvchange", "-an", VOLUME)
        host.reboot("b2")
        wait_for_phase("watching")
    assert log


def test_the_program_is_killed(host: SimulatedHost) -> None:
    armed("thick/c")
    lvm.run("systemctl", "kill", "--signal=KILL", "safepoint-lvm-timer-s.service")
    wait_until(lambda: not is_active())
    # systemd starts it again.
    wait_until(is_active)
    host.let_time_pass()
    wait_for_reboot(host)
