# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy files of a boot filesystem with their metadata, and verify each checksum. Private to this collection."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host.reading import checksum, naming
from .scan import xattrs_of
from .tree import SELINUX

if TYPE_CHECKING:
    from .tree import Entry, Tree

_BLOCK = 1024 * 1024


def copy_tree(tree: Tree, target: Path) -> None:
    """Copy ``tree`` from its mountpoint to the directory ``target``. Raises FilesFailed, OSError.

    ``target`` may already contain the directories where other filesystems are mounted, and must be empty otherwise.
    """
    for path, entry in tree.entries.items():
        copy = target / path
        if entry.kind in ("directory", "mountpoint"):
            copy.mkdir(parents=True, exist_ok=True)
        elif entry.kind != "left_out":
            copy_one(entry, Path(tree.absolute(path)), copy)
            set_metadata(entry, copy)
    for path in sorted(tree.entries, reverse=True):
        if tree.entries[path].kind == "directory":
            set_metadata(tree.entries[path], target / path)


def copy_one(entry: Entry, source: Path, target: Path) -> None:
    """Copy the file ``source`` to ``target``, or create the symbolic link of ``entry`` there.

    A file is on disk when this returns. Raises FilesFailed if its checksum differs from that of ``entry``, and OSError.
    """
    if entry.kind == "link":
        target.symlink_to(entry.target)
        return
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with naming(f"{source}, copied to {target}"), os.fdopen(descriptor, "wb") as file:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file, _BLOCK)
        file.flush()
        os.fsync(file.fileno())
    if checksum(target) != entry.sha256:
        target.unlink()
        raise FilesFailed(f"cannot copy {source}: its checksum is not the recorded one ({entry.sha256})")


def set_metadata(entry: Entry, path: Path) -> None:
    """Set owner, mode, extended attributes and modification time of ``path`` to those of ``entry``. Raises OSError."""
    os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "link":
        path.chmod(entry.mode)
    for name in set(xattrs_of(path)) - {*entry.xattrs, SELINUX}:
        os.removexattr(path, name, follow_symlinks=False)
    for name, value in entry.xattrs.items():
        os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)
    os.utime(path, ns=(entry.mtime, entry.mtime), follow_symlinks=False)
