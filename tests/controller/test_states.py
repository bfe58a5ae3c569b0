# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every state of every module, on all guests at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable

import machinery
import pytest
from outcomes import Results, ok, rolled_back, same, twice

if TYPE_CHECKING:
    from collections.abc import Iterator

Call = Callable[..., Results]
BOTH = [{"vg": "calls", "lv": "thick"}, {"vg": "calls", "lv": "thin"}]
ONE = {"vg": "calls", "lv": "thick", "snapshot": "before"}
MARK = "/boot/mark"
TIMER = "safepoint-lvm-timer-s.service"
# The first byte of each volume, in the boot sector, which no filesystem uses.
WRITE = "for lv in thick thin; do printf {} | dd of=/dev/calls/$lv conv=notrunc oflag=sync status=none; done"
READ = "for lv in thick thin; do blockdev --flushbufs /dev/calls/$lv; head -c 1 /dev/calls/$lv; done"


def states(results: list[dict[str, Any]], what: str) -> Any:
    """The state that all hosts report."""
    return same([result[what]["state"] for result in results])


@pytest.mark.parametrize("way", machinery.WAYS)
def test_a_set_is_taken_shown_and_removed(call: Call, guests: list[str], way: str) -> None:
    taken = twice(partial(call, way, "safepoint.lvm.snapset", name="s", volumes=BOTH))
    assert states(taken, "snapset") == "active"
    infos = ok(call(way, "safepoint.lvm.snapset_info"), changed=False)
    assert [[found["id"] for found in info["snapsets"]] for info in infos] == [
        [result["snapset"]["id"]] for result in taken
    ]
    members = "lvs --noheadings -o lv_name -S 'origin!=\"\"' calls"
    assert [output.split() for output in machinery.each(guests, members)] == [["thick_s", "thin_s"]] * len(guests)
    removed = twice(partial(call, way, "safepoint.lvm.snapset", name="s", state="absent"))
    assert states(removed, "snapset") == "absent"
    assert machinery.each(guests, members) == [""] * len(guests)
    infos = ok(call(way, "safepoint.lvm.snapset_info"), changed=False)
    assert [info["snapsets"] for info in infos] == [[]] * len(guests)


def test_a_set_goes_back(call: Call, guests: list[str]) -> None:
    machinery.each(guests, WRITE.format("a"))
    ok(call("sudo", "safepoint.lvm.snapset", name="s", volumes=BOTH), changed=True)
    machinery.each(guests, WRITE.format("b"))
    assert machinery.each(guests, READ) == ["bb"] * len(guests)
    rolled_back(partial(call, "sudo", "safepoint.lvm.snapset", name="s", state="merged"), "snapset")
    assert machinery.each(guests, READ) == ["aa"] * len(guests)
    ok(call("sudo", "safepoint.lvm.snapset", name="s", state="merged"), changed=False)


def test_one_snapshot(call: Call, guests: list[str]) -> None:
    module = partial(call, "root", "safepoint.lvm.snapshot", **ONE)
    assert states(twice(module), "snapshot") == "active"
    assert states(twice(partial(module, state="absent")), "snapshot") == "absent"
    machinery.each(guests, WRITE.format("a"))
    ok(module(size="12MiB"), changed=True)
    machinery.each(guests, WRITE.format("b"))
    rolled_back(partial(module, state="merged"), "snapshot")
    assert machinery.each(guests, READ) == ["ab"] * len(guests)


def test_a_timer(call: Call, guests: list[str]) -> None:
    ok(call("sudo", "safepoint.lvm.snapset", name="s", volumes=BOTH), changed=True)
    module = partial(call, "sudo", "safepoint.lvm.rollback_timer", name="s")
    active = f"systemctl is-active {TIMER} || true"
    try:
        assert states(twice(partial(module, after="2h")), "rollback_timer") == "armed"
        assert machinery.each(guests, active) == ["active\n"] * len(guests)
    finally:
        disarmed = twice(partial(module, state="disarmed"))
    assert states(disarmed, "rollback_timer") == "disarmed"
    assert machinery.each(guests, active) == ["inactive\n"] * len(guests)


@pytest.fixture
def boot_backup(call: Call, guests: list[str]) -> Iterator[Call]:
    """The module boot_backup for the snapset s, with a file in /boot that the tests change."""
    machinery.each(guests, f"echo before >{MARK}")
    yield partial(call, "sudo", "safepoint.lvm.boot_backup", name="s")
    call("sudo", "safepoint.lvm.snapset", name="s", state="absent")
    ok(call("sudo", "safepoint.lvm.snapset_info"), changed=False)
    call("sudo", "safepoint.lvm.boot_backup", name="s", state="absent")
    machinery.each(guests, f"rm {MARK}")


def take(call: Call, boot_backup: Call, **members: Any) -> None:
    """Save /boot on every host, and take the snapset that the backup belongs to: each host has its own ID."""
    backups = twice(boot_backup)
    assert states(backups, "boot_backup") == "present"
    for host, result in call("sudo", "safepoint.lvm.snapset_info").items():
        (found,) = result["boot_backups"]
        ok(call(host, "safepoint.lvm.snapset", name="s", id=found["id"], **members), changed=True)


def test_what_boots_goes_back_with_its_set(call: Call, boot_backup: Call, guests: list[str]) -> None:
    take(call, boot_backup, volumes=BOTH)
    machinery.each(guests, f"echo after >{MARK}; echo new >{MARK}.new")
    shown = f"cat {MARK}; ls /boot | grep -c mark"
    assert states(ok(boot_backup(state="restored"), changed=True), "boot_backup") == "restoring"
    assert machinery.each(guests, shown) == ["before\n2\n"] * len(guests)
    assert states(ok(boot_backup(), changed=True), "boot_backup") == "present"
    assert machinery.each(guests, shown) == ["after\n2\n"] * len(guests)
    ok(boot_backup(state="restored"), changed=True)
    rolled_back(partial(call, "sudo", "safepoint.lvm.snapset", name="s", state="merged"), "snapset")
    assert states(twice(partial(boot_backup, state="restored")), "boot_backup") == "restored"
    assert machinery.each(guests, shown) == ["before\n1\n"] * len(guests)
    assert states(twice(partial(boot_backup, state="absent")), "boot_backup") == "absent"


def test_an_entry_for_the_snapset(call: Call, boot_backup: Call, guests: list[str]) -> None:
    take(call, boot_backup, mountpoints=["/"], ignore_uncovered=["/var"], size="200MiB")
    module = partial(call, "sudo", "safepoint.lvm.boot_entry", name="s")
    kernels = machinery.each(guests, "uname -r")
    try:
        made = twice(module)
        assert [f"{result['boot_entry']['kernel']}\n" for result in made] == kernels
        machinery.each(guests, "grep -q Safepoint /boot/grub/custom.cfg")
    finally:
        removed = twice(partial(module, state="absent"))
    assert states(removed, "boot_entry") == "absent"
    assert machinery.each(guests, "ls /boot/safepoint.lvm 2>/dev/null | wc -l") == ["0\n"] * len(guests)
