# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM refuses is refused before anything is changed: check mode says so, and LVM itself says so in these words.

Each rule of plugins/module_utils/_snapset/lvm_rules.py has a test here or in test_groups.py.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, merged, ok, predicted, present, refused, rolled_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calls import Arguments

PROFILE = lvm.CONFIGURATION / "profile" / "safepoint-guest.profile"


@pytest.fixture(autouse=True)
def disks() -> Iterator[list[str]]:
    """The VG v on three disks: the LVs a and other, and t in the thin pool; all are on the first disk."""
    found = [storage.new_disk(f"v{number}", 96) for number in range(3)]
    lvm.run("vgcreate", "-q", "--setautoactivation", "n", "-s", "1m", "--metadatasize", "64k", "v", *found)
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "a", "v", found[0])
    lvm.run(*"lvcreate -q -y --type thin-pool -L 20m --poolmetadatasize 2m -n pool v".split(), found[0])
    lvm.run(*"lvcreate -q -y -V 12m --thinpool v/pool -n t".split())
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "other", "v", found[0])
    yield found
    storage.remove_disks(*found)


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
def moving(name: str, source: str, target: str) -> Iterator[None]:
    """Let pvmove move an LV, and nobody poll it, so that it never ends."""
    lvm.run("pvmove", "-b", "-i", "600", "-n", name, source, target)
    assert any(row["lv_allocation_locked"] for row in lvm.report("lvs", "lv_allocation_locked", "-a", "v"))
    try:
        yield
    finally:
        lvm.run("pvmove", "--abort", source)


def test_pvmove_of_an_origin(disks: list[str]) -> None:
    task = present("s", "v/a", size="4MiB")
    with moving("a", disks[0], disks[1]):
        refused_in_both_modes(task, "pvmove moves v/a, and LVM has locked it: wait until that ends")
        lvm_says("Snapshots of locked volumes are not supported", "lvcreate -s -l 4 -n x v/a")
    ok("snapset", task)
    with moving("a", disks[0], disks[1]):
        # The snapshot is not moved: LVM extends, merges and removes it.
        assert predicted("snapset", merged("s"))["changed"]
        ok("snapset", {**task, "size": "5MiB"})
        ok("snapset", absent("s"))


def test_pvmove_of_a_store(disks: list[str]) -> None:
    task = present("s", "v/a", size="4MiB")
    ok("snapset", task)
    (store,) = lvm.report("lvs", "devices", "v/a_s")
    source = store["devices"].partition("(")[0]
    (target,) = (disk for disk in disks[1:2] if disk != source) if source != disks[1] else (disks[2],)
    with moving("a_s", source, target):
        refused_in_both_modes({**task, "size": "6MiB"}, "pvmove moves v/a_s, and LVM has locked it")
        refused_in_both_modes(merged("s"), "pvmove moves v/a_s, and LVM has locked it")
        refused_in_both_modes(absent("s"), "pvmove moves v/a_s, and LVM has locked it")
        lvm_says("Can't resize locked logical volume v/a_s", "lvextend -l +1 v/a_s")
        lvm_says("invalid on LV with properties: lv_is_locked", "lvconvert -y -b --merge v/a_s")
        lvm_says("Can't remove locked logical volume v/a_s", "lvremove -y v/a_s")
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))


def test_pvmove_of_a_pool(disks: list[str]) -> None:
    """LVM does not refuse: after its lvremove of a thin snapshot, v/other is suspended."""
    ok("snapset", present("s", "v/t", pool_reserve="0"))
    with moving("pool_tdata", disks[0], disks[1]):
        for task in (present("x", "v/t", pool_reserve="0"), merged("s"), absent("s")):
            refused_in_both_modes(task, "pvmove moves thin pool v/pool, and LVM would stop other LVs")
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))


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
    number, most = 0, 1000
    while int(lvm.report("vgs", "vg_mda_free", "v")[0]["vg_mda_free"]) >= 2 * 4096:
        lvm.run("lvchange", "-q", "--addtag", f"{number}{'x' * 900}", "v/other")
        number += 1
        assert number < most
    task = present("s", "v/a", "v/other", size="2MiB")
    refused_in_both_modes(task, "bytes left for its metadata, but 8192 are needed for 2 more LVs")
    words = f"--addtag {'y' * 900} --addtag {'z' * 900} --addtag {'1' * 900} --addtag {'2' * 900}"
    for more in range(9):
        if "lvcreate" in (lvm_fails := _said(f"lvcreate -y -l 1 {words} -n x{more} v")):
            continue
        assert "too large for circular buffer" in lvm_fails
        break
    else:
        pytest.fail("LVM has written everything")


def _said(command: str) -> str:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False, env=lvm.ENVIRONMENT)
    return done.stderr if done.returncode else "lvcreate succeeded"


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
        refused_in_both_modes(task, r"v/strange is of a type that this LVM does not know \(unheard\)")
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
    lvm.run(*"lvcreate -q -y --type thin-pool -L 8m --poolmetadatasize 2m -n second v".split())
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
    refused_in_both_modes(merged("s"), "v/mine is to be merged into v/t_s, and before that LVM does not merge v/t_s")
    lvm_says("lv_is_merging_origin", "lvconvert -y -b --merge v/t_s")
    lvm.run("lvchange", "-ay", "-K", "v/t_s")
    lvm.run("lvchange", "-an", "v/t_s")
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
