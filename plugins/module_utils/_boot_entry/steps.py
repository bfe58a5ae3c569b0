# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a boot entry: its files, the boot menu, the choice of the next boot. Private to this collection."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_files.manifest import copies_of, read_manifest
from .._host.files import rewrite, sync, write_atomically
from .._host.filesystem import mounted
from .._host.process import run_tool
from .._host.reading import checksum, read
from .._steps import FileChange, HostStep
from .grub import BOOT, FORMAT, HOME, RECORD
from .menu import INITRAMFS, KERNEL, PREVIEW_IMAGE, with_part, without_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._steps import Runner
    from .entries import Kernel


@dataclass(frozen=True)
class WriteEntry(HostStep):
    """Create the directory of an entry, with kernel and initramfs from the backup on ``device``.

    ``manifest`` is the checksum of the backup's manifest, ``image`` the small initramfs of the preview boot. ``digest``
    identifies what the entry shows (``preview_digest``).
    """

    set_id: str
    name: str
    device: str
    manifest: str
    kernel: Kernel
    image: bytes = field(repr=False)
    digest: str

    @property
    def home(self) -> Path:
        """The directory of the entry."""
        return HOME / self.set_id

    @property
    def makes(self) -> str:
        """What the step creates, for messages."""
        return str(self.home)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "write_entry", "directory": str(self.home), "kernel": self.kernel.version}

    def changed_files(self) -> list[FileChange]:
        """The files of the entry, for the diff: their sources, never their content."""
        sources = {
            KERNEL: f"copy of {self.kernel.kernel}",
            INITRAMFS: f"copy of {self.kernel.initramfs}",
            PREVIEW_IMAGE: f"{len(self.image)} bytes, sha256 {hashlib.sha256(self.image).hexdigest()}",
        }
        return [FileChange(str(self.home / name), after=text) for name, text in sources.items()]

    def carry_out(self, _runner: Runner) -> None:
        """Write the files. The record comes last, when all others are on disk. Raises FilesFailed, Refused, OSError."""
        # With parents=True, mkdir would ignore the mode for the parents.
        HOME.mkdir(mode=0o700, exist_ok=True)
        self.home.mkdir(mode=0o700)
        with mounted(self.device) as backup:
            tree = next(one for one in read_manifest(backup, self.manifest).trees if one.mountpoint == str(BOOT))
            copies = copies_of(backup, tree)
            shutil.copyfile(copies / self.kernel.kernel, self.home / KERNEL)
            shutil.copyfile(copies / self.kernel.initramfs, self.home / INITRAMFS)
        (self.home / PREVIEW_IMAGE).write_bytes(self.image)
        record = {
            "format": FORMAT,
            "name": self.name,
            "kernel": self.kernel.version,
            "look": self.digest,
            "sums": {name: checksum(self.home / name) for name in (KERNEL, INITRAMFS, PREVIEW_IMAGE)},
        }
        sync(BOOT)
        write_atomically(self.home / RECORD, json.dumps(record, indent=1))

    def undo(self, _runner: Runner) -> bool:
        """Remove the directory if it exists; whether it did. Raises OSError."""
        if not self.home.exists():
            return False
        remove_directory(self.home)
        return True


@dataclass(frozen=True)
class RemoveEntry(HostStep):
    """Remove the directory of an entry."""

    place: Path

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove_files", "directory": str(self.place)}

    def carry_out(self, _runner: Runner) -> None:
        """Remove it. Raises OSError."""
        remove_directory(self.place)


def remove_directory(place: Path) -> None:
    """Remove the directory of an entry, and its parent if that was the last entry. Raises OSError."""
    sync(BOOT)
    shutil.rmtree(place)
    if not any(HOME.iterdir()):
        HOME.rmdir()
    sync(BOOT)


@dataclass(frozen=True)
class AddToMenu(HostStep):
    """Add an entry to the boot menu: ``part`` goes into custom.cfg."""

    set_id: str
    custom: Path
    part: str

    @property
    def makes(self) -> str:
        """What the step creates, for messages."""
        return f"the entry in {self.custom}"

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "add_to_menu", "menu": str(self.custom)}

    def changed_files(self) -> list[FileChange]:
        """The new part of the menu, for the diff. The rest of custom.cfg may contain passwords and is not shown."""
        return [FileChange(f"{self.custom} (part)", after=self.part)]

    def carry_out(self, _runner: Runner) -> None:
        """Add the entry. Raises OSError."""
        # Read again: an earlier step may have removed the old entry.
        rest = without_entry(read(self.custom), self.set_id)
        rewrite(self.custom, with_part(rest, self.part))

    def undo(self, _runner: Runner) -> bool:
        """Remove what was added; whether there was anything. Raises OSError."""
        if without_entry(read(self.custom), self.set_id) == read(self.custom):
            return False
        remove_from_custom(self.custom, self.set_id)
        return True


@dataclass(frozen=True)
class TakeFromMenu(HostStep):
    """Remove an entry from the file ``menu``."""

    set_id: str
    menu: Path

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "take_from_menu", "menu": str(self.menu)}

    def carry_out(self, _runner: Runner) -> None:
        """Remove the entry. Raises OSError."""
        remove_from_custom(self.menu, self.set_id)


def remove_from_custom(custom: Path, set_id: str) -> None:
    """Remove an entry from GRUB's custom.cfg, and the file if nothing else is in it. Raises OSError."""
    # Read again: an earlier step may have removed another entry.
    rest = without_entry(read(custom), set_id)
    if rest.strip() or custom.is_symlink():
        rewrite(custom, rest)
    else:
        custom.unlink()


@dataclass(frozen=True)
class ChooseNextBoot(HostStep):
    """Choose an entry for the next boot only, or undo that choice with ``unset``."""

    editor: str
    environment: str
    entry: str
    unset: bool = False

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "take_back_choice" if self.unset else "choose_for_next_boot", "entry": self.entry}

    def carry_out(self, _runner: Runner) -> None:
        """Write the choice to GRUB's environment block. Raises FilesFailed, OSError."""
        arguments = ("unset", "next_entry") if self.unset else ("set", f"next_entry={self.entry}")
        run_tool(self.editor, self.environment, *arguments)
        sync(Path(os.path.realpath(self.environment)).parent)
