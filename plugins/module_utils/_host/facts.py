# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the state of the host from /proc, /sys and /etc. Private to this collection.

The package ``_host`` knows everything about a host except LVM: kernel facts, mounts, programs, files, filesystems and
the host lock. It must not know LVM's commands, or what a snapset is.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .._host_model import BlockDevice, Host, Shutdown, Signature, is_network
from .._paths import (
    BOOT_MOUNTPOINTS,
    KEXEC_DISABLED,
    KEXEC_LIMIT,
    KEXEC_LOADED,
    LVM_ARCHIVE,
    NO_HIBERNATION,
    PREVIEW_MARK,
    SYSTEM_MOUNTPOINTS,
    SYSTEMD,
)
from .links import links_out_of, resolve
from .mounts import parse_fstab
from .packages import read_packages
from .process import find_tool
from .reading import dm_attribute, read, unless_gone
from .references import early_volumes, read_references, unescape_udev, words_of
from .table import read_table, wake_all, with_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .._host_model import DeviceNumber, MountTable

_PROC = Path("/proc")
_UDEV = "/run/udev/control"
_UDEV_NAMES = ("systemd-udevd", "udevd")
# LVM does not use a devices file that does not exist (lvmdevices(8)), or with use_devicesfile=0. Only lvmconfig could
# report the latter, so it is not checked.
_DEVICES_FILE = Path("/etc/lvm/devices/system.devices")
_EFI = Path("/sys/firmware/efi")
# ostree(1) creates it in the initramfs, also for bootc(8).
_OSTREE = Path("/run/ostree-booted")
_UDEV_DATA = Path("/run/udev/data")
# ext4 reports up to 4096 clusters as free that even root cannot use (ext4_calculate_resv_clusters, fs/ext4/super.c).
_ARCHIVE_ROOM = 32 * 1024 * 1024
_MACHINE_ID = "/etc/machine-id"
_APPLICATION = bytes.fromhex("f834d514fd884a08b63c96e48d1595c0")
_GRUB = Path("/etc/default/grub")
_OS_PROBER = re.compile(r"^\s*(?:export\s+)?GRUB_DISABLE_OS_PROBER=(\S+)", re.MULTILINE)
# Of 32. Only hosts that see the same VG must be distinct.
_HOST_ID_DIGITS = 16


def read_host(paths: Sequence[str] = ()) -> Host:
    """Return the current state of the host, without the kernels that it can boot.

    ``paths`` are what the plan depends on. Automounts on the way to them are made to mount their filesystem, so that it
    is not taken for missing. If one cannot, that takes about 30 s.
    """
    devices = MappingProxyType(dict(_block_devices(Path("/sys/class/block"))))
    lines = read("/etc/fstab").split("\n")
    remote = [entry.mountpoint for entry in parse_fstab(lines) if is_network(entry.fstype)]
    table = wake_all(paths, remote, lambda: read_table(devices))
    fstab = tuple(with_paths(parse_fstab(lines), table))
    words = words_of(read("/proc/cmdline"))
    return Host(
        now=int(time.time()),
        boot_id=read("/proc/sys/kernel/random/boot_id").strip(),
        host_id=_host_id(),
        # The same clock as /proc/uptime (proc_uptime(5)). It also counts the time during which the host is suspended.
        uptime=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        mounts=table.mounts,
        devices=devices,
        fstab=fstab,
        links=MappingProxyType(_links(table, (*SYSTEM_MOUNTPOINTS, *BOOT_MOUNTPOINTS, *paths))),
        references=tuple(read_references(fstab, words)),
        early_volumes=early_volumes(words),
        udev_runs=_udev_runs(),
        can_archive=_can_archive(),
        has_devices_file=_DEVICES_FILE.exists(),
        boots_by_efi=_EFI.exists(),
        has_ostree=_OSTREE.exists(),
        preview=_preview(),
        shutdown=_shutdown(),
        packages=read_packages(table),
        runs_os_prober=_runs_os_prober(),
    )


def _host_id() -> str:
    """A hash of the machine-id, which must not be shown itself (machine-id(5)); empty if it is not initialised.

    It is the beginning of what ``systemd-id128 machine-id --app-specific=`` prints: HMAC-SHA256 of the application ID
    with the machine-id as the key, as a UUID of version 4 (sd_id128_get_machine_app_specific,
    src/libsystemd/sd-id128/sd-id128.c of systemd 252).
    """
    try:
        machine = read(_MACHINE_ID)
    except OSError:
        # Who owns a set can be decided without it.
        return ""
    if not re.fullmatch(r"[0-9a-f]{32}\n?", machine) or not int(machine, 16):
        return ""
    digits = hmac.new(bytes.fromhex(machine), _APPLICATION, hashlib.sha256).hexdigest()
    return f"{digits[:12]}4{digits[13:]}"[:_HOST_ID_DIGITS]


