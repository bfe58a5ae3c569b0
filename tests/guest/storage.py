# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volumes that the tests work on: VGs on loop devices over sparse files in memory, and their way back to clean.

===== ======================================================================================
thick origins a (40 MiB, ext4), a_x (12 MiB), b (40 MiB), c (20 MiB)
other an origin of the same name: a (40 MiB)
thin  a pool (120 MiB) with t1 (40 MiB, ext4) and t2 (40 MiB), beside it z (12 MiB, linear)
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
# Whenever LVM closes a disk that it wrote to, udev would look at it anew, with one more process of LVM each time.
_UDEV_RULE = Path("/run/udev/rules.d/99-safepoint-guest.rules")
_UNWATCHED = 'KERNEL=="loop*", OPTIONS+="nowatch"\n'
_SEQNO = re.compile(rb"seqno = (\d+)")
# LVM writes its metadata into the first MiB of a PV, one version after the other.
_METADATA_AREA = MIB
_BLOCK = 64 * 1024
# Of systemd, in seconds.
_PATIENCE = 30


def set_up() -> None:
    """Make the volumes; whatever an earlier run left goes first."""
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
        # Written whole at once: what the kernel would do later in the background would fill stores.
        whole = "lazy_itable_init=0,lazy_journal_init=0"
        lvm.run("mkfs.ext4", "-q", "-E", whole, "-L", name.replace("/", "-"), f"/dev/{name}")


def new_group(vg: str, *disks: str, extent: str = "4m") -> None:
    """A VG that no event activates behind the tests' back."""
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
    """A loop device of ``size`` MiB over a sparse file; the device's path."""
    file = BASE / f"{name}.disk"
    with file.open("wb") as disk:
        disk.truncate(size * MIB)
    return lvm.run("losetup", "--find", "--show", str(file)).strip()


def remove_disks(*devices: str) -> None:
    """Detach loop devices that a test made, whatever lies on them, and delete their files."""
    for device in devices:
        _wait_until_systemd_has_noticed(device)
        _remove_holders(Path(device).name)
        file = lvm.run("losetup", "--noheadings", "--output", "BACK-FILE", device).strip()
        lvm.run("losetup", "--detach", device)
        Path(file).unlink()


def _wait_until_systemd_has_noticed(device: str) -> None:
    """Wait until systemd knows of no mount of a device.

    It reads /proc/self/mountinfo a little later than we unmount. When a device goes that it still takes for mounted, it
    unmounts whatever is at that mountpoint by then, such as the guest's own /boot.
    """
    end = time.monotonic() + _PATIENCE
    while device in lvm.run("systemctl", "show", "--property=What", "--value", "*.mount").split():
        assert time.monotonic() < end, f"for systemd {device} is still mounted after {_PATIENCE} s"
        time.sleep(0.05)


def tear_down() -> None:
    """Take everything away: mounts, device-mapper devices, loop devices, files. A device in use is an error."""
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
    """Unmount whatever a test has mounted below the tests' directory."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in reversed(points):
        if point.startswith(f"{BASE}/mnt/"):
            lvm.run("umount", point)


@contextmanager
def mounted(name: str, *options: str, at: str = "") -> Iterator[Path]:
    """Mount the LV ``name`` (VG/LV); yields where. A test may unmount it earlier."""
    point = BASE / "mnt" / (at or name.replace("/", "-"))
    point.mkdir(parents=True, exist_ok=True)
    lvm.run("mount", *options, f"/dev/{name}", str(point))
    try:
        yield point
    finally:
        if point.is_mount():
            lvm.run("umount", str(point))


def write(name: str, mib: float, *, at: float = 0) -> None:
    """Write ``mib`` MiB of random bytes to the LV ``name`` (VG/LV), beginning ``at`` MiB; on disk when done."""
    with open(f"/dev/{name}", "r+b", buffering=0) as device:  # noqa: PTH123
        device.seek(int(at * MIB))
        size = int(mib * MIB)
        device.writelines(os.urandom(min(_BLOCK, size - start)) for start in range(0, size, _BLOCK))
    lvm.run("sync", f"/dev/{name}")


def checksum(name: str) -> str:
    """The SHA-256 of all that is on the LV ``name`` (VG/LV), read from its disks and not from memory."""
    lvm.run("blockdev", "--flushbufs", f"/dev/{name}")
    return hashlib.sha256(Path("/dev", name).read_bytes()).hexdigest()


def checksums(*names: str) -> list[str]:
    """The checksum of each of the LVs ``names`` (VG/LV), in their order."""
    return [checksum(name) for name in names]


def visible() -> set[str]:
    """Every visible LV of the tests' VGs, as VG/LV."""
    return {f"{vg}/{name}" for vg in SIZES for name in lvm.names(vg)}


def fill_metadata(pool: str, devices: int) -> None:
    """Give the metadata of the thin pool VG/LV so many devices more, of which LVM knows nothing and does not mind.

    Each has one mapping, to the pool's first block, and takes one block of the metadata. The VG is inactive then.
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
    """How often LVM has written the metadata of each disk, read from the disk itself: no process, no lock."""
    return {file.name: _seqno(file) for file in sorted(BASE.glob("*.disk"))}


def _seqno(file: Path) -> int:
    with file.open("rb") as disk:
        return max((int(number) for number in _SEQNO.findall(disk.read(_METADATA_AREA))), default=0)


class Keeper:
    """Brings the volumes back to how they were made, if a test changed anything."""

    def __init__(self) -> None:
        self._clean = seqnos()

    def restore(self) -> None:
        """Remove what is not ours, forget outcomes, activate everything."""
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
    # Closed and inactive, a thick snapshot that waits or merges can be removed, which cancels it.
    lvm.run("lvchange", "-y", "-an", origin)
    vg, name = origin.split("/")
    rows = lvm.report("lvs", "lv_full_name,origin,lv_merging,segtype", "-a", vg)
    merging = [row for row in rows if row["origin"] == name and row["lv_merging"]]
    for row in merging:
        if row["segtype"] != "thin":
            lvm.run("lvremove", "-y", row["lv_full_name"])
    lvm.run("lvchange", "-y", "-ay", "--poll", "y", origin)
