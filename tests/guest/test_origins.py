# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""LVs that cannot be origins, and invalid requests: one error gives all reasons, and nothing is changed."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, ok, present, refused, volumes

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBLEMS = {
    "no VG": ("nowhere/x", "there is no VG nowhere"),
    "no LV": ("thick/nothing", "there is no LV thick/nothing"),
    "pool": ("thin/pool", "thin/pool is a pool"),
    "hidden": ("thin/pool_tdata", "thin/pool_tdata is an internal LV of LVM"),
    "RAID leg": ("odd/raid_rimage_0", "odd/raid_rimage_0 is an internal LV of LVM"),
    "thick snapshot": ("thick/taken", "thick/taken is a snapshot"),
    "thin snapshot": ("thin/taken", "thin/taken is a snapshot"),
    "thin with a thick snapshot": ("thin/t1", r"thin/t1 is thin and has a thick snapshot \(thin/thick\)"),
    "sparse": ("odd/sparse", "odd/sparse is a .*(sparse|snapshot)"),
    "read-only": ("odd/readonly", "odd/readonly is read-only"),
    "external origin": ("thin/external", "thin/external is the external origin"),
    "integrity": ("odd/checked", "odd/checked is a RAID volume with integrity"),
    "mirror": ("odd/mirror", "odd/mirror is a mirror of the old segment type"),
    "cache pool": ("odd/cachepool", "odd/cachepool is a pool"),
    "btrfs": ("odd/btrfs", "odd/btrfs has btrfs"),
    "suspended": ("odd/asleep", "odd/asleep is suspended"),
}
DUPLICATES = {
    "LV": (volumes("thick/b", "thick/b"), "volumes lists thick/b 2 times"),
    "VG": ([{"vg": "thick"}, {"vg": "thick"}], "volumes lists VG thick 2 times"),
}


@contextmanager
def odd_group() -> Iterator[None]:
    """Create the VG odd with one LV of each kind that is refused."""
    disks = [storage.new_disk(f"odd{number}", 160) for number in range(2)]
    make = ("lvcreate", "-q", "-y")
    storage.new_group("odd", *disks)
    lvm.run(*make, "--type", "raid1", "-L", "8m", "-n", "raid", "odd")
    lvm.run(*make, "--type", "raid1", "--raidintegrity", "y", "-L", "8m", "-n", "checked", "odd")
    lvm.run(*make, "--type", "mirror", "--mirrorlog", "core", "-L", "8m", "-n", "mirror", "odd")
    lvm.run(*make, "--type", "cache-pool", "-L", "8m", "-n", "cachepool", "odd")
    lvm.run(*make, "--type", "snapshot", "-s", "-V", "40m", "-L", "8m", "-n", "sparse", "odd")
    lvm.run(*make, "-L", "4m", "-n", "readonly", "odd")
    lvm.run("lvchange", "-pr", "odd/readonly")
    lvm.run(*make, "-L", "4m", "-n", "asleep", "odd")
    lvm.run(*make, "-L", "112m", "-n", "btrfs", "odd")
    lvm.run("mkfs.btrfs", "-q", "/dev/odd/btrfs")
    try:
        yield
    finally:
        lvm.run("vgchange", "-q", "-an", "odd")
        lvm.run("vgremove", "-q", "-ff", "-y", "odd")
        storage.remove_disks(*disks)


@contextmanager
def every_problem() -> Iterator[None]:
    """Create everything else in PROBLEMS that the VG odd does not contain."""
    lvm.run("lvcreate", "-q", "-s", "-L", "8m", "-n", "taken", "thick/c")
    lvm.run("lvcreate", "-q", "-s", "-n", "taken", "thin/t2")
    lvm.run("lvcreate", "-q", "-s", "-L", "8m", "-n", "thick", "thin/t1")
    lvm.run("lvcreate", "-q", "-y", "-an", "-Zn", "-Wn", "-pr", "-L", "4m", "-n", "external", "thin")
    lvm.run("lvcreate", "-q", "-y", "-s", "--thinpool", "thin/pool", "-n", "beside", "thin/external")
    lvm.run("dmsetup", "suspend", "odd-asleep")
    try:
        with storage.mounted("odd/btrfs"):
            yield
    finally:
        lvm.run("dmsetup", "resume", "odd-asleep")


@pytest.fixture(scope="module")
def _odd(keeper: storage.Keeper) -> Iterator[None]:
    with odd_group():
        yield
    keeper.restore()


@pytest.fixture(scope="module")
def reasons(_odd: None) -> list[str]:
    """The reasons if all of them are requested in one set."""
    asked = [name for name, _pattern in PROBLEMS.values()]
    with every_problem():
        found: list[str] = refused("snapset", present("s", *asked))["reasons"]
    return found


@pytest.mark.parametrize(("name", "pattern"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_cannot_be_an_origin(reasons: list[str], name: str, pattern: str) -> None:
    about = [reason for reason in reasons if re.search(pattern, reason)]
    assert len(about) == 1, f"{name}: {reasons}"


@pytest.mark.parametrize(("twice", "pattern"), DUPLICATES.values(), ids=DUPLICATES)
def test_duplicates(twice: list[dict[str, str]], pattern: str) -> None:
    refused("snapset", {"name": "s", "volumes": twice}, pattern)


@pytest.mark.usefixtures("_odd")
def test_raid_can_be_an_origin() -> None:
    taken = ok("snapset", present("s", "odd/raid"))
    assert lvm.lv("odd/raid_s", "origin")["origin"] == "raid"
    assert taken["snapset"]["state"] == "active"
    ok("snapset", absent("s"))


@pytest.mark.usefixtures("_odd")
def test_btrfs_in_use_is_shown_as_not_protectable() -> None:
    with storage.mounted("odd/btrfs") as root:
        (entry,) = [one for one in ok("snapset_info", {})["coverage"] if one["mountpoint"] == str(root)]
    assert (entry["lv"], entry["fstype"], entry["protectable"]) == ("btrfs", "btrfs", False)
    assert "btrfs" in entry["reason"]
    assert Path("/dev/odd/btrfs").exists()


def test_an_inactive_origin() -> None:
    lvm.run("lvchange", "-an", "thick/c")
    taken = ok("snapset", present("s", "thick/c"))
    assert taken["changed"]
    assert lvm.lv("thick/c_s", "origin")["origin"] == "c"