def _shutdown() -> Shutdown:
    hibernation: Literal["", "allowed", "forbidden"] = (
        "forbidden" if NO_HIBERNATION.exists() else "allowed" if SYSTEMD.is_dir() else ""
    )
    if read(KEXEC_LOADED).strip() == "1":
        return Shutdown(hibernation, "loaded")
    allowed = read(KEXEC_DISABLED).strip() == "0" and read(KEXEC_LIMIT).strip() != "0"
    return Shutdown(hibernation, "allowed" if allowed else "")


def _runs_os_prober() -> bool:
    """Whether grub-mkconfig(8) runs os-prober: since GRUB 2.06 only if told so (util/grub.d/30_os-prober.in).

    It reads /etc/default/grub as a shell does, on Debian and Ubuntu also the files in grub.d.
    """
    # glob() yields nothing for a directory that does not exist.
    files = (_GRUB, *sorted(_GRUB.with_suffix(".d").glob("*.cfg")))
    values = [value for file in files for value in _OS_PROBER.findall(read(file))]
    return bool(values) and values[-1].strip("'\"") == "false" and find_tool("os-prober") is not None


def _preview() -> tuple[str, str] | None:
    name, _blank, set_id = read(f"{PREVIEW_MARK}/set").strip().partition(" ")
    return (name, set_id) if name else None


def _udev_runs() -> bool:
    """Whether udev runs, or LVM does not use it because its socket does not exist.

    LVM checks only the socket (udev_queue_get_udev_is_active of libudev). That is not enough: systemd holds the socket
    open also while udev does not run.
    """
    names = (read(comm).strip() for comm in _PROC.glob("[0-9]*/comm"))
    return not Path(_UDEV).exists() or any(name in _UDEV_NAMES for name in names)


def _can_archive() -> bool:
    """Whether LVM can write its metadata archive to the default directory; true if that and its parent are missing."""
    for directory in (LVM_ARCHIVE, LVM_ARCHIVE.parent):
        try:
            status = os.statvfs(directory)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        free = status.f_bfree * status.f_frsize
        full = free < _ARCHIVE_ROOM or (status.f_files > 0 and status.f_ffree == 0)
        return not full and not status.f_flag & os.ST_RDONLY
    return True


def _links(table: MountTable, paths: Iterable[str]) -> dict[str, str]:
    """Return the links among ``paths`` and in the directories that an upgrade changes, with what they lead to."""
    ends = ((path, resolve(table, path)) for path in paths)
    inside = links_out_of(table, (path for path in SYSTEM_MOUNTPOINTS if path != "/"))
    return {path: end for path, end in (*ends, *inside) if path != end}


def _block_devices(root: Path) -> Iterator[tuple[DeviceNumber, BlockDevice]]:
    for entry in sorted(root.iterdir()):
        number = _sysfs_number(entry)
        if number is not None:
            slaves = (_sysfs_number(slave) for slave in _entries(entry / "slaves"))
            yield (
                number,
                BlockDevice(
                    name=entry.name,
                    dm_name=_dm_text(entry, "name"),
                    dm_uuid=_dm_text(entry, "uuid"),
                    slaves=tuple(slave for slave in slaves if slave is not None),
                    holders=tuple(holder.name for holder in _entries(entry / "holders")),
                    signature=_signature(number),
                ),
            )


def _dm_text(device: Path, attribute: str) -> str:
    # Most devices are none of device-mapper.
    found = dm_attribute(device, attribute) if device.name.startswith("dm-") else b""
    return found.decode(errors="surrogateescape")


def _entries(directory: Path) -> list[Path]:
    return unless_gone(lambda: sorted(directory.iterdir()), [])


def _sysfs_number(entry: Path) -> DeviceNumber | None:
    major, colon, minor = read(entry / "dev").strip().partition(":")
    return (int(major), int(minor)) if colon else None


def _signature(number: DeviceNumber) -> Signature:
    """Return what udev has found on a device. Its database has a line E:KEY=VALUE for each property."""
    lines = read(_UDEV_DATA / f"b{number[0]}:{number[1]}").split("\n")
    found = dict(line[2:].partition("=")[::2] for line in lines if line.startswith("E:"))
    label = found.get("ID_FS_LABEL_ENC", found.get("ID_FS_LABEL", ""))
    return Signature(
        fstype=found.get("ID_FS_TYPE", ""),
        uuid=found.get("ID_FS_UUID", ""),
        label=unescape_udev(label),
        partition=found.get("ID_PART_ENTRY_TYPE", ""),
    )
