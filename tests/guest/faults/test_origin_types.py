# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""For each type of origin: take a set, change it, roll back, compare every byte, take a set again, commit."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import (
    absent,
    merged,
    ok,
    predicted_and_done,
    present,
    refused,
    rolled_back,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ORIGIN = "types/o"
DEVICE = f"/dev/{ORIGIN}"
CRYPT = "safepoint-crypt"
LINEAR = "lvcreate -y -L 12m -n o types"
POOL = "lvcreate -y --type thin-pool -L 48m --poolmetadatasize 4m -n pool types"
# The commands with which an administrator creates each of them.
KINDS = {
    "linear": (LINEAR,),
    "striped": ("lvcreate -y --type striped -i 2 -L 12m -n o types",),
    "raid1": ("lvcreate -y --type raid1 -m 1 -L 12m -n o types",),
    "raid5": ("lvcreate -y --type raid5 -i 2 -L 12m -n o types",),
    "cache": (LINEAR, "lvcreate -y --type cache --cachemode writeback -L 8m -n fast types/o"),
    "writecache": (
        LINEAR,
        "lvcreate -y -L 8m -n fast types",
        "lvchange -an types/o types/fast",
        "lvconvert -y --type writecache --cachevol fast types/o",
        "lvchange -ay types/o",
    ),
    "thin": (POOL, "lvcreate -y -V 12m --thinpool types/pool -n o"),
    "thin with external origin": (
        POOL,
        "lvcreate -y -L 12m -n outside types",
        "dd if=/dev/urandom of=/dev/types/outside bs=1M count=12 conv=fsync",
        "lvchange -y -an -pr types/outside",
        "lvcreate -y -s --thinpool types/pool -n o types/outside",
    ),
    "with an inactive PV inside": (LINEAR, f"pvcreate -q --config devices{{scan_lvs=1}} {DEVICE}"),
}


@pytest.fixture(autouse=True)
def _types() -> Iterator[None]:
    """Create the VG types on three disks."""
    disks = [storage.new_disk(f"types{number}", 64) for number in range(3)]
    storage.new_group("types", *disks, extent="1m")
    yield
    storage.remove_disks(*disks)


def make(commands: Sequence[str]) -> None:
    for command in commands:
        lvm.run(*command.split())


@pytest.mark.parametrize("commands", KINDS.values(), ids=KINDS)
def test_whole_lifecycle(commands: Sequence[str]) -> None:
    make(commands)
    whole_lifecycle()


def test_vdo() -> None:
    if not any(Path("/lib/modules", os.uname().release).rglob("dm-vdo.ko*")):
        pytest.skip("this kernel has no VDO")
    # The smallest possible: an index of 256 MiB in memory has 2.5 GiB on the disk.
    smallest = (
        "vdo_slab_size_mb=128 vdo_index_memory_size_mb=256 vdo_use_deduplication=0 vdo_block_map_cache_size_mb=128"
    )
    disk = storage.new_disk("vdo", 6 * 1024)
    lvm.run("vgextend", "-q", "types", disk)
    create = ("lvcreate", "-y", "--type", "vdo", "-L", "5g", "-V", "12m", "-n", "o", "types/pool", disk)
    lvm.run(*create, "--config", f"allocation {{ {smallest} }}")
    try:
        # With one snapshot, LVM reports it as private and virtual. It can still have another one.
        for task in (present("one", ORIGIN), present("two", ORIGIN), absent("one"), absent("two")):
            assert ok("snapset", task)["changed"]
        whole_lifecycle()
    finally:
        storage.remove_disks(disk)


def whole_lifecycle() -> None:
    """Take, change, roll back, take again, change, commit."""
    storage.write(ORIGIN, 5, at=1)
    taken, names = storage.checksum(ORIGIN), lvm.names("types")
    predicted_and_done("snapset", present("s", ORIGIN), commands=4)
    storage.write(ORIGIN, 8, at=3)
    assert storage.checksum(ORIGIN) != taken
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksum(ORIGIN) == taken

    ok("snapset", present("t", ORIGIN))
    storage.write(ORIGIN, 8, at=3)
    changed = storage.checksum(ORIGIN)
    ok("snapset", absent("t"))
    assert storage.checksum(ORIGIN) == changed
    assert lvm.names("types") == names


