# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read with which UUIDs and labels a host finds its devices at boot. Private to this collection.

Sources: fstab, crypttab, the kernel command line, units of systemd, and the resume device of initramfs-tools.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._host_model import SWAP, FstabEntry, Reference
from .mounts import device_number, device_path_of
from .reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CONTENT = re.compile(r'(UUID=|LABEL=|/dev/disk/by-uuid/|/dev/disk/by-label/)"?(.+?)"?')
# The same inside of an argument of the kernel: root=UUID=1, cryptdevice=UUID=1:name, cryptopts=target=x,source=UUID=1.
_IN_ARGUMENT = re.compile(r"(?<=[=,])(?:UUID=|LABEL=|/dev/disk/by-uuid/|/dev/disk/by-label/)[^,:]+")
# rd.luks.uuid=1, luks.uuid=luks-1, rd.luks.name=1=name (systemd-cryptsetup-generator(8), dracut.cmdline(7)).
_LUKS = re.compile(r"(?:rd\.)?luks\.(?:uuid|name)=(?:luks-)?([^=]+)(?:=.*)?")
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
# udev writes characters that are not safe in a path as \x20.
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_BLANKS = re.compile(r"[ \t]+")
# Of several values the last one counts (bootparam(7)).
_ONLY_ONE = ("root", "resume")
_CRYPTTAB = "/etc/crypttab"
_RESUME = Path("/etc/initramfs-tools")
# The first unit of a name counts (systemd.unit(5)). Those of generators only repeat fstab and crypttab.
_UNIT_DIRECTORIES = tuple(
    Path(path)
    for path in (
        *("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"),
        *("/usr/lib/systemd/system", "/lib/systemd/system"),
    )
)
_UNIT_TYPES = ("mount", "swap")


def words_of(command_line: str) -> list[str]:
    """Return the arguments of a kernel command line, without quotes."""
    return [word.replace('"', "") for word in _WORD.findall(command_line)]


def unescape_udev(text: str) -> str:
    """Return a name without the escapes of udev."""
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)


def early_volumes(words: Iterable[str]) -> tuple[str, ...]:
    """Return the LVs that the kernel command line makes an initramfs of dracut activate, as VG/LV."""
    return tuple(word.partition("=")[2] for word in words if word.startswith("rd.lvm.lv="))


def read_references(fstab: Iterable[FstabEntry], words: Iterable[str]) -> Iterator[Reference]:
    """Yield every setting that finds a device by a UUID or a label. ``words`` are the arguments of the kernel."""
    yield from of_fstab(fstab)
    yield from _of_crypttab(read(_CRYPTTAB))
    yield from of_arguments(list(words))
    for path in filter(Path.is_file, (_RESUME / "initramfs.conf", *sorted((_RESUME / "conf.d").glob("*")))):
        for line in read(path).split("\n"):
            if line.startswith("RESUME="):
                yield from _of_spec(f"{path} has {line}", line.partition("=")[2])
    yield from _of_units()


def of_fstab(entries: Iterable[FstabEntry]) -> Iterator[Reference]:
    """Yield the references in fstab."""
    for entry in entries:
        mountpoint = "" if entry.mountpoint == SWAP else entry.mountpoint
        text = f"/etc/fstab mounts {entry.mountpoint} by {entry.spec}"
        for found in _of_spec(text, entry.spec, mountpoint=mountpoint):
            yield replace(found, device=entry.device)


def _of_crypttab(text: str) -> Iterator[Reference]:
    for line in text.split("\n"):
        name, spec, *_rest = [*_BLANKS.split(line.strip(" \t")), ""]
        if not name.startswith("#"):
            yield from _of_spec(f"{_CRYPTTAB} opens {name} by {spec}", spec)


def _of_spec(text: str, spec: str, *, mountpoint: str = "", cure: str = Reference.cure) -> Iterator[Reference]:
    match = _CONTENT.fullmatch(spec)
    if match is not None:
        kind, value = match[1], unescape_udev(match[2])
        uuid, label = (value, "") if "uuid" in kind.lower() else ("", value)
        device = device_number(device_path_of(spec))
        yield Reference(text, uuid=uuid, label=label, device=device, mountpoint=mountpoint, cure=cure)


def of_arguments(words: Sequence[str]) -> Iterator[Reference]:
    """Yield the references in the arguments of the kernel."""
    last = {word.partition("=")[0]: word for word in words}
    for word in dict.fromkeys(words):
        key = word.partition("=")[0]
        if key in _ONLY_ONE and last[key] != word:
            continue
        text, luks = f"the kernel was booted with {word}", _LUKS.fullmatch(word)
        if luks is not None:
            cure = "remove it there, and use {path} in /etc/crypttab"
            yield from _of_spec(text, f"UUID={luks[1]}", cure=cure)
        for spec in _IN_ARGUMENT.findall(word):
            cure = f"boot with {key}={{path}} instead" if key in _ONLY_ONE else Reference.cure
            yield from _of_spec(text, spec, mountpoint="/" if key == "root" else "", cure=cure)


def _of_units() -> Iterator[Reference]:
    units = {
        path.name: path
        for directory in reversed(_UNIT_DIRECTORIES)
        for kind in _UNIT_TYPES
        for path in sorted(directory.glob(f"*.{kind}"))
    }
    for name, path in sorted(units.items()):
        settings = dict(_settings(path, name))
        mountpoint = settings.get("Where", "").rstrip("/")
        spec = settings.get("What", "")
        yield from _of_spec(f"the unit {name} uses {spec}", spec, mountpoint=mountpoint)


def _settings(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a unit and of its drop-ins, the ones that count last."""
    drop_ins = (directory / f"{name}.d" for directory in reversed(_UNIT_DIRECTORIES))
    files = [path, *(file for place in drop_ins for file in sorted(place.glob("*.conf")))]
    for file in files:
        for line in read(file).split("\n"):
            key, equals, value = line.strip().partition("=")
            if equals:
                yield key.strip(), value.strip()
