# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of a disk is attached and imported with vgimportclone, which keeps LV UUIDs and tags."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, four_runs, merged, ok, present, processes, refused, rolled_back, states

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINS = ("data/db", "data/t")
# One is sorted before the name of the original, the other after it.
NAMES = pytest.mark.parametrize("name", ["aclone", "dataclone"])


@pytest.fixture(autouse=True)
def _data(keeper: storage.Keeper) -> Iterator[None]:
    """The VG data with the thick origin db and the thin origin t."""
    disk = storage.new_disk("data", 200)
    storage.new_group("data", disk)
    lvm.run("lvcreate", "-q", "-y", "-L", "20m", "-n", "db", "data")
    pool = ("--type", "thin-pool", "-L", "48m", "--poolmetadatasize", "4m", "-n", "pool")
    lvm.run("lvcreate", "-q", "-y", *pool, "data")
    lvm.run("lvcreate", "-q", "-y", "-V", "20m", "--thinpool", "data/pool", "-n", "t")
    for origin in ORIGINS:
        storage.write(origin, 4)
    try:
        yield
    finally:
        storage.remove_disks(disk)
    keeper.restore()


@contextmanager
def copied(name: str) -> Iterator[None]:
    """Create an active copy of the VG data with that name temporarily."""
    lvm.run("sync")
    disk = storage.new_disk(name, 200)
    shutil.copyfile(storage.BASE / "data.disk", storage.BASE / f"{name}.disk")
    lvm.run("vgimportclone", "-q", "-n", name, disk)
    lvm.run("vgchange", "-q", "-ay", name)
    try:
        yield
    finally:
        storage.remove_disks(disk)


def _all_of(vg: str) -> list[dict[str, str]]:
    return lvm.report("lvs", "lv_name,lv_uuid,lv_tags,lv_size,lv_active,lv_merging,seg_start", "-a", vg)


def _roll_back_and_remove(commands: int) -> None:
    """Change the origins, roll the set s back, check the content, and remove the set."""
    before = storage.checksums(*ORIGINS)
    for origin in ORIGINS:
        storage.write(origin, 2)
    assert storage.checksums(*ORIGINS) != before
    requested = ok("snapset", merged("s"))
    assert processes(requested) == commands
    assert states(rolled_back("snapset", merged("s")))[0] == "rolled_back"
    assert storage.checksums(*ORIGINS) == before
    assert ok("snapset", absent("s"))["changed"]
    assert ok("snapset_info", {})["snapsets"] == []


@NAMES
def test_the_set_is_created_before_the_copy(name: str) -> None:
    task = present("s", *ORIGINS)
    taken = ok("snapset", task)
    with copied(name):
        copy, seqno = _all_of(name), storage.seqnos()[f"{name}.disk"]
        assert {row["lv_uuid"] for row in copy} == {row["lv_uuid"] for row in _all_of("data")}
        assert not ok("snapset", task)["changed"]
        info = ok("snapset_info", {})
        (shown,) = info["snapsets"]
        assert (shown["id"], states({"snapset": shown})) == (taken["snapset"]["id"], ("active", ["active"] * 2))
        assert info["copies"] == [{"vg": name, "original": "data", "snapsets": ["s"], "volumes": ["db_s", "t_s"]}]
        refused("snapset", present("s", f"{name}/db"), "protects data/db, data/t")
        _roll_back_and_remove(commands=4)
        assert (_all_of(name), storage.seqnos()[f"{name}.disk"]) == (copy, seqno)
        refused("snapset", merged("s"), f"it does not exist: .*VG {name} does not have the UUID")
        assert ok("snapset_info", {})["copies"][0]["volumes"] == ["db_s", "t_s"]


@NAMES
def test_the_copy_exists_before_the_set(name: str) -> None:
    with copied(name):
        copy, seqno = _all_of(name), storage.seqnos()[f"{name}.disk"]
        four_runs("snapset", present("s", *ORIGINS), commands=5)
        _roll_back_and_remove(commands=4)
        assert (_all_of(name), storage.seqnos()[f"{name}.disk"]) == (copy, seqno)


@NAMES
def test_original_and_copy_in_one_set(name: str) -> None:
    origins = (*ORIGINS, f"{name}/db", f"{name}/t")
    with copied(name):
        volumes = [{"vg": vg} for vg in ("data", name)]
        taken = four_runs("snapset", {"name": "s", "volumes": volumes}, commands=7)
        members = taken.real["snapset"]["members"]
        assert sorted(f"{member['vg']}/{member['origin']}" for member in members) == sorted(origins)
        for origin in origins[2:]:
            storage.write(origin, 1)
        copy = storage.checksums(*origins[2:])
        _roll_back_and_remove(commands=4)
        assert storage.checksums(*origins[2:]) != copy


def test_a_set_of_release_0_1_0() -> None:
    """It has no tag with the UUID of the VG."""
    task = present("s", *ORIGINS)
    ok("snapset", task)
    uuid = lvm.report("vgs", "vg_uuid", "data")[0]["vg_uuid"]
    lvm.run("lvchange", "-q", "--deltag", f"safepoint.member.vg={uuid}", "data/db_s", "data/t_s")
    with copied("aclone"):
        copy = _all_of("aclone")
        for request in (task, merged("s"), absent("s")):
            refused("snapset", request, "aclone/db_s and data/db_s are copies of each other", "vgchange -an")
        assert "copies of each other" in str(ok("snapset_info", {})["warnings"])
        lvm.run("vgchange", "-q", "-an", "aclone")
        assert not ok("snapset", task)["changed"]
        _roll_back_and_remove(commands=4)
        lvm.run("vgchange", "-q", "-ay", "aclone")
        assert _all_of("aclone") == copy
