# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore device-mapper devices after LVM was killed. Private to this collection.

LVM suspends an origin for a moment while it adds, merges or removes a snapshot. If LVM is killed at that moment, the
origin stays suspended and every access to it waits forever. If it holds the root filesystem, the host hangs. So this
code starts no program and reads no file that could be on such an LV. It uses only sysfs and /dev/mapper/control.
"""

from __future__ import annotations

import fcntl
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.reading import dm_attribute, unless_gone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_BLOCK_DEVICES = Path("/sys/class/block")
_CONTROL = Path("/dev/mapper/control")
_LVM_UUID = b"LVM-"
# struct dm_ioctl and three commands from linux/dm-ioctl.h. DM_DEV_SUSPEND without DM_SUSPEND_FLAG resumes a device.
_DM_IOCTL = struct.Struct("=3I I I I i I I I Q 128s 129s 7s")
_DM_VERSION = (4, 0, 0)
_DM_DEV_REMOVE = 0xC138FD04
_DM_DEV_SUSPEND = 0xC138FD06
_DM_TABLE_CLEAR = 0xC138FD0A


@dataclass(frozen=True)
class Devices:
    """Kernel names (``dm-N``) of block devices: of all of them, and of the suspended LVM devices."""

    all: frozenset[str]
    suspended: frozenset[str]


def observe_devices() -> Devices:
    """Return the devices that exist now."""
    names = [device.name for device in _BLOCK_DEVICES.iterdir()]
    return Devices(all=frozenset(names), suspended=frozenset(filter(_is_suspended, names)))


def restore_devices(before: Devices, vgs: Collection[str]) -> list[str]:
    """Restore the devices of ``vgs`` to their state ``before``. Return the device-mapper names of the resumed ones.

    Suspended devices are resumed with the table that was active. Devices created since then are removed if unused.
    """
    now = observe_devices()
    resumed = list(_resume_all(now.suspended - before.suspended, vgs))
    _remove_unused([device for device in now.all - before.all if _belongs_to(device, vgs)])
    return resumed


def _resume_all(devices: Collection[str], vgs: Collection[str]) -> Iterator[str]:
    # Resume the underlying devices first.
    for device in devices:
        yield from _resume_all([slave for slave in _slaves(device) if slave in devices], vgs)
        if _is_suspended(device) and _belongs_to(device, vgs):
            name = _read(device, "name")
            with suppress(OSError):
                # Discard the table that LVM has loaded and not activated: it may use devices that are not ready, and
                # then every access fails (seen with LVM 2.03.31: I/O errors shut the filesystem down).
                _command(_DM_TABLE_CLEAR, name)
                _command(_DM_DEV_SUSPEND, name)
                yield name.decode()


def _remove_unused(devices: Collection[str]) -> None:
    # The kernel refuses to remove a device in use. So one round removes the top devices, the next those below them.
    for _round in devices:
        for device in devices:
            if name := _read(device, "name"):
                with suppress(OSError):
                    _command(_DM_DEV_REMOVE, name)


def _belongs_to(device: str, vgs: Collection[str]) -> bool:
    return _read(device, "uuid").startswith(_LVM_UUID) and any(_is_name_in(vg, _read(device, "name")) for vg in vgs)


def _is_name_in(vg: str, name: bytes) -> bool:
    # In device names LVM doubles each hyphen of the VG's name. A single hyphen ends the VG's name.
    start = vg.replace("-", "--").encode() + b"-"
    return name.startswith(start) and not name.startswith(start + b"-")


def _is_suspended(device: str) -> bool:
    return _read(device, "suspended") == b"1" and _read(device, "uuid").startswith(_LVM_UUID)


def _slaves(device: str) -> list[str]:
    directory = _BLOCK_DEVICES / device / "slaves"
    return unless_gone(lambda: [entry.name for entry in directory.iterdir()], [])


def _read(device: str, attribute: str) -> bytes:
    return dm_attribute(_BLOCK_DEVICES / device, attribute)


def _command(number: int, name: bytes) -> None:
    size = _DM_IOCTL.size
    request = _DM_IOCTL.pack(*_DM_VERSION, size, size, 0, 0, 0, 0, 0, 0, name, b"", b"")
    with _CONTROL.open("r+b", buffering=0) as control:
        fcntl.ioctl(control, number, request)
