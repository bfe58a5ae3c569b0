# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM refuses is refused before anything is changed: check mode says so, and LVM itself says so in these words.

Each rule of plugins/module_utils/_snapset/lvm_rules.py has a test here or in test_groups.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
import test_merging
from calls import absent, merged, ok, predicted, present, refused, rolled_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calls import Arguments

SLOW = f"/dev/mapper/{test_merging.NAME}"
PROFILE = lvm.CONFIGURATION / "profile" / "safepoint-guest.profile"


@pytest.fixture(autouse=True)
def disks() -> Iterator[list[str]]:
    """The VG v on two disks, with the LVs a and other, and t in the thin pool."""
    found = [storage.new_disk(f"v{number}", 96) for number in range(2)]
    storage.new_group("v", *found, extent="1m")
    typed(f"lvcreate -q -y -L 8m -n a v {found[0]}")
    typed(f"lvcreate -q -y --type thin-pool -L 20m --poolmetadatasize 2m -n pool v {found[0]}")
    typed("lvcreate -q -y -V 12m --thinpool v/pool -n t")
    typed(f"lvcreate -q -y -L 8m -n other v {found[0]}")
    yield found
    storage.remove_disks(*found)


def typed(command: str) -> None:
    """Type an LVM command, which must succeed."""
    lvm.run(*shlex.split(command))