@contextmanager
def unlocked() -> Iterator[None]:
    """Open the encrypted origin as a device temporarily."""
    lvm.run("cryptsetup", "open", "--key-file", "-", DEVICE, CRYPT, stdin="secret")
    try:
        yield
    finally:
        lvm.run("udevadm", "settle")
        lvm.run("cryptsetup", "close", CRYPT)
        lvm.run("udevadm", "settle")


def test_encrypted() -> None:
    """LUKS with a filesystem on the origin. It is selected by mountpoint, and in use when the merge is requested."""
    make(["lvcreate -y -L 28m -n o types"])
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    lvm.run("cryptsetup", "luksFormat", "-q", *quick, "--key-file", "-", DEVICE, stdin="secret")
    with unlocked():
        lvm.run("mkfs.ext4", "-q", f"/dev/mapper/{CRYPT}")
        with storage.mounted(f"mapper/{CRYPT}") as root:
            kept = os.urandom(storage.MIB)
            (root / "kept").write_bytes(kept)
    with unlocked(), storage.mounted(f"mapper/{CRYPT}") as root:
        task = {"name": "s", "mountpoints": [str(root)]}
        made = ok("snapset", task)["snapset"]["members"]
        assert [(member["origin"], member["mountpoints"]) for member in made] == [("o", [str(root)])]
        (root / "kept").unlink()
        (root / "later").write_bytes(os.urandom(storage.MIB))
        requested = ok("snapset", merged("s"))
        assert (states(requested)[0], requested["reboot_required"]) == ("merge_pending", True)
    rolled_back("snapset", merged("s"))
    with unlocked(), storage.mounted(f"mapper/{CRYPT}") as root:
        assert (root / "kept").read_bytes() == kept
        assert not (root / "later").exists()


@contextmanager
def swapping() -> Iterator[None]:
    """Use the origin as swap temporarily."""
    lvm.run("swapon", DEVICE)
    try:
        yield
    finally:
        lvm.run("swapoff", DEVICE)
        lvm.run("udevadm", "settle")


def test_swap() -> None:
    make([LINEAR])
    lvm.run("mkswap", "-L", "before", DEVICE)
    taken = storage.checksum(ORIGIN)
    with swapping():
        ok("snapset", present("s", ORIGIN))
    lvm.run("mkswap", "-L", "later", DEVICE)
    assert storage.checksum(ORIGIN) != taken
    with swapping():
        requested = ok("snapset", merged("s"))
        assert (states(requested)[0], requested["reboot_required"]) == ("merge_pending", True)
        refused("snapset", absent("s"), "types/o_s waits to be merged into types/o")
    rolled_back("snapset", merged("s"))
    assert storage.checksum(ORIGIN) == taken


def test_the_external_origin_has_no_snapshot_that_could_be_merged() -> None:
    """LVM reports a thin volume as a snapshot of its external origin, but cannot merge it."""
    make(KINDS["thin with external origin"])
    assert ok("snapset_info", {})["unmanaged_snapshots"] == []
    for state in ("present", "merged", "absent"):
        requested = {"vg": "types", "lv": "outside", "snapshot": "o", "state": state}
        refused("snapshot", requested, "types/o exists and is not a snapshot, so it is not touched")


@contextmanager
def stacked() -> Iterator[None]:
    """Create the VG inner on the origin, with LVM configured to scan LVs for PVs."""
    with lvm.settings("devices { scan_lvs = 1 }"):
        make([LINEAR])
        storage.new_group("inner", DEVICE, extent="1m")
        lvm.run("lvcreate", "-y", "-L", "4m", "-n", "x", "inner")
        yield


@pytest.mark.parametrize("active", [True, False], ids=["active", "inactive"])
def test_a_pv_on_the_origin(active: bool) -> None:  # noqa: FBT001
    """A thick snapshot would be a duplicate of the PV, and LVM would refuse to activate its VG again."""
    with stacked():
        if not active:
            lvm.run("vgchange", "-an", "inner")
        refused(
            "snapset",
            present("s", ORIGIN),
            "types/o is a PV of VG inner, .* duplicate of it, .*: protect the LVs of inner instead",
        )
        lvm.run("vgchange", "-ay", "inner")
        storage.write("inner/x", 4)
        taken = storage.checksum("inner/x")
        ok("snapset", present("s", "inner/x"))
        storage.write("inner/x", 2, at=1)
        ok("snapset", merged("s"))
        rolled_back("snapset", merged("s"))
        assert storage.checksum("inner/x") == taken
