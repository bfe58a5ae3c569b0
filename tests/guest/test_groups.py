# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""VGs in which nothing may be done, and that they disturb nobody else."""

from __future__ import annotations

import re
from pathlib import Path
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
    "shared": ("common/o", "VG common is shared"),
}


@pytest.fixture(scope="module", autouse=True)
def _groups(keeper: storage.Keeper) -> Iterator[None]:
    """The VGs half, with a set and then without one of its disks, away, far and common."""
    disks = {name: storage.new_disk(name, 24) for name in ("half", "half2", "away", "far", "common")}
    for name in ("half", "away", "far", "common"):
        lvm.run("vgcreate", "-q", name, disks[name], *([disks["half2"]] if name == "half" else []))
        lvm.run("lvcreate", "-q", "-y", "-L", "4m", "-n", "o", name, disks[name])
    ok("snapset", present("kept", "half/o"))
    lvm.run("vgchange", "-q", "-an", *("half", "away", "far", "common"))
    lvm.run("vgexport", "-q", "away")
    lvm.run("vgchange", "-q", "-y", "--systemid", "elsewhere", "far")
    _share("common", disks["common"])
    storage.remove_disks(disks.pop("half2"))
    yield
    storage.remove_disks(*disks.values())
    keeper.restore()


def _share(vg: str, disk: str) -> None:
    """Make a VG one that lvmlockd looks after; no lvmlockd runs here, so its metadata are edited and restored."""
    backup = storage.BASE / "common.vg"
    lvm.run("vgcfgbackup", "-q", "-f", str(backup), vg)
    text = backup.read_text()
    backup.write_text(
        re.sub(r'(\n\tformat = "lvm2")', r'\1\n\tlock_type = "sanlock"\n\tlock_args = "1.0.0:lvmlock"', text)
    )
    lvm.run("vgcfgrestore", "-q", "-y", "-f", str(backup), vg)
    assert Path(disk).exists()


def test_all_of_them_are_refused_at_once() -> None:
    refused(
        "snapset",
        present("s", *(name for name, _problem in GROUPS.values()), "thick/b"),
        *(problem for _name, problem in GROUPS.values()),
    )


@pytest.mark.parametrize("name", GROUPS)
def test_refused(name: str) -> None:
    origin, pattern = GROUPS[name]
    refused("snapset", present("s", origin), pattern)


@pytest.mark.parametrize("name", GROUPS)
def test_refused_for_a_single_snapshot(name: str) -> None:
    origin, pattern = GROUPS[name]
    vg, lv = origin.split("/")
    refused("snapshot", {"vg": vg, "lv": lv, "snapshot": "x"}, pattern)


def test_a_set_in_a_partial_group() -> None:
    for task in (present("kept", "half/o"), merged("kept"), absent("kept")):
        refused("snapset", task, "VG half is partial")


def test_others_are_not_disturbed() -> None:
    ok("snapset", present("s", "thick/c"))
    shown = ok("snapset_info", {})
    groups = {group["name"]: group for group in shown["volume_groups"]}
    assert groups["half"]["partial"]
    assert groups["away"]["exported"]
    assert groups["common"]["lock_type"] == "sanlock"
    assert "far" not in groups
    assert any("VG half is partial" in warning for warning in shown["warnings"])
    assert len(shown["commands"]) == 1
    assert {one["name"] for one in shown["snapsets"]} == {"kept", "s"}
    assert ok("snapset", absent("s"))["changed"]
