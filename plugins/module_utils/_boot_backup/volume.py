# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filesystem of a backup of /boot: made, filled and verified. Private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._boot_files.copy import copy_tree
from .._boot_files.difference import compare
from .._boot_files.manifest import copies_of, read_manifest, write_manifest
from .._boot_files.scan import scan
from .._errors import FilesFailed
from .._host.files import sync
from .._host.filesystem import make_filesystem, mounted
from .._settings import FILESYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._boot_files.tree import Tree


def write_backup(device: str, trees: Sequence[Tree], *, inodes: int) -> str:
    """Make the filesystem on ``device`` and copy ``trees`` into it; the checksum of its manifest.

    Everything is read back from the disk. Raises FilesFailed when that, or what was copied, is not as it was.
    """
    # Without a journal, which is for writers that are cut off: one that was is never sealed and never used.
    make_filesystem(device, inodes=inodes, journal=False)
    with mounted(device, writable=True) as place:
        # Parents first: the ESP is mounted on /boot.
        for tree in trees:
            copy_tree(tree, copies_of(place, tree))
        checksum = write_manifest(place, trees)
        sync(place)
    with mounted(device) as place:
        for tree in read_manifest(place, checksum):
            _check_copies(place, tree)
    return checksum


def _check_copies(place: Path, tree: Tree) -> None:
    copies = copies_of(place, tree)
    for path, entry in scan(copies, mountpoint=tree.mountpoint, fstype=FILESYSTEM).entries.items():
        kept = tree.entries.get(path)
        if kept is not None and kept.kind != "mountpoint" and kept.content != entry.content:
            raise FilesFailed(f"the copy of {tree.absolute(path)} is not what was copied: the disk is not sound")


def check_unchanged(trees: Sequence[Tree]) -> None:
    """Raise FilesFailed when a tree is not any more what it was when it was read."""
    for tree in trees:
        now = scan(Path(tree.mountpoint), mountpoint=tree.mountpoint, fstype=tree.fstype)
        if not compare(tree, now).nothing:
            raise FilesFailed(f"{tree.mountpoint} was changed while it was saved: wait until nobody does, run again")
