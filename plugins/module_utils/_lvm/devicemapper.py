# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The devices of device-mapper, brought back to how they were without LVM. Private to this collection.

LVM suspends an origin for a moment while it adds, merges or removes a snapshot. Killed in that moment it leaves the
origin suspended, and whatever touches it waits for ever: of the root filesystem that is the end of the host. So nothing
here starts a program or reads a file that may lie on such a volume: only sysfs and /dev/mapper/control.
"""

from __future__ import annotations

import fcntl
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.reading import unless_gone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_BLOCK_DEVICES = Path("/sys/class/block")
_CONTROL = Path("/dev/mapper/control")
_LVM_UUID = b"LVM-"
# struct dm_ioctl and three commands of linux/dm-ioctl.h; DM_DEV_SUSPEND without the flag DM_SUSPEND_FLAG resumes.
_DM_IOCTL = struct.Struct("=3I I I I i I I I Q 128s 129s 7s")
_DM_VERSION = (4, 0, 0)
_DM_DEV_REMOVE = 0xC138FD04
_DM_DEV_SUSPEND = 0xC138FD06
_DM_TABLE_CLEAR = 0xC138FD0A


@dataclass(frozen=True)
class Devices:
    """The kernel's names (``dm-N``) of all devices, and of those of LVM that are suspended."""

    all: frozenset[str]
    suspended: frozenset[str]


def observe_devices() -> Devices:
    """The devices that there are now."""
    names = [device.name for device in _BLOCK_DEVICES.iterdir()]
    return Devices(all=frozenset(names), suspended=frozenset(filter(_is_suspended, names)))


def restore_devices(before: Devices, vgs: Collection[str]) -> list[str]:
    """Bring the devices of ``vgs`` back to how they were ``before``; the names of those that are resumed.

    What is suspended is resumed with the table that it had, and what was made since and nobody uses is removed.
    """
    now = observe_devices()
    resumed = list(_resume_all(now.suspended - before.suspended, vgs))
    _remove_unused([device for device in now.all - before.all if _is_of(device, vgs)])
    return resumed


def _resume_all(devices: Collection[str], vgs: Collection[str]) -> Iterator[str]:
    # What they lie on first.
    for device in devices:
        yield from _resume_all([below for below in _below(device) if below in devices], vgs)
        if _is_suspended(device) and _is_of(device, vgs):
            name = _read(device, "name")
            with suppress(OSError):
                # Back to the table that it had: the one that LVM has prepared may lie on devices that it has not begun
                # to use, and all access would fail (seen with LVM 2.03.31: I/O errors took the filesystem down).
                _command(_DM_TABLE_CLEAR, name)
                _command(_DM_DEV_SUSPEND, name)
                yield name.decode()


def _remove_unused(devices: Collection[str]) -> None:
    # The kernel refuses to remove what is in use; what lies on a device is gone only after the first rounds.
    for _round in devices:
        for device in devices:
            if name := _read(device, "name"):
                with suppress(OSError):
                    _command(_DM_DEV_REMOVE, name)


def _is_of(device: str, vgs: Collection[str]) -> bool:
    return _read(device, "uuid").startswith(_LVM_UUID) and any(_is_in(vg, _read(device, "name")) for vg in vgs)


def _is_in(vg: str, name: bytes) -> bool:
    # LVM doubles the hyphens of a VG's name: a single one ends it.
    start = vg.replace("-", "--").encode() + b"-"
    return name.startswith(start) and not name.startswith(start + b"-")


def _is_suspended(device: str) -> bool:
    return _read(device, "suspended") == b"1" and _read(device, "uuid").startswith(_LVM_UUID)


def _below(device: str) -> list[str]:
    with suppress(FileNotFoundError):
        return [entry.name for entry in (_BLOCK_DEVICES / device / "slaves").iterdir()]
    return []


def _read(device: str, attribute: str) -> bytes:
    """What device-mapper tells of a device in sysfs; nothing when there is no such device, or it is another's."""
    place = _BLOCK_DEVICES / device / "dm" / attribute
    return unless_gone(place.read_bytes, b"").rstrip(b"\n")


def _command(number: int, name: bytes) -> None:
    size = _DM_IOCTL.size
    request = _DM_IOCTL.pack(*_DM_VERSION, size, size, 0, 0, 0, 0, 0, 0, name, b"", b"")
    with _CONTROL.open("r+b", buffering=0) as control:
        fcntl.ioctl(control, number, request)
