# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is on the LV of a backup of /boot: written and read. Private to this collection."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from .restore import copy_tree, scan, sync
from .._boot_files.tree import checksums, compare, dump, load
from .._errors import FilesFailed
from .._host.filesystem import FILESYSTEM, make_filesystem, mounted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._boot_files.tree import Tree

_COPIES, _MANIFEST, _CHECKSUMS = "tree", "manifest.json", "SHA256SUMS"


def write_backup(device: str, trees: Sequence[Tree], *, inodes: int) -> str:
    """Make the filesystem on ``device`` and copy ``trees`` into it; the checksum of its manifest.

    Everything is read back from the disk. Raises FilesFailed when that, or what was copied, is not as it was.
    """
    # Without a journal, which is for writers that are cut off: one that was is never sealed and never used.
    make_filesystem(device, inodes=inodes, journal=False)
    manifest = dump(trees)
    with mounted(device, writable=True) as place:
        # Parents first: the ESP is mounted on /boot.
        for tree in trees:
            copy_tree(tree, copies_of(place, tree))
        (place / _CHECKSUMS).write_text(checksums(trees), encoding="utf-8", errors="surrogateescape")
        (place / _MANIFEST).write_text(manifest, encoding="ascii")
        sync(place)
    checksum = _checksum(manifest)
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


def read_manifest(place: Path, checksum: str) -> tuple[Tree, ...]:
    """What the backup mounted at ``place`` holds. Raises FilesFailed when its manifest is not the sealed one."""
    text = (place / _MANIFEST).read_text(encoding="ascii", errors="replace")
    if _checksum(text) != checksum:
        raise FilesFailed("the manifest of the backup of /boot is damaged: its checksum is not the one in the tag")
    return load(text)


def copies_of(place: Path, tree: Tree) -> Path:
    """Where in the backup mounted at ``place`` the copies of a tree are."""
    return place / _COPIES / tree.mountpoint.lstrip("/")


def _checksum(manifest: str) -> str:
    return hashlib.sha256(manifest.encode()).hexdigest()
