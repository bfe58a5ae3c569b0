# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The installed GRUB and the existing boot entries as values. Pure; private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DIRECTORY = "safepoint.lvm"
"""Directory below /boot. Each entry has a directory in it, named by the ID of its snapset."""
BOOT = Path("/boot")
HOME = BOOT / DIRECTORY
RECORD = "entry.json"
"""File in the directory of an entry that describes it. It is written after all other files."""
FORMAT = 1
GRUB_EDITORS = ("grub-editenv", "grub2-editenv")

_ID_START = "Safepoint-"
# As /etc/grub.d/00_header writes it.
_DEFAULT = re.compile(r'^\s*set default="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True)
class Grub:
    """The installed GRUB: its directory, the texts of grub.cfg (``menu``) and custom.cfg, its environment block."""

    directory: str
    menu: str
    environment: Mapping[str, str]
    custom: str = ""

    @property
    def environment_path(self) -> str:
        """Path of the environment block."""
        return f"{self.directory}/grubenv"

    @property
    def custom_path(self) -> str:
        """Path of the file for custom entries."""
        return f"{self.directory}/custom.cfg"

    @property
    def default(self) -> str:
        """The entry that GRUB boots if none was chosen for a single boot."""
        defaults = (value for value in _DEFAULT.findall(self.menu) if value != "${next_entry}")
        return next(defaults, "0")

    @property
    def chosen(self) -> str:
        """The entry chosen for the next boot only; empty if none."""
        return self.environment.get("next_entry", "")


@dataclass(frozen=True)
class InstalledEntry:
    """A boot entry in the directory ``place``.

    ``kernel`` is the kernel's version, ``digest`` identifies what the entry shows, ``sums`` has the SHA-256 of its
    files by name. If the record is missing (``sums`` is None), an interrupted run has left the directory behind.
    """

    place: Path
    name: str = ""
    kernel: str = ""
    digest: str = ""
    sums: Mapping[str, str] | None = None

    @property
    def set_id(self) -> str:
        """The ID of its snapset instance."""
        return self.place.name

    def to_result(self, grub: Grub | None) -> dict[str, Any]:
        """Return the entry as results show it."""
        chosen = grub is not None and grub.chosen == entry_id(self.set_id)
        return {"name": self.name, "id": self.set_id, "state": "present", "kernel": self.kernel, "next_boot": chosen}


def entry_id(set_id: str) -> str:
    """Return the ID of an entry in GRUB. GRUB 2.14 reads one that begins with a digit as a number."""
    return f"{_ID_START}{set_id}"


def parse_environment(lines: Iterable[str]) -> dict[str, str]:
    """Parse the output of ``grub-editenv list``: one NAME=VALUE per line."""
    return {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}
