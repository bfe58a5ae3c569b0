# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volumes of the tests: VGs on loop devices with sparse files in memory, and how they are restored.

===== ======================================================================================
thick origins a (40 MiB, ext4), a_x (12 MiB), b (40 MiB), c (20 MiB)
other an origin with the same name: a (40 MiB)
thin  a pool (120 MiB) with t1 (40 MiB, ext4) and t2 (40 MiB), and z (12 MiB, linear)
===== ======================================================================================
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import lvm

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = Path("/run/safepoint-guest")
MIB = 1024**2
EXTENT = 4 * MIB
SIZES = {"thick": 480, "other": 160, "thin": 320}
VOLUMES = {
    "thick/a": 40,
    "thick/a_x": 12,
    "thick/b": 40,
    "thick/c": 20,
    "other/a": 40,
    "thin/pool": 120,
    "thin/t1": 40,
    "thin/t2": 40,
    "thin/z": 12,
}
FILESYSTEMS = ("thick/a", "thin/t1")
# Otherwise udev would scan a disk again whenever LVM closes it after writing, each time with another LVM process.
_UDEV_RULE = Path("/run/udev/rules.d/99-safepoint-guest.rules")
_UNWATCHED = 'KERNEL=="loop*", OPTIONS+="nowatch"\n'
_SEQNO = re.compile(rb"seqno = (\d+)")
# LVM writes its metadata into the first MiB of a PV, one version after another.
_METADATA_AREA = MIB
_BLOCK = 64 * 1024
# How long to wait for systemd, in seconds.
_PATIENCE = 30


def set_up() -> None:
    """Create the volumes. What an earlier run left is removed first."""
    tear_down()
    BASE.mkdir(parents=True)
    lvm.run("mount", "-t", "tmpfs", "-o", "size=75%,mode=700", "safepoint-guest", str(BASE))
    _UDEV_RULE.parent.mkdir(parents=True, exist_ok=True)
    _UDEV_RULE.write_text(_UNWATCHED)
    lvm.run("udevadm", "control", "--reload")
    for vg, size in SIZES.items():
        new_group(vg, new_disk(vg, size))
    for name in VOLUMES:
        _make(name)
    for name in FILESYSTEMS:
        # Initialise everything now: if the kernel did it later in the background, it would fill COW stores.
        whole = "lazy_itable_init=0,lazy_journal_init=0"
        lvm.run("mkfs.ext4", "-q", "-E", whole, "-L", name.replace("/", "-"), f"/dev/{name}")


def new_group(vg: str, *disks: str, extent: str = "4m") -> None:
    """Create a VG that is never activated by events."""
    lvm.run("vgcreate", "-q", "--setautoactivation", "n", "--physicalextentsize", extent, vg, *disks)


def _make(name: str) -> None:
    vg, lv = name.split("/")
    size = f"{VOLUMES[name]}m"
    if lv == "pool":
        lvm.run("lvcreate", "-y", "-q", "--type", "thin-pool", "-L", size, "--poolmetadatasize", "4m", "-n", lv, vg)
    elif lv.startswith("t"):
        lvm.run("lvcreate", "-y", "-q", "-V", size, "--thinpool", f"{vg}/pool", "-n", lv)
    else:
        lvm.run("lvcreate", "-y", "-q", "-L", size, "-n", lv, vg)


def new_disk(name: str, size: int) -> str:
    """Create a loop device of ``size`` MiB with a sparse file. Return the path of the device."""
    file = BASE / f"{name}.disk"
    with file.open("wb") as disk:
        disk.truncate(size * MIB)
    return lvm.run("losetup", "--find", "--show", str(file)).strip()


@contextmanager
def suspended_device(*, filesystem: bool = False) -> Iterator[None]:
    """A device that answers no more, with a PV, or with a mounted filesystem that has something to write."""
    disk = new_disk("stuck", 40)
    lvm.run("dmsetup", "create", "stuck", "--table", f"0 {40 * 2048} linear {disk} 0")
    try:
        if filesystem:
            lvm.run("mkfs.ext4", "-q", "/dev/mapper/stuck")
            place = BASE / "mnt" / "stuck"
            place.mkdir(parents=True, exist_ok=True)
            lvm.run("mount", "/dev/mapper/stuck", str(place))
            (place / "file").write_bytes(b"x" * MIB)
        else:
            lvm.run("pvcreate", "-q", "/dev/mapper/stuck")
        lvm.run("dmsetup", "suspend", "--noflush", "--nolockfs", "stuck")
        try:
            yield
        finally:
            lvm.run("dmsetup", "resume", "stuck")
    finally:
        unmount_all()
        lvm.run("dmsetup", "remove", "--retry", "stuck")
        remove_disks(disk)


