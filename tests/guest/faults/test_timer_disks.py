# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disks of a rollback timer or of its snapset: added, missing, or hanging. See test_timer_fires.py."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, ok
from timers import (
    ARM,
    armed,
    is_active,
    remove,
    rolled_back_after_reboot,
    script,
    wait_for_phase,
    wait_for_reboot,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timers import SimulatedHost


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


def test_another_filesystem_that_hangs(host: SimulatedHost) -> None:
    """sync(2) would wait for it: neither the module nor the program calls it."""
    # LVM accepts a device if it accepts one of its names.
    hidden = 'devices { global_filter = [ "a|^/dev/loop|", "a|^/dev/[usv]|", "r|.*|" ] }'
    with lvm.settings(hidden), storage.suspended_device(filesystem=True):
        before = armed("thick/c")
        ok("rollback_timer", {**ARM, "after": "3h"})
        host.let_time_pass()
        wait_for_reboot(host)
        rolled_back_after_reboot(host)
        assert storage.checksums("thick/c") == before
        remove()


def test_another_device_that_hangs(monkeypatch: pytest.MonkeyPatch, host: SimulatedHost) -> None:
    """LVM waits for it when it looks for PVs. Then it is asked again, with only the PVs of the set."""
    monkeypatch.setitem(script.LIMITS, "LOOK_LIMIT", 20)
    before = armed("thick/c")
    with storage.suspended_device():
        host.let_time_pass()
        wait_for_reboot(host)
    rolled_back_after_reboot(host)
    assert storage.checksums("thick/c") == before
