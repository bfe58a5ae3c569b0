# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host around LVM, read from /proc, /sys and /etc. Private to this collection.

The package ``_host`` knows what a host is besides LVM: what the kernel shows, mounts, programs, files, filesystems and
the host lock. It must not know LVM's commands, or what a snapset is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from .._model import BlockDevice, DeviceNumber, Host, Mount
from .._paths import LVM_ARCHIVE, PREVIEW_MARK
from .mounts import parse_fstab, parse_mountinfo, parse_swaps, root_argument
from .reading import read, unless_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")
_UDEV = "/run/udev/control"
_UDEV_NAMES = ("systemd-udevd", "udevd")
# Not used while it is not there (lvmdevices(8)), nor with use_devicesfile=0, which only lvmconfig would tell.
_DEVICES_FILE = Path("/etc/lvm/devices/system.devices")
# ext4 counts up to 4096 clusters as free that not even root gets (ext4_calculate_resv_clusters, fs/ext4/super.c).
_ARCHIVE_ROOM = 32 * 1024 * 1024


def read_host() -> Host:
    """The host as it is now, without what it boots with."""
    devices = dict(_block_devices(Path("/sys/class/block")))
    # Only a line feed ends a line: names may hold whatever else Unicode takes for a line's end or for a space.
    mounts = parse_mountinfo(read("/proc/self/mountinfo").split("\n"), devices)
    swaps = parse_swaps(read("/proc/swaps").split("\n"))
    return Host(
        now=int(time.time()),
        boot_id=read("/proc/sys/kernel/random/boot_id").strip(),
        # What /proc/uptime shows (proc_uptime(5)); it goes on while the host is suspended.
        uptime=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        mounts=tuple(_with_used(mount) for mount in mounts) + tuple(swaps),
        devices=MappingProxyType(devices),
        fstab=tuple(parse_fstab(read("/etc/fstab").split("\n"))),
        root_argument=root_argument(read("/proc/cmdline")),
        udev_runs=_udev_runs(),
        can_archive=_can_archive(),
        has_devices_file=_DEVICES_FILE.exists(),
        preview=_preview(),
    )


def _preview() -> tuple[str, str] | None:
    name, _blank, set_id = read(f"{PREVIEW_MARK}/set").strip().partition(" ")
    return (name, set_id) if name else None


def _udev_runs() -> bool:
    """Whether udev runs, or LVM does not count on it: there is no socket (udev_queue_get_udev_is_active of libudev).

    The socket itself would not tell: systemd listens at it for a udev that nobody may start.
    """
    names = (read(comm).strip() for comm in _PROC.glob("[0-9]*/comm"))
    return not Path(_UDEV).exists() or any(name in _UDEV_NAMES for name in names)


def _can_archive() -> bool:
    """Whether LVM can write copies of its metadata where it does by default; where nothing is, that is left to LVM."""
    for place in (LVM_ARCHIVE, LVM_ARCHIVE.parent):
        try:
            numbers = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        room = numbers.f_bfree * numbers.f_frsize
        full = room < _ARCHIVE_ROOM or (numbers.f_files > 0 and numbers.f_ffree == 0)
        return not full and not numbers.f_flag & os.ST_RDONLY
    return True


def _with_used(mount: Mount) -> Mount:
    try:
        numbers = os.statvfs(mount.mountpoint)
    except OSError:
        return mount
    used = (numbers.f_blocks - numbers.f_bfree) * numbers.f_frsize
    return Mount(mount.mountpoint, mount.source, mount.fstype, mount.device, used)


def _block_devices(root: Path) -> Iterator[tuple[DeviceNumber, BlockDevice]]:
    for entry in sorted(root.iterdir()):
        number = _sysfs_number(entry)
        if number is not None:
            slaves = (_sysfs_number(slave) for slave in _entries(entry / "slaves"))
            mapped = entry.name.startswith("dm-")
            yield (
                number,
                BlockDevice(
                    name=entry.name,
                    dm_name=read(entry / "dm" / "name").strip() if mapped else "",
                    dm_uuid=read(entry / "dm" / "uuid").strip() if mapped else "",
                    slaves=tuple(slave for slave in slaves if slave is not None),
                    holders=tuple(holder.name for holder in _entries(entry / "holders")),
                ),
            )


def _entries(directory: Path) -> list[Path]:
    return unless_gone(lambda: sorted(directory.iterdir()), [])


def _sysfs_number(entry: Path) -> DeviceNumber | None:
    major, colon, minor = read(entry / "dev").strip().partition(":")
    return (int(major), int(minor)) if colon else None