def remove_disks(*devices: str) -> None:
    """Detach loop devices that a test created, whatever is on them, and delete their files."""
    for device in devices:
        _wait_until_systemd_has_noticed(device)
        _remove_holders(Path(device).name)
        file = lvm.run("losetup", "--noheadings", "--output", "BACK-FILE", device).strip()
        lvm.run("losetup", "--detach", device)
        Path(file).unlink()


def _wait_until_systemd_has_noticed(device: str) -> None:
    """Wait until systemd knows no mount of a device.

    It reads /proc/self/mountinfo a little after we unmount. If a device that it still considers mounted is removed, it
    unmounts whatever is at that mountpoint now, for example the real /boot of the guest.
    """
    end = time.monotonic() + _PATIENCE
    while device in lvm.run("systemctl", "show", "--property=What", "--value", "*.mount").split():
        assert time.monotonic() < end, f"systemd considers {device} still mounted after {_PATIENCE} s"
        time.sleep(0.05)


def tear_down() -> None:
    """Remove everything: mounts, device-mapper devices, loop devices, files. A device in use is an error."""
    unmount_all()
    devices = [line.split() for line in lvm.run("losetup", "--noheadings", "--output", "NAME,BACK-FILE").splitlines()]
    ours = [name for name, file, *_rest in devices if Path(file).is_relative_to(BASE)]
    for device in ours:
        _remove_holders(Path(device).name)
        lvm.run("losetup", "--detach", device)
    if BASE.is_mount():
        lvm.run("umount", str(BASE))
    shutil.rmtree(BASE, ignore_errors=True)
    _UDEV_RULE.unlink(missing_ok=True)
    lvm.run("udevadm", "control", "--reload")


def _remove_holders(device: str) -> None:
    for holder in sorted((Path("/sys/class/block") / device / "holders").iterdir()):
        with suppress(FileNotFoundError):
            _remove_holders(holder.name)
            name = (holder / "dm" / "name").read_text().strip()
            lvm.run("dmsetup", "remove", "--retry", "--force", name)


