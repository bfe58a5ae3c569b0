# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse what is mounted and what fstab mounts: mountinfo, swaps, fstab. Private to this collection."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._host_model import SWAP, DeviceNumber, FstabEntry, Mount

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

_BY_UUID = Path("/dev/disk/by-uuid")
_BY_ID = Path("/dev/disk/by-id")
# Names by what is on a device, not by the disk itself.
_CONTENT_IDS = ("dm-", "lvm-", "md-")
_LINKS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}
_BLANKS = re.compile(r"[ \t]+")
_OCTAL = re.compile(r"\\([0-7]{3})")
# overlayfs writes a backslash before a colon or a backslash in the name of a layer.
_BACKSLASHED = re.compile(r"\\(.)")
_COLON = re.compile(r"(?<!\\):")
# Options of XFS that name further devices (xfs(5)).
_DEVICE_OPTIONS = ("logdev", "rtdev")


def parse_mountinfo(lines: Iterable[str], devices: Container[DeviceNumber]) -> Iterator[Mount]:
    """Yield every mount in /proc/self/mountinfo (proc_pid_mountinfo(5)), in the order of the file.

    ``devices`` are the block devices. Some filesystems (btrfs) have an anonymous device number. They are identified by
    their source, if that is a block device.
    """
    for line in filter(None, lines):
        fields, _separator, rest = line.partition(" - ")
        words, (fstype, source, options, *_more) = fields.split(" "), [*rest.split(" "), "", ""]
        major, _colon, minor = words[2].partition(":")
        number = int(major), int(minor)
        found = (number,) if number in devices else tuple(_devices_named(_unescape(source)))
        values = dict(word.partition("=")[::2] for word in options.split(","))
        logs = (device_number(_unescape(values[key])) for key in _DEVICE_OPTIONS if key in values)
        yield Mount(
            mountpoint=_unescape(words[4]),
            source=_unescape(source),
            fstype=fstype,
            device=found[0] if found else None,
            root=_unescape(words[3]),
            number=int(words[0]),
            parent=int(words[1]),
            read_only="ro" in values,
            more=(*found[1:], *(log for log in logs if log is not None)),
            carrier=_layer(_unescape(values.get("upperdir", ""))) if fstype == "overlay" else "",
            layers=_lower_layers(options) if fstype == "overlay" else (),
        )


def _devices_named(source: str) -> Iterator[DeviceNumber]:
    """Yield the block devices that the source of a mount names. bcachefs names several, with colons between them."""
    names = (source, *(source.split(":") if ":/" in source else ()))
    numbers = (device_number(name) for name in names)
    yield from dict.fromkeys(number for number in numbers if number is not None)


def _lower_layers(options: str) -> tuple[str, ...]:
    # Since Linux 6.8 each layer can be an option of its own: lowerdir+=PATH, or datadir+=PATH.
    pairs = (word.partition("=") for word in options.split(","))
    lists = [value for key, _equals, value in pairs if key in ("lowerdir", "lowerdir+", "datadir+")]
    return tuple(_layer(layer) for value in lists for layer in _COLON.split(_unescape(value)) if layer)


def _layer(text: str) -> str:
    return _BACKSLASHED.sub(r"\1", text)


def parse_swaps(lines: Iterable[str]) -> Iterator[Mount]:
    """Yield the active swap areas on block devices from /proc/swaps (proc_swaps(5)). Swap files are skipped."""
    for line in lines:
        words = _BLANKS.split(line)
        if len(words) > 1 and words[1] == "partition":
            number = device_number(_unescape(words[0]))
            if number is not None:
                yield Mount(mountpoint=SWAP, source=_unescape(words[0]), fstype="swap", device=number)


def parse_fstab(lines: Iterable[str]) -> Iterator[FstabEntry]:
    """Yield the entries of an fstab(5). Swap entries get the mountpoint ``[SWAP]``. Links in paths are kept."""
    for line in lines:
        words = _BLANKS.split(line.strip(" \t"))
        spec, mountpoint, fstype, options, *_rest = [_unescape(word) for word in words] + [""] * 4
        if fstype and not spec.startswith("#"):
            yield FstabEntry(
                spec=spec,
                mountpoint=SWAP if fstype == "swap" else mountpoint.rstrip("/") or "/",
                device=device_number(device_path_of(spec)),
                fstype=fstype,
                options=tuple(filter(None, options.split(","))),
            )


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def device_path_of(spec: str) -> str:
    """Return the path for a device as fstab names it: UUID=1 is /dev/disk/by-uuid/1 (fstab(5))."""
    key, equals, value = spec.partition("=")
    return f"/dev/disk/{_LINKS[key]}/{value.strip(chr(34))}" if equals and key in _LINKS else spec


def device_number(path: str) -> DeviceNumber | None:
    """Return the number of the device at ``path``, or None.

    Only paths in /dev are looked at: any other may be on a network filesystem whose server does not answer.
    """
    if not path.startswith("/dev/"):
        return None
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
