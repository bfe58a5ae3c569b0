# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""GRUB as it is installed, and the boot entries that are there, as values. Pure; private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DIRECTORY = "safepoint.lvm"
"""Below /boot; each entry has a directory of its set's id in it."""
BOOT = Path("/boot")
HOME = BOOT / DIRECTORY
BLS = BOOT / "loader" / "entries"
RECORD = "entry.json"
"""What is known of an entry, in its directory; written when its other files are there."""
FORMAT = 1
GRUB_EDITORS = ("grub-editenv", "grub2-editenv")

# In /etc/grub.d/00_header.
_DEFAULT = re.compile(r'^\s*set default="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True)
class Grub:
    """GRUB as it is installed: its directory, what its menu file says, and what is in its environment block.

    ``entries`` are the names of the files in /boot/loader/entries, None where GRUB does not read them (BLS).
    """

    directory: str
    menu: str
    environment: Mapping[str, str]
    custom: str = ""
    entries: tuple[str, ...] | None = None

    @property
    def environment_path(self) -> str:
        """The environment block."""
        return f"{self.directory}/grubenv"

    @property
    def custom_path(self) -> str:
        """The file of entries of one's own."""
        return f"{self.directory}/custom.cfg"

    @property
    def default(self) -> str:
        """What the menu takes when nothing was chosen for one boot."""
        found = (value for value in _DEFAULT.findall(self.menu) if value != "${next_entry}")
        return next(found, "0")

    @property
    def chosen(self) -> str:
        """The entry that the next boot, and only that one, is to take."""
        return self.environment.get("next_entry", "")


@dataclass(frozen=True)
class Found:
    """An entry by its directory; ``kernel`` is its version, ``sums`` the SHA-256 of its files by name.

    Without a record, which comes last, it is what an interrupted run has left.
    """

    place: Path
    name: str = ""
    kernel: str = ""
    look: str = ""
    sums: Mapping[str, str] | None = None

    @property
    def set_id(self) -> str:
        """The id of the taking that it is for."""
        return self.place.name

    def to_result(self, grub: Grub | None) -> dict[str, Any]:
        """It as results show it."""
        chosen = grub is not None and grub.chosen == entry_id(self.set_id)
        return {"name": self.name, "id": self.set_id, "state": "present", "kernel": self.kernel, "next_boot": chosen}


def entry_id(set_id: str) -> str:
    """What GRUB knows an entry by.

    Files of the Boot Loader Specification are sorted by their names, as rpm sorts versions, and the first is the
    default where nothing else is: a capital letter comes after every machine id.
    """
    return f"Safepoint-{set_id}"


def parse_environment(lines: Iterable[str]) -> dict[str, str]:
    """What ``grub-editenv list`` prints: NAME=VALUE, a line each."""
    return {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}


def bls_path(set_id: str) -> Path:
    """The file of an entry where GRUB reads those of the Boot Loader Specification."""
    return BLS / f"{entry_id(set_id)}.conf"