def unmount_all() -> None:
    """Unmount everything below the mount directory of the tests."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in reversed(points):
        if point.startswith(f"{BASE}/mnt/"):
            lvm.run("umount", point)


@contextmanager
def mounted(name: str, *options: str, at: str = "") -> Iterator[Path]:
    """Mount the LV ``name`` (VG/LV) and yield the mountpoint. A test may unmount it earlier."""
    point = BASE / "mnt" / (at or name.replace("/", "-"))
    point.mkdir(parents=True, exist_ok=True)
    lvm.run("mount", *options, f"/dev/{name}", str(point))
    try:
        yield point
    finally:
        if point.is_mount():
            lvm.run("umount", str(point))


def write(name: str, mib: float, *, at: float = 0) -> None:
    """Write ``mib`` MiB of random bytes to the LV ``name`` (VG/LV) from ``at`` MiB on, and sync it."""
    with open(f"/dev/{name}", "r+b", buffering=0) as device:  # noqa: PTH123
        device.seek(int(at * MIB))
        size = int(mib * MIB)
        device.writelines(os.urandom(min(_BLOCK, size - start)) for start in range(0, size, _BLOCK))
    lvm.run("sync", f"/dev/{name}")


def checksum(name: str) -> str:
    """The SHA-256 of the content of the LV ``name`` (VG/LV), read from its disks, not from the cache."""
    lvm.run("blockdev", "--flushbufs", f"/dev/{name}")
    return hashlib.sha256(Path("/dev", name).read_bytes()).hexdigest()


def checksums(*names: str) -> list[str]:
    """The checksums of the LVs ``names`` (VG/LV), in this order."""
    return [checksum(name) for name in names]


def visible() -> set[str]:
    """All visible LVs in the VGs of the tests, as VG/LV."""
    return {f"{vg}/{name}" for vg in SIZES for name in lvm.names(vg)}


def extra_volumes() -> set[str]:
    """All visible LVs in the VGs of the tests, except the usual ones, as VG/LV."""
    return visible() - set(VOLUMES)


def fill_metadata(pool: str, devices: int) -> None:
    """Add devices to the metadata of the thin pool VG/LV. LVM does not know them, and ignores them.

    Each has one mapping, to the first block of the pool, and uses one block of metadata. The VG is inactive afterwards.
    """
    vg, name = pool.split("/")
    lvm.run("lvchange", "-q", "-an", vg)
    size = lvm.lv(f"{pool}_tmeta", "lv_size")["lv_size"]
    lvm.run("lvcreate", "-q", "-y", "-L", f"{size}b", "-n", "filled", vg)
    lvm.run("lvchange", "-q", "-y", "-ay", f"{pool}_tmeta")
    text = lvm.run("thin_dump", f"/dev/{pool}_tmeta")
    lvm.run("lvchange", "-q", "-an", f"{pool}_tmeta")
    one = '<device dev_id="{}" mapped_blocks="1" transaction="0" creation_time="0" snap_time="0">'
    one += '<single_mapping origin_block="0" data_block="0" time="0"/></device>'
    more = "".join(one.format(number) for number in range(1000, 1000 + devices))
    source = BASE / f"{name}.xml"
    source.write_text(text.replace("</superblock>", f"{more}</superblock>"))
    lvm.run("lvchange", "-q", "-ay", f"{vg}/filled")
    lvm.run("thin_restore", "-q", "-i", str(source), "-o", f"/dev/{vg}/filled")
    lvm.run("lvconvert", "-q", "-y", "--thinpool", pool, "--poolmetadata", f"{vg}/filled")
    lvm.run("lvremove", "-q", "-y", f"{vg}/filled")


def seqnos() -> dict[str, int]:
    """How often LVM has written the metadata of each disk, read from the disk itself without LVM."""
    return {file.name: _seqno(file) for file in sorted(BASE.glob("*.disk"))}


def _seqno(file: Path) -> int:
    with file.open("rb") as disk:
        return max((int(number) for number in _SEQNO.findall(disk.read(_METADATA_AREA))), default=0)


class Keeper:
    """Restores the volumes to their first state if a test has changed anything."""

    def __init__(self) -> None:
        self._clean = seqnos()

    def restore(self) -> None:
        """Remove other LVs and all tags, and activate everything."""
        unmount_all()
        if seqnos() == self._clean and _all_active():
            return
        rows = lvm.report("lvs", "lv_full_name,lv_name,lv_role,origin,lv_tags,lv_merging,lv_layout", "-a", *SIZES)
        origins = {
            f"{row['lv_full_name'].split('/')[0]}/{row['origin']}"
            for row in rows
            if row["lv_merging"] and row["origin"]
        }
        for origin in sorted(origins):
            _end_merge(origin)
        if origins:
            rows = lvm.report("lvs", "lv_full_name,lv_name,lv_role,origin,lv_tags,lv_merging,lv_layout", "-a", *SIZES)
        extra = [
            row["lv_full_name"]
            for row in rows
            if "private" not in row["lv_role"] and row["lv_full_name"] not in VOLUMES
        ]
        if extra:
            lvm.run("lvremove", "-y", "-q", *extra)
        tagged = [row for row in rows if row["lv_full_name"] in VOLUMES and row["lv_tags"]]
        for row in tagged:
            words = [word for tag in row["lv_tags"].split(",") for word in ("--deltag", tag)]
            lvm.run("lvchange", "-q", *words, row["lv_full_name"])
        if not _all_active():
            lvm.run("vgchange", "-q", "-ay", *SIZES)
        self._clean = seqnos()


def _all_active() -> bool:
    return all(Path("/dev", name).exists() for name in VOLUMES if name != "thin/pool")


def _end_merge(origin: str) -> None:
    # While its origin is inactive, a pending or merging thick snapshot can be removed, which cancels the merge.
    lvm.run("lvchange", "-y", "-an", origin)
    vg, name = origin.split("/")
    rows = lvm.report("lvs", "lv_full_name,origin,lv_merging,segtype", "-a", vg)
    merging = [row for row in rows if row["origin"] == name and row["lv_merging"]]
    for row in merging:
        if row["segtype"] != "thin":
            lvm.run("lvremove", "-y", row["lv_full_name"])
    lvm.run("lvchange", "-y", "-ay", "--poll", "y", origin)
