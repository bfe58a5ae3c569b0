# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory that stands for the filesystem /boot, before and after a change, and its backup."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.restore import Site
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.copy import copy_tree
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import Difference, compare
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.scan import rescan, scan
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import workspace

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Tree

# By path: the text of a file, the target of a link after "->", or None for a directory.
BEFORE: dict[str, str | None] = {
    "vmlinuz-1": "kernel 1",
    "initrd.img-1": "initramfs 1",
    "config-1": "config 1",
    "grub": None,
    "grub/grub.cfg": "menu of 1",
    "grub/grubenv": "saved_entry=1",
    "grub/i386-pc": None,
    "grub/i386-pc/core.img": "image",
    "grub/i386-pc/normal.mod": "module",
    "vmlinuz": "->vmlinuz-1",
    "loader": None,
    "loader/entries": None,
    "loader/entries/1.conf": "entry 1",
}
AFTER: dict[str, str | None] = {
    "vmlinuz-2": "kernel 2",
    "initrd.img-2": "initramfs 2",
    "initrd.img-1": "initramfs 1, other",
    "grub": None,
    "grub/grub.cfg": "menu of 2",
    "grub/grubenv": "saved_entry=2",
    "grub/i386-pc": None,
    "grub/i386-pc/core.img": "image",
    "grub/i386-pc/normal.mod": "broken",
    "vmlinuz": "->vmlinuz-2",
    "config-1": None,
    "config-1/x": "a file in what was a file",
    "loader": None,
    "loader/entries": None,
    "loader/entries/2.conf": "entry 2",
}


def fill(top: Path, content: Any) -> None:
    for path, text in sorted(content.items()):
        place = top / path
        if text is None:
            place.mkdir(parents=True, exist_ok=True)
        elif text.startswith("->"):
            place.symlink_to(text[2:])
        else:
            place.write_text(text)
    for path in sorted((path for path, text in content.items() if text is not None), reverse=True):
        os.utime(top / path, ns=(5_000_000_000, 5_000_000_000), follow_symlinks=False)


def empty(top: Path) -> None:
    for child in top.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def contents(top: Path) -> dict[str, str | None]:
    """Return the content of a directory, in the form of the tables above."""
    found: dict[str, str | None] = {}
    for place in sorted(top.rglob("*")):
        path = str(place.relative_to(top))
        if place.is_symlink():
            found[path] = f"->{place.readlink()}"
        else:
            found[path] = None if place.is_dir() else place.read_text()
    return found


class Host:
    """A directory that stands for /boot after a change, and a backup of its content before the change."""

    def __init__(self, base: Path, before: Any, after: Any, *, fstype: str = "ext4") -> None:
        self.fstype = fstype
        self.boot, copies = base / "boot", base / "copies"
        self.boot.mkdir()
        copies.mkdir()
        fill(self.boot, before)
        self.saved = self.scan()
        copy_tree(self.saved, copies)
        empty(self.boot)
        fill(self.boot, after)
        self.site = Site(self.saved, copies, workspace(str(self.boot), "0123456789abcdef"))
        self.before, self.after = before, after

    def scan(self) -> Tree:
        return scan(self.boot, mountpoint=str(self.boot), fstype=self.fstype)

    def difference(self) -> Difference:
        return compare(self.saved, rescan(self.saved))
