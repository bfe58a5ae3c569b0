# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mounted, and what is to be: mountinfo, swaps, fstab and the kernel's root=. Private to this collection."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._model import SWAP, DeviceNumber, FstabEntry, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BY_UUID = Path("/dev/disk/by-uuid")
_LINKS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}
_BLANKS = re.compile(r"[ \t]+")
_OCTAL = re.compile(r"\\([0-7]{3})")


def parse_mountinfo(lines: Iterable[str], devices: Iterable[DeviceNumber]) -> Iterator[Mount]:
    """The mounted block filesystems of /proc/self/mountinfo (proc_pid_mountinfo(5)), in its order.

    A filesystem with a device number of its own making (btrfs) is told by its source when that is a block device.
    """
    known = set(devices)
    for line in filter(None, lines):
        fields, _separator, rest = line.partition(" - ")
        words, (fstype, source, *_options) = fields.split(" "), rest.split(" ")
        major, _colon, minor = words[2].partition(":")
        number: DeviceNumber | None = (int(major), int(minor))
        if number not in known:
            number = _device_number(_unescape(source)) if source.startswith("/dev/") else None
        if number is not None:
            yield Mount(mountpoint=_unescape(words[4]), source=_unescape(source), fstype=fstype, device=number)


def parse_swaps(lines: Iterable[str]) -> Iterator[Mount]:
    """The active swap areas on block devices of /proc/swaps (proc_swaps(5)); swap files belong to their filesystem."""
    for line in lines:
        words = _BLANKS.split(line)
        if len(words) > 1 and words[1] == "partition":
            number = _device_number(_unescape(words[0]))
            if number is not None:
                yield Mount(mountpoint=SWAP, source=_unescape(words[0]), fstype="swap", device=number)


def parse_fstab(lines: Iterable[str]) -> Iterator[FstabEntry]:
    """The entries of an fstab(5); swap entries have ``[SWAP]`` as their mountpoint."""
    for line in lines:
        words = _BLANKS.split(line.strip(" \t"))
        spec, mountpoint, fstype, *_options = [_unescape(word) for word in words] + [""] * 3
        if fstype and not spec.startswith("#"):
            mountpoint = SWAP if fstype == "swap" else mountpoint
            yield FstabEntry(spec=spec, mountpoint=mountpoint, device=_device_number(_path_of(spec)))


def root_argument(cmdline: str) -> str:
    """What a kernel command line gives as root=; the last one counts (bootparam(7))."""
    values = [word[len("root=") :] for word in cmdline.split() if word.startswith("root=")]
    return values[-1] if values else ""


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _path_of(spec: str) -> str:
    key, equals, value = spec.partition("=")
    return f"/dev/disk/{_LINKS[key]}/{value.strip(chr(34))}" if equals and key in _LINKS else spec


def _device_number(path: str) -> DeviceNumber | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        # ValueError: no path at all, as zeroes that a power cut left in fstab.
        return None
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if status.st_rdev else None


def lasting_name(source: str) -> str:
    """A device's name by its UUID, as others may differ after the next boot; ``source`` itself when it has none."""
    device = os.path.realpath(source)
    links = (str(link) for link in sorted(_BY_UUID.glob("*")) if os.path.realpath(link) == device)
    return next(links, source)
