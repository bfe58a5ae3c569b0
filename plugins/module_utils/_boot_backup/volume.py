# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create, fill and verify the filesystem of a backup of /boot. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._boot_files.copy import copy_tree
from .._boot_files.difference import compare
from .._boot_files.manifest import copies_of, read_manifest, write_manifest
from .._boot_files.scan import rescan, scan
from .._errors import FilesFailed
from .._host.files import sync
from .._host.filesystem import make_filesystem, mounted
from .._settings import FILESYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .._boot_files.firmware import Firmware
    from .._boot_files.tree import Tree


def write_backup(device: str, trees: Sequence[Tree], firmware: Firmware, *, inodes: int) -> str:
    """Create the filesystem on ``device`` and copy ``trees`` and ``firmware`` into it.

    Returns the checksum of the manifest. Everything is read back from the disk. Raises FilesFailed if a copy is wrong
    or a file changed meanwhile, OSError.
    """
    # It needs no journal: a backup that was interrupted is never sealed and never used.
    make_filesystem(device, inodes=inodes, journal=False)
    with mounted(device, writable=True) as backup:
        # The copies may contain secrets, such as keys of encrypted disks in an initramfs.
        backup.chmod(0o700)
        # Parents first: the ESP may be mounted below /boot.
        for tree in trees:
            copy_tree(tree, copies_of(backup, tree))
        checksum = write_manifest(backup, trees, firmware)
        sync(backup)
    with mounted(device) as backup:
        for tree in read_manifest(backup, checksum).trees:
            _check_copies(backup, tree)
    return checksum


def _check_copies(backup: Path, tree: Tree) -> None:
    copies = copies_of(backup, tree)
    for path, entry in scan(copies, mountpoint=tree.mountpoint, fstype=FILESYSTEM).entries.items():
        saved = tree.entries.get(path)
        if saved is not None and saved.kind != "mountpoint" and saved.content != entry.content:
            raise FilesFailed(f"the copy of {tree.absolute(path)} differs from the original: check the disk")


def check_unchanged(trees: Sequence[Tree]) -> None:
    """Raise FilesFailed if a boot filesystem no longer matches its tree. Raises OSError."""
    for tree in trees:
        if not compare(tree, rescan(tree)).is_empty:
            raise FilesFailed(
                f"{tree.mountpoint} changed while it was saved: wait for that to end, then run this again"
            )
