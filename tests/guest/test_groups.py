# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""VGs in which nothing may be changed; they must not affect other VGs."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, merged, ok, present, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = {
    "partial": ("half/o", "VG half is partial"),
    "exported": ("away/o", "VG away is exported"),
    "foreign": ("far/o", "there is no VG far here .*foreign"),
    "shared, without lvmlockd": ("common/o", "there is no VG common here"),
}


@contextmanager
def unusable_groups() -> Iterator[None]:
    """Create the VGs half (with a set, and one disk missing), away, far and common."""
    disks = {name: storage.new_disk(name, 24) for name in ("half", "half2", "away", "far", "common")}
    for name in ("half", "away", "far", "common"):
        storage.new_group(name, disks[name], *([disks["half2"]] if name == "half" else []))
        lvm.run("lvcreate", "-q", "-y", "-L", "4m", "-n", "o", name, disks[name])
    ok("snapset", present("kept", "half/o"))
    lvm.run("vgchange", "-q", "-an", *("half", "away", "far", "common"))
    lvm.run("vgexport", "-q", "away")
    lvm.run("vgchange", "-q", "-y", "--systemid", "elsewhere", "far")
    _share("common")
    storage.remove_disks(disks.pop("half2"))
    try:
        yield
    finally:
        storage.remove_disks(*disks.values())


@pytest.fixture(scope="module", autouse=True)
def _groups(keeper: storage.Keeper) -> Iterator[None]:
    with unusable_groups():
        yield
    keeper.restore()


def _share(vg: str) -> None:
    """Make a VG shared. No lvmlockd runs here, so its metadata is edited and restored."""
    backup = storage.BASE / "common.vg"
    lvm.run("vgcfgbackup", "-q", "-f", str(backup), vg)
    shared = r'\1\n\tlock_type = "sanlock"\n\tlock_args = "1.0.0:lvmlock"'
    backup.write_text(re.sub(r'(\n\tformat = "lvm2")', shared, backup.read_text()))
    lvm.run("vgcfgrestore", "-q", "-y", "-f", str(backup), vg)


@pytest.mark.parametrize("name", GROUPS)
def test_refused_for_a_single_snapshot(name: str) -> None:
    origin, pattern = GROUPS[name]
    vg, lv = origin.split("/")
    refused("snapshot", {"vg": vg, "lv": lv, "snapshot": "x"}, pattern)


def test_one_error_names_all_of_them() -> None:
    origins, patterns = zip(*GROUPS.values())
    refused("snapset", present("s", *origins, "thick/b"), *patterns)


def test_a_shared_group_that_is_visible() -> None:
    with lvm.settings("global { use_lvmlockd = 1 }"):
        refused("snapset", present("s", "common/o"), r"VG common is shared \(lock type sanlock\)")
        refused("snapshot", {"vg": "common", "lv": "o", "snapshot": "x"}, "VG common is shared")
        groups = {group["name"]: group for group in ok("snapset_info", {})["volume_groups"]}
    assert groups["common"]["lock_type"] == "sanlock"


def test_a_set_in_a_partial_group() -> None:
    for task in (present("kept", "half/o"), merged("kept"), absent("kept")):
        refused("snapset", task, "VG half is partial")


def test_other_groups_still_work() -> None:
    ok("snapset", present("s", "thick/c"))
    shown = ok("snapset_info", {})
    groups = {group["name"]: group for group in shown["volume_groups"]}
    assert (groups["half"]["partial"], groups["away"]["exported"]) == (True, True)
    assert not {"far", "common"} & set(groups)
    assert "VG half is partial" in str(shown["warnings"])
    assert shown["reads"] == lvm.processes_per_report()
    assert {one["name"] for one in shown["snapsets"]} == {"kept", "s"}
    assert ok("snapset", absent("s"))["changed"]
