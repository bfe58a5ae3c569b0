# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot entries that a host has, and its GRUB: only read. Private to this collection."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._errors import SafepointError
from .._host.process import find_tool, run_tool
from .._host.reading import checksum, read, unless_gone
from .grub import BLS, BOOT, FORMAT, GRUB_EDITORS, HOME, RECORD, Found, Grub, parse_environment

_GRUB_PLACES = ("/boot/grub", "/boot/grub2")
# Where EL 8 with UEFI has its menu.
_GRUB_OF_ESP = "efi/EFI/*/grub.cfg"


def boot_entries() -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of the host as results show them, and why they could not be read."""
    try:
        grub = read_grub()
        return [one.to_result(grub) for one in entries() if one.sums is not None], []
    except (SafepointError, OSError) as error:
        return [], [f"the boot entries could not be read: {error}"]


def read_grub() -> Grub | None:
    """GRUB as it is installed, or None. Raises FilesFailed when its environment block cannot be read."""
    for place in (*map(Path, _GRUB_PLACES), *(path.parent for path in sorted(BOOT.glob(_GRUB_OF_ESP)))):
        menu = read(place / "grub.cfg")
        if menu:
            environment = place / "grubenv"
            listed = run_tool(grub_editor(), str(environment), "list") if environment.exists() and grub_editor() else ""
            reads_bls = any(line.strip() == "blscfg" for line in menu.splitlines()) and BLS.is_dir()
            return Grub(
                directory=str(place),
                menu=menu,
                environment=parse_environment(listed.splitlines()),
                custom=read(place / "custom.cfg"),
                entries=tuple(sorted(path.stem for path in BLS.glob("*.conf"))) if reads_bls else None,
            )
    return None


def grub_editor() -> str:
    """The name of the program that edits GRUB's environment block; empty when there is none."""
    return next((name for name in GRUB_EDITORS if find_tool(name)), "")


def entries() -> list[Found]:
    """Every entry that has a directory, also what interrupted runs have left. Raises OSError."""
    places = sorted(HOME.iterdir()) if HOME.is_dir() else []
    return [_read_entry(place) for place in places if place.is_dir() and not place.is_symlink()]


def is_intact(found: Found) -> bool:
    """Whether an entry has its files as they were made. Raises OSError."""
    return all(_sum_of(found.place / name) == digest for name, digest in (found.sums or {}).items())


def _sum_of(path: Path) -> str:
    return unless_gone(lambda: checksum(path), "")


def bls_files() -> list[str]:
    """The names of the files there."""
    return sorted(path.name for path in BLS.glob("*.conf"))


def _read_entry(place: Path) -> Found:
    text = read(place / RECORD)
    with suppress(ValueError, KeyError, TypeError):
        record = json.loads(text)
        if record["format"] == FORMAT:
            return Found(place, record["name"], record["kernel"], record["look"], record["sums"])
    return Found(place)
