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
BLS = BOOT / "loader" / "entries"
RECORD = "entry.json"
"""File in the directory of an entry that describes it. It is written after all other files."""
FORMAT = 1
GRUB_EDITORS = ("grub-editenv", "grub2-editenv")

_ID_START = "~Safepoint-"
_NUMBER = re.compile("0[0-7]*|[1-9][0-9]*")
# As /etc/grub.d/00_header writes it.
_DEFAULT = re.compile(r'^\s*set default="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True)
class Grub:
    """The installed GRUB: its directory, the texts of grub.cfg (``menu``) and custom.cfg, its environment block.

    ``entries`` are the names of the files in /boot/loader/entries (Boot Loader Specification), or None if GRUB does not
    read them. ``protected`` says whether the menu asks for a password.
    """

    directory: str
    menu: str
    environment: Mapping[str, str]
    custom: str = ""
    entries: tuple[str, ...] | None = None
    protected: bool = False

    @property
    def takes_files(self) -> bool:
        """Whether our entry is a file of the Boot Loader Specification.

        Such a file is always in the menu, so with a password the entry is a part of custom.cfg.
        """
        return self.entries is not None and not self.protected

    @property
    def files_of_others(self) -> int:
        """How many entries are files that were not made by this collection."""
        return sum(not name.startswith(_ID_START) for name in self.entries or ())

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
    """Return the ID of an entry in GRUB.

    GRUB sorts the files of the Boot Loader Specification by name, the last first. The tilde makes ours the last entry,
    so that the numbers of the others stay (vercmp in blscfg.c of Fedora's GRUB 2.06, filevercmp in blsuki.c of GRUB
    2.14).
    """
    return f"{_ID_START}{set_id}"


def number_of(entry: str) -> int | None:
    """Return the number as which GRUB reads the ID of its default entry, or None.

    GRUB 2.14 reads an ID that begins with a digit as the number of an entry, as strtoul(3) with base 0 does
    (get_entry_number in normal/menu.c). Fedora's GRUB does not.
    """
    match = _NUMBER.match(entry)
    if match is None:
        return None
    return int(match[0], 8) if match[0].startswith("0") else int(match[0])


def has_password(menu: str, user: str) -> bool:
    """Whether GRUB asks for a password before it boots an entry that is not unrestricted.

    ``menu`` is grub.cfg, ``user`` is user.cfg. Where grub2-set-password exists, every grub.cfg names superusers, but
    sets them only if user.cfg has a password (01_users of Fedora's GRUB).
    """
    return "superusers=" in menu and ("GRUB2_PASSWORD" not in menu or "GRUB2_PASSWORD" in user)


def parse_environment(lines: Iterable[str]) -> dict[str, str]:
    """Parse the output of ``grub-editenv list``: one NAME=VALUE per line."""
    return {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}


def bls_path(set_id: str) -> Path:
    """Return the path of an entry's file, for a GRUB that reads files of the Boot Loader Specification."""
    return BLS / f"{entry_id(set_id)}.conf"
