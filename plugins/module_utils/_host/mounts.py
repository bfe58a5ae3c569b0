# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse what is mounted and what is configured: mountinfo, swaps, fstab, the kernel's root=. Private."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._model import SWAP, DeviceNumber, FstabEntry, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BY_UUID = Path("/dev/disk/by-uuid")
_BY_ID = Path("/dev/disk/by-id")
# Names by what is on a device, not by the disk itself.
_CONTENT_IDS = ("dm-", "lvm-", "md-")
_LINKS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}
_BLANKS = re.compile(r"[ \t]+")
_OCTAL = re.compile(r"\\([0-7]{3})")


def parse_mountinfo(lines: Iterable[str], devices: Iterable[DeviceNumber]) -> Iterator[Mount]:
    """Yield the mounted block filesystems from /proc/self/mountinfo (proc_pid_mountinfo(5)), in the order of the file.

    Some filesystems (btrfs) have an anonymous device number. They are identified by their source, if that is a block
    device.
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
    """Yield the active swap areas on block devices from /proc/swaps (proc_swaps(5)). Swap files are skipped."""
    for line in lines:
        words = _BLANKS.split(line)
        if len(words) > 1 and words[1] == "partition":
            number = _device_number(_unescape(words[0]))
            if number is not None:
                yield Mount(mountpoint=SWAP, source=_unescape(words[0]), fstype="swap", device=number)


def parse_fstab(lines: Iterable[str]) -> Iterator[FstabEntry]:
    """Yield the entries of an fstab(5). Swap entries get the mountpoint ``[SWAP]``."""
    for line in lines:
        words = _BLANKS.split(line.strip(" \t"))
        spec, mountpoint, fstype, *_options = [_unescape(word) for word in words] + [""] * 3
        if fstype and not spec.startswith("#"):
            mountpoint = SWAP if fstype == "swap" else mountpoint
            yield FstabEntry(spec=spec, mountpoint=mountpoint, device=_device_number(_path_of(spec)))


def root_argument(cmdline: str) -> str:
    """Return the value of root= from a kernel command line. The last one counts (bootparam(7))."""
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
        # ValueError: not a valid path, for example the NUL bytes that a power cut can leave in fstab.
        return None
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if status.st_rdev else None


def persistent_name(source: str) -> str:
    """Return the /dev/disk/by-uuid path of a device, because other names can change at boot; ``source`` if none."""
    return next(_links_to(source, _BY_UUID), source)


def persistent_names(source: str) -> tuple[str, str]:
    """Return ``persistent_name``, and a name by the serial number of the disk, which a copy of it has not, or ""."""
    by_disk = (link for link in _links_to(source, _BY_ID) if not Path(link).name.startswith(_CONTENT_IDS))
    return persistent_name(source), next(by_disk, "")


def _links_to(source: str, directory: Path) -> Iterator[str]:
    device = os.path.realpath(source)
    return (str(link) for link in sorted(directory.glob("*")) if os.path.realpath(link) == device)
