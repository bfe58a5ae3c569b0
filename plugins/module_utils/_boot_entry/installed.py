# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the boot entries of the host and its GRUB. Private to this collection."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._errors import SafepointError
from .._host.process import find_tool, run_tool
from .._host.reading import checksum, read, unless_gone
from .grub import BOOT, FORMAT, GRUB_EDITORS, HOME, RECORD, Grub, InstalledEntry, parse_environment

_GRUB_PLACES = ("/boot/grub", "/boot/grub2")
# The menu of EL 8 with UEFI.
_GRUB_OF_ESP = "efi/EFI/*/grub.cfg"


def boot_entries() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the boot entries of the host as results show them, and warnings about what could not be read.

    If GRUB cannot be read, the entries are returned all the same, and ``next_boot`` is None.
    """
    try:
        complete = complete_entries()
    except OSError as error:
        return [], [f"cannot read the boot entries: {error}"]
    try:
        grub = read_grub()
    except (SafepointError, OSError) as error:
        unknown = [{**one.to_result(None), "next_boot": None} for one in complete]
        return unknown, [f"cannot read whether a boot entry is selected for the next boot: {error}"] if unknown else []
    return [one.to_result(grub) for one in complete], []


def complete_entries() -> list[InstalledEntry]:
    """Return the entries whose creation was not interrupted. Raises OSError."""
    return [one for one in entries() if one.sums is not None]


def read_grub() -> Grub | None:
    """Return the installed GRUB, or None. Raises FilesFailed if its environment block cannot be read."""
    for place in (*map(Path, _GRUB_PLACES), *(path.parent for path in sorted(BOOT.glob(_GRUB_OF_ESP)))):
        menu = read(place / "grub.cfg")
        if menu:
            environment = place / "grubenv"
            listed = run_tool(grub_editor(), str(environment), "list") if environment.exists() and grub_editor() else ""
            return Grub(
                directory=str(place),
                menu=menu,
                environment=parse_environment(listed.splitlines()),
                custom=read(place / "custom.cfg"),
            )
    return None


def grub_editor() -> str:
    """Return the name of the program that edits GRUB's environment block; empty if not installed."""
    return next((name for name in GRUB_EDITORS if find_tool(name)), "")


def entries() -> list[InstalledEntry]:
    """Return every entry that has a directory, including those of interrupted runs. Raises OSError."""
    places = sorted(HOME.iterdir()) if HOME.is_dir() else []
    return [_read_entry(place) for place in places if place.is_dir() and not place.is_symlink()]


def is_intact(found: InstalledEntry) -> bool:
    """Whether no file of an entry is missing or changed. Raises OSError."""
    return all(_sum_of(found.place / name) == digest for name, digest in (found.sums or {}).items())


def _sum_of(path: Path) -> str:
    return unless_gone(lambda: checksum(path), "")


def _read_entry(place: Path) -> InstalledEntry:
    text = read(place / RECORD)
    with suppress(ValueError, KeyError, TypeError):
        record = json.loads(text)
        if record["format"] == FORMAT:
            return InstalledEntry(place, record["name"], record["kernel"], record["look"], record["sums"])
    return InstalledEntry(place)
