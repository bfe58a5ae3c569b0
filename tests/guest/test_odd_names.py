# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices and directories with unusual names. LVM prints them unchanged, so its reports are not valid JSON."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, four_runs, merged, ok, present, rolled_back

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm

if TYPE_CHECKING:
    from collections.abc import Iterator

# device-mapper writes the space as \x20, as for cryptsetup and multipath.
NAME, DEVICE = "my disk", r"/dev/mapper/my\x20disk"
# The device begins at this sector of its disk, or LVM would see the PV twice.
SKIPPED = 2048
# Only mknod(1) can create these names, and LVM finds them if it does not use udev.
STRANGE_NAMES = [
    'say "hi"',
    "ends in a backslash\\",
    r"\u0041 \b \n \"",
    "two\nlines",
    "byte \udcff",
    'x", "pv_missing":"x',
]
PREFER_THESE_NAMES = 'devices { obtain_device_list_from_udev=0 preferred_names=["^/dev/worse"] }'


@contextmanager
def odd_group() -> Iterator[None]:
    """Create the VG odd with the LV o on such a device."""
    below = storage.new_disk("below", 64)
    sectors = int(lvm.run("blockdev", "--getsz", below)) - SKIPPED
    lvm.run("dmsetup", "create", NAME, "--table", f"0 {sectors} linear {below} {SKIPPED}")
    storage.new_group("odd", DEVICE)
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "o", "odd")
    try:
        yield
    finally:
        storage.remove_disks(below)


@pytest.fixture(scope="module", autouse=True)
def _groups(keeper: storage.Keeper) -> Iterator[None]:
    with odd_group():
        yield
    keeper.restore()


def _take_and_roll_back(origin: str) -> None:
    before = storage.checksum(origin)
    four_runs("snapset", present("s", origin), commands=4)
    (shown,) = ok("snapset_info", {})["snapsets"]
    assert shown["state"] == "active"
    storage.write(origin, 1)
    assert storage.checksum(origin) != before
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksum(origin) == before
    assert ok("snapset", absent("s"))["changed"]


@pytest.mark.parametrize("origin", ["thick/c", "odd/o"])
def test_take_and_roll_back(origin: str) -> None:
    _take_and_roll_back(origin)


def test_names_made_by_mknod() -> None:
    disk = storage.new_disk("worse", 24)
    storage.new_group("worse", disk)
    try:
        for name in STRANGE_NAMES:
            with _named(disk, f"worse {name}"), lvm.settings(PREFER_THESE_NAMES):
                (group,) = (one for one in Lvm("lvm").report().volume_groups if one.name == "worse")
                assert group.pv_names == (f"/dev/worse {name}",)
    finally:
        storage.remove_disks(disk)


@contextmanager
def _named(device: str, name: str) -> Iterator[None]:
    path = Path("/dev", name)
    os.mknod(path, 0o60600, Path(device).stat().st_rdev)
    try:
        yield
    finally:
        path.unlink()


def test_a_directory_whose_name_is_not_utf8() -> None:
    """The result is JSON, which cannot contain arbitrary bytes."""
    with storage.mounted("thick/a", at="\udcff"):
        taken = ok("snapset", present("s", "thick/a"))
        (mountpoint,) = taken["snapset"]["members"][0]["mountpoints"]
        assert mountpoint.endswith(r"/mnt/\xff")
        assert mountpoint in [shown["mountpoint"] for shown in ok("snapset_info", {})["coverage"]]
    assert ok("snapset", absent("s"))["changed"]