def lvm_says(words: str, command: str) -> None:
    """Type an LVM command, which must fail with ``words``."""
    done = subprocess.run(
        command.split(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=lvm.ENVIRONMENT
    )
    assert done.returncode != 0, f"{command} succeeded: {done.stdout}{done.stderr}"
    assert re.search(words, done.stdout + done.stderr), f"{command}: {done.stdout}{done.stderr}"


def refused_in_both_modes(task: Arguments, pattern: str, *, reads: int = 1) -> None:
    for check in (True, False):
        refused("snapset", task, pattern, check=check, reads=reads)


@contextmanager
def moving(name: str, source: str, target: str, disk: test_merging.Disk) -> Iterator[None]:
    """Let pvmove move the LV slow/NAME, to or from the slow ``disk``: it does not end before the test."""
    disk.delay(2000)
    lvm.run("pvmove", "-b", "-i", "600", "-n", name, source, target)
    assert lvm.lv(f"slow/{name}", "lv_allocation_locked")["lv_allocation_locked"]
    try:
        yield
    finally:
        disk.work()
        lvm.run("pvmove", "--abort", source)


def test_pvmove_of_an_origin() -> None:
    task = present("s", "slow/o", size="8MiB")
    with test_merging.slow_group() as disk, storage_of("slow") as (good, spare):
        with moving("o", good, SLOW, disk):
            refused_in_both_modes(task, "pvmove moves slow/o, and LVM has locked it: wait until that ends")
            lvm_says("Snapshots of locked volumes are not supported", f"lvcreate -s -l 2 -n x slow/o {spare}")
        ok("snapset", task)
        with moving("o", good, SLOW, disk):
            # The snapshot is not moved: LVM extends, merges and removes it.
            assert predicted("snapset", merged("s"))["changed"]
            assert ok("snapset", absent("s"))["changed"]


def test_pvmove_of_a_store() -> None:
    with test_merging.slow_group() as disk, storage_of("slow") as (_good, spare):
        lvm.run("pvchange", "-q", "-xn", spare)
        task = present("s", "slow/o", size="20MiB")
        ok("snapset", task)
        lvm.run("pvchange", "-q", "-xy", spare)
        with moving("o_s", SLOW, spare, disk):
            refused_in_both_modes({**task, "size": "24MiB"}, "pvmove moves slow/o_s, and LVM has locked it")
            refused_in_both_modes(merged("s"), "pvmove moves slow/o_s, and LVM has locked it")
            refused_in_both_modes(absent("s"), "pvmove moves slow/o_s, and LVM has locked it")
            for check in (True, False):
                refused("rollback_timer", {"name": "s", "after": "1h"}, "pvmove moves slow/o_s", check=check)
            lvm_says("Can't resize locked logical volume slow/o_s", "lvextend -l +1 slow/o_s")
            lvm_says("invalid on LV with properties: lv_is_locked", "lvconvert -y -b --merge slow/o_s")
            lvm_says("Can't remove locked logical volume slow/o_s", "lvremove -y slow/o_s")
        ok("snapset", merged("s"))
        rolled_back("snapset", merged("s"))


def test_pvmove_of_a_pool() -> None:
    """LVM does not refuse: after its lvremove of a thin snapshot, other LVs that are moved too are suspended."""
    with test_merging.slow_group() as disk, storage_of("slow") as (good, _spare):
        lvm.run("lvremove", "-q", "-y", "slow/o")
        typed(f"lvcreate -q -y --type thin-pool -l 3 --poolmetadatasize 4m -n pool slow {good}")
        typed("lvcreate -q -y -V 12m --thinpool slow/pool -n t")
        ok("snapset", present("s", "slow/t", pool_reserve="0"))
        with moving("pool_tdata", good, SLOW, disk):
            for task in (present("x", "slow/t", pool_reserve="0"), merged("s"), absent("s")):
                refused_in_both_modes(task, "pvmove moves thin pool slow/pool, and LVM would stop other LVs")
        ok("snapset", merged("s"))
        rolled_back("snapset", merged("s"))


@contextmanager
def storage_of(vg: str) -> Iterator[tuple[str, str]]:
    """The first disk of a VG, and another one that is added to it."""
    (good,) = (row["pv_name"] for row in lvm.report("pvs", "pv_name", "-S", f"vg_name={vg}") if row["pv_name"] != SLOW)
    spare = storage.new_disk("spare", 64)
    lvm.run("vgextend", "-q", vg, spare)
    try:
        yield good, spare
    finally:
        storage.remove_disks(spare)


def test_duplicate_pvs(disks: list[str]) -> None:
    ok("snapset", present("s", "v/a", size="4MiB"))
    file = storage.BASE / "v0.disk"
    copy = storage.BASE / "copy.disk"
    lvm.run("cp", "--sparse=always", str(file), str(copy))
    device = lvm.run("losetup", "--find", "--show", str(copy)).strip()
    pattern = rf"VG v has a duplicate PV \(({device}|{disks[0]})\), and LVM changes no such VG"
    try:
        for task in (present("x", "v/other", size="4MiB"), present("s", "v/a", size="5MiB"), merged("s"), absent("s")):
            refused_in_both_modes(task, pattern, reads=2)
        assert re.search(pattern, str(ok("snapset_info", {})["warnings"]))
        lvm_says("with duplicate PV devices", "lvcreate -y -s -l 4 -n x v/a")
        lvm_says("with duplicate PV devices", "lvextend -l +1 v/a_s")
        lvm_says("with duplicate PV devices", "lvconvert -y -b --merge v/a_s")
        lvm_says("with duplicate PV devices", "lvremove -y v/a_s")
        lvm_says("with duplicate PV devices", "lvchange --addtag x v/a")
        lvm_says("PVs appear on duplicate devices", "lvchange -y -ay v/a")
        with lvm.settings("devices { allow_changes_with_duplicate_pvs = 1 }"):
            assert ok("snapset", absent("s"), check=True)["changed"]
            lvm.run("lvchange", "--addtag", "x", "v/a")
    finally:
        storage.remove_disks(device)
    ok("snapset", absent("s"))


def test_a_thin_pool_above_its_threshold() -> None:
    """The threshold of lvm.conf, or of the profile that is attached to the pool. LVM honours one below 50 too."""
    storage.write("v/t", 8)
    task = present("s", "v/t", pool_reserve="0")
    words = "free space in thin pool v/pool reached threshold"
    for percent, pattern in (
        (30, r"LVM creates nothing in it above 30% \(activation/thin_pool_autoextend_thr"),
        (70, ""),
    ):
        with lvm.settings(f"activation {{ thin_pool_autoextend_threshold = {percent} }}"):
            if pattern:
                refused_in_both_modes(task, pattern, reads=2)
                lvm_says(words, "lvcreate -s -n x v/t")
            else:
                assert ok("snapset", task, check=True)["reads"] == 2
    PROFILE.write_text("activation {\n\tthin_pool_autoextend_threshold=35\n\tthin_pool_autoextend_percent=20\n}\n")
    try:
        lvm.run("lvchange", "-q", "--metadataprofile", PROFILE.stem, "v/pool")
        refused_in_both_modes(task, "above 35%", reads=2)
        lvm_says(words, "lvcreate -s -n x v/t")
        lvm.run("lvchange", "-q", "--detachprofile", "v/pool")
    finally:
        PROFILE.unlink()
    assert ok("snapset", task)["changed"]


def test_the_number_of_lvs_is_limited() -> None:
    lvm.run("vgchange", "-q", "--logicalvolume", "5", "v")
    refused_in_both_modes(
        present("s", "v/a", "v/other", size="2MiB"), "VG v has 4 LVs and may have at most 5, but 2 more"
    )
    ok("snapset", present("s", "v/a", size="2MiB"))
    refused_in_both_modes(present("x", "v/t", pool_reserve="0"), "VG v has 5 LVs and may have at most 5, but 1 more")
    lvm_says(r"Maximum number of logical volumes \(5\) reached", "lvcreate -s -n x v/t")


def test_metadata_that_cannot_grow() -> None:
    number, free = 0, 10 * 4096
    while free >= 2 * 4096:
        tags = [f"{number + place}{'x' * 900}" for place in range(min(100, max(1, (free - 2 * 4096) // 950)))]
        lvm.run("lvchange", "-q", *(word for tag in tags for word in ("--addtag", tag)), "v/other")
        number += len(tags)
        free = int(lvm.report("vgs", "vg_mda_free", "v")[0]["vg_mda_free"])
    refused_in_both_modes(
        present("s", "v/a", "v/other", size="2MiB"), "bytes left for its metadata, but 8192 are needed for 2 more LVs"
    )
    more = " ".join(f"--addtag {place}{'y' * 1000}" for place in range(8))
    lvm_says("exceeds maximum metadata size", f"lvcreate -y -l 1 {more} -n x v")


def edit(old: str, new: str) -> None:
    """Replace ``old`` in the metadata of the VG v, once."""
    file = storage.BASE / "v.vg"
    lvm.run("vgcfgbackup", "-q", "-f", str(file), "v")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    lvm.run("vgcfgrestore", "-q", "--yes", "--force", "-f", str(file), "v")


def test_a_read_only_group() -> None:
    ok("snapset", present("s", "v/a", size="2MiB"))
    edit('status = ["RESIZEABLE", "READ", "WRITE"]', 'status = ["RESIZEABLE", "READ"]')
    for task in (present("x", "v/other"), merged("s"), absent("s")):
        refused_in_both_modes(task, "VG v is read-only, so LVM does not change it")
    assert "VG v is read-only" in str(ok("snapset_info", {})["warnings"])
    for command in ("lvcreate -y -s -l 2 -n x v/a", "lvremove -y v/a_s", "lvconvert -y -b --merge v/a_s"):
        lvm_says("Volume group v is read-only", command)


def test_a_type_that_lvm_does_not_know() -> None:
    lvm.run("lvremove", "-q", "-y", "v/other")
    lvm.run("lvcreate", "-q", "-an", "-y", "-l", "3", "-Zn", "--type", "zero", "-n", "strange", "v")
    ok("snapset", present("s", "v/a", size="2MiB"))
    edit('type = "zero"', 'type = "unheard"')
    for task in (present("x", "v/a", size="2MiB"), merged("s"), absent("s")):
        refused_in_both_modes(task, r"v/strange is of a type that this LVM does not know \(unheard\)", reads=2)
    for command in ("lvcreate -y -s -l 2 -n x v/a", "lvremove -y v/a_s", "lvconvert -y -b --merge v/a_s"):
        lvm_says("Cannot change VG v with unknown segments in it", command)


def test_a_member_that_has_a_thick_snapshot() -> None:
    """With --yes, LVM removes it too."""
    ok("snapset", present("s", "v/t", pool_reserve="0"))
    lvm.run("lvcreate", "-q", "-s", "-l", "4", "-n", "mine", "v/t_s")
    refused_in_both_modes(absent("s"), r"v/t_s has a thick snapshot \(v/mine\), which LVM would remove too")
    lvm.run("lvremove", "-q", "-y", "v/mine")
    ok("snapset", absent("s"))


def test_a_member_that_is_an_external_origin() -> None:
    """With --yes, LVM removes the thin volumes too."""
    ok("snapset", present("s", "v/t", pool_reserve="0"))
    typed("lvcreate -q -y --type thin-pool -L 8m --poolmetadatasize 2m -n second v")
    lvm.run("lvchange", "-q", "-pr", "v/t_s")
    lvm.run("lvcreate", "-q", "-y", "-s", "--thinpool", "v/second", "-n", "mine", "v/t_s")
    refused_in_both_modes(absent("s"), "v/t_s is the external origin of thin volumes, which LVM would remove too")
    refused_in_both_modes(merged("s"), "v/t_s is the external origin of thin volumes, so LVM does not merge it")
    lvm_says("lv_is_external_origin", "lvconvert -y -b --merge v/t_s")


def test_a_member_into_which_its_own_snapshot_is_to_be_merged() -> None:
    ok("snapset", present("s", "v/t", pool_reserve="0"))
    lvm.run("lvchange", "-q", "-ay", "-K", "v/t_s")
    lvm.run("lvcreate", "-q", "-s", "-n", "mine", "v/t_s")
    with open("/dev/v/t_s", "rb"):  # noqa: PTH123
        lvm.run("lvconvert", "-y", "--merge", "v/mine")
    lvm.run("lvchange", "-q", "-an", "v/t_s")
    refused_in_both_modes(merged("s"), "v/mine is to be merged into v/t_s, so LVM does not merge v/t_s")
    lvm_says("lv_is_merging_origin", "lvconvert -y -b --merge v/t_s")
