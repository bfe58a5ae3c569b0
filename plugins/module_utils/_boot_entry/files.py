# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a boot entry, written and removed: its directory and the boot menu. Private to this collection."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host.files import sync, write_whole
from .._host.mounts import lasting_name
from .._host.process import run_tool
from .._host.reading import checksum, read, unless_gone
from .entries import kernel_arguments, look_digest, shown
from .grub import entry_id
from .installed import BLS, BOOT, FORMAT, HOME, RECORD, grub_editor
from .menu import bls_entry, custom_part, menu_entry, with_part, without_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._model import Picture
    from .._snapset.state import Taking
    from .entries import InitramfsKind, Kernel
    from .grub import Grub
    from .installed import Found


@dataclass(frozen=True)
class NewEntry:
    """An entry that is to be made; ``files`` by name: what each is copied from, or its content."""

    taking: Taking
    kernel: Kernel
    kind: InitramfsKind
    files: Mapping[str, Path | bytes]

    @property
    def size(self) -> int:
        """Bytes in all of its files. Raises OSError."""
        return sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in self.files.values())


def is_intact(found: Found) -> bool:
    """Whether an entry has its files as they were made."""
    return all(_sum_of(found.place / name) == digest for name, digest in (found.sums or {}).items())


def _sum_of(path: Path) -> str:
    return unless_gone(lambda: checksum(path), "")


def write_files(picture: Picture, new: NewEntry) -> None:
    """Make the directory of an entry; its record comes last, when all else is on the disk. Raises OSError."""
    home = HOME / new.taking.set_id
    home.mkdir(mode=0o700, parents=True)
    for name, source in new.files.items():
        if isinstance(source, bytes):
            (home / name).write_bytes(source)
        else:
            shutil.copyfile(source, home / name)
    record = {
        "format": FORMAT,
        "name": new.taking.name,
        "kernel": new.kernel.version,
        "look": look_digest(shown(picture, new.taking)),
        "sums": {name: checksum(home / name) for name in new.files},
    }
    sync(BOOT)
    write_whole(home / RECORD, json.dumps(record, indent=1))


def remove_files(place: Path) -> None:
    """Remove the directory of an entry. Raises OSError."""
    sync(BOOT)
    shutil.rmtree(place)
    if not any(HOME.iterdir()):
        HOME.rmdir()
    sync(BOOT)


def menu_path(grub: Grub, set_id: str) -> str:
    """The file by which an entry gets into the menu."""
    return grub.custom_path if grub.entries is None else str(bls_path(set_id))


def bls_path(set_id: str) -> Path:
    """The file of an entry where GRUB reads those of the Boot Loader Specification."""
    return BLS / f"{entry_id(set_id)}.conf"


def add_to_menu(picture: Picture, new: NewEntry, grub: Grub) -> None:
    """Put an entry into the menu. Raises OSError, or FilesFailed when GRUB could not find it."""
    taking = new.taking
    root = next(one for one in shown(picture, taking) if one.mountpoint == "/")
    arguments = kernel_arguments(read("/proc/cmdline"), root, new.kind)
    entry = ""
    if grub.entries is None:
        entry = menu_entry(taking, uuid=_boot_uuid(picture), arguments=arguments)
    # As it is now: what was there before has just been taken out.
    rest = without_entry(read(grub.custom_path), taking.set_id)
    write_whole(Path(grub.custom_path), with_part(rest, custom_part(grub, taking.set_id, entry)))
    if grub.entries is not None:
        write_whole(bls_path(taking.set_id), bls_entry(taking, new.kernel, arguments))


def _boot_uuid(picture: Picture) -> str:
    mount = picture.host.mount_at(str(BOOT))
    name = lasting_name(mount.source) if mount else ""
    if not name.startswith("/dev/disk/by-uuid/"):
        raise FilesFailed(f"the filesystem at {BOOT} has no UUID in /dev/disk/by-uuid, by which GRUB could find it")
    return Path(name).name


def take_from_custom(custom: Path, set_id: str) -> None:
    """Take an entry out of GRUB's custom.cfg, which goes when nothing else is in it. Raises OSError."""
    # Read again: of several entries, each is taken out of what the one before has left.
    rest = without_entry(read(custom), set_id)
    if rest.strip():
        write_whole(custom, rest)
    else:
        custom.unlink()


def choose_once(grub: Grub, entry: str) -> None:
    """Have GRUB take an entry at the next boot, and only then. Raises FilesFailed, OSError."""
    run_tool(grub_editor(), grub.environment_path, "set", f"next_entry={entry}")
    sync(Path(os.path.realpath(grub.environment_path)).parent)


def take_back_choice(grub: Grub) -> None:
    """Have GRUB boot as ever at the next boot. Raises FilesFailed."""
    run_tool(grub_editor(), grub.environment_path, "unset", "next_entry")
