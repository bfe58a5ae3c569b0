# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a boot entry: its files, the boot menu, the choice for the next boot. Private to this collection."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_files.manifest import copies_of, read_manifest
from .._host.files import sync, write_atomically
from .._host.filesystem import mounted
from .._host.process import run_tool
from .._host.reading import checksum, read
from .._snapset.steps import FileChange
from .grub import BOOT, FORMAT, HOME, RECORD
from .menu import INITRAMFS, KERNEL, LOOK, with_part, without_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._snapset.steps import Runner
    from .entries import Kernel


@dataclass(frozen=True)
class WriteEntry:
    """Make the directory of an entry: kernel and initramfs from the backup on ``device``, and the small initramfs.

    ``manifest`` is the checksum of the backup's manifest, ``shows`` stands for all that the entry is to show.
    """

    set_id: str
    name: str
    device: str
    manifest: str
    kernel: Kernel
    image: bytes = field(repr=False)
    shows: str
    changes = True

    @property
    def home(self) -> Path:
        """The directory."""
        return HOME / self.set_id

    @property
    def makes(self) -> str:
        """The directory."""
        return str(self.home)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "write_entry", "directory": str(self.home), "kernel": self.kernel.version}

    def changed_files(self) -> list[FileChange]:
        """Its files: where they come from, never what is in them."""
        image = f"{len(self.image)} bytes, sha256 {hashlib.sha256(self.image).hexdigest()}"
        told = {KERNEL: f"copy of {self.kernel.kernel}", INITRAMFS: f"copy of {self.kernel.initramfs}", LOOK: image}
        return [FileChange(str(self.home / name), after=text) for name, text in told.items()]

    def carry_out(self, _runner: Runner) -> None:
        """Write them; the record comes last, when all else is on the disk. Raises FilesFailed, OSError."""
        self.home.mkdir(mode=0o700, parents=True)
        with mounted(self.device) as place:
            tree = next(one for one in read_manifest(place, self.manifest) if one.mountpoint == str(BOOT))
            copies = copies_of(place, tree)
            shutil.copyfile(copies / self.kernel.kernel, self.home / KERNEL)
            shutil.copyfile(copies / self.kernel.initramfs, self.home / INITRAMFS)
        (self.home / LOOK).write_bytes(self.image)
        record = {
            "format": FORMAT,
            "name": self.name,
            "kernel": self.kernel.version,
            "look": self.shows,
            "sums": {name: checksum(self.home / name) for name in (KERNEL, INITRAMFS, LOOK)},
        }
        sync(BOOT)
        write_atomically(self.home / RECORD, json.dumps(record, indent=1))

    def undo(self, _runner: Runner) -> bool:
        """Remove the directory, if it is there. Raises OSError."""
        if not self.home.exists():
            return False
        remove_directory(self.home)
        return True


@dataclass(frozen=True)
class RemoveEntry:
    """Remove the directory of an entry."""

    place: Path
    changes = True

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove_files", "directory": str(self.place)}

    def carry_out(self, _runner: Runner) -> None:
        """Remove it. Raises OSError."""
        remove_directory(self.place)


def remove_directory(place: Path) -> None:
    """Remove the directory of an entry, and the one above when it was the last. Raises OSError."""
    sync(BOOT)
    shutil.rmtree(place)
    if not any(HOME.iterdir()):
        HOME.rmdir()
    sync(BOOT)


@dataclass(frozen=True)
class AddToMenu:
    """Put an entry into the boot menu: a part of custom.cfg, and with ``bls`` (path, text) a file of its own."""

    set_id: str
    custom: Path
    part: str
    bls: tuple[Path, str] | None = None
    changes = True

    @property
    def makes(self) -> str:
        """The entry in the menu."""
        return f"the entry in {self.bls[0] if self.bls else self.custom}"

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "add_to_menu", "menu": str(self.bls[0] if self.bls else self.custom)}

    def changed_files(self) -> list[FileChange]:
        """The new part of the menu. The rest of custom.cfg may hold passwords, and is not shown."""
        own = [FileChange(str(self.bls[0]), after=self.bls[1])] if self.bls else []
        return [FileChange(f"{self.custom} (part)", after=self.part), *own]

    def carry_out(self, _runner: Runner) -> None:
        """Write it. Raises OSError."""
        # As it is now: what was there before has just been taken out.
        rest = without_entry(read(self.custom), self.set_id)
        write_atomically(self.custom, with_part(rest, self.part))
        if self.bls is not None:
            write_atomically(*self.bls)

    def undo(self, _runner: Runner) -> bool:
        """Take it out again, as far as it is there. Raises OSError."""
        there = without_entry(read(self.custom), self.set_id) != read(self.custom)
        if there:
            take_from_custom(self.custom, self.set_id)
        if self.bls is not None and self.bls[0].exists():
            self.bls[0].unlink()
            return True
        return there


@dataclass(frozen=True)
class TakeFromMenu:
    """Take an entry out of the file ``menu``, or remove that file when it ``is_own``, of this entry alone."""

    set_id: str
    menu: Path
    is_own: bool
    changes = True

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "take_from_menu", "menu": str(self.menu)}

    def carry_out(self, _runner: Runner) -> None:
        """Take it out. Raises OSError."""
        if self.is_own:
            self.menu.unlink()
        else:
            take_from_custom(self.menu, self.set_id)


def take_from_custom(custom: Path, set_id: str) -> None:
    """Take an entry out of GRUB's custom.cfg, which goes when nothing else is in it. Raises OSError."""
    # Read again: of several entries, each is taken out of what the one before has left.
    rest = without_entry(read(custom), set_id)
    if rest.strip():
        write_atomically(custom, rest)
    else:
        custom.unlink()


@dataclass(frozen=True)
class ChooseNextBoot:
    """Have GRUB take an entry at the next boot, and only then; with no ``entry``, boot as ever."""

    editor: str
    environment: str
    entry: str
    takes_back: bool = False
    changes = True

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "take_back_choice" if self.takes_back else "choose_for_next_boot", "entry": self.entry}

    def carry_out(self, _runner: Runner) -> None:
        """Write it into GRUB's environment block. Raises FilesFailed, OSError."""
        wanted = ("unset", "next_entry") if self.takes_back else ("set", f"next_entry={self.entry}")
        run_tool(self.editor, self.environment, *wanted)
        sync(Path(os.path.realpath(self.environment)).parent)
