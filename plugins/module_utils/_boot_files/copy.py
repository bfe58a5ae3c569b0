# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a boot filesystem copied with their metadata, each compared with its checksum. Private."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host.reading import checksum
from .scan import xattrs_of
from .tree import SELINUX

if TYPE_CHECKING:
    from .tree import Entry, Tree

_BLOCK = 1024 * 1024


def copy_tree(tree: Tree, target: Path) -> None:
    """Copy all of ``tree`` from its mountpoint to ``target``, a directory that is empty but for mountpoints' copies."""
    for path, entry in tree.entries.items():
        place = target / path
        if entry.kind in ("directory", "mountpoint"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            copy_one(entry, Path(tree.absolute(path)), place)
            give_metadata(entry, place)
    for path in sorted(tree.entries, reverse=True):
        if tree.entries[path].kind == "directory":
            give_metadata(tree.entries[path], target / path)


def copy_one(entry: Entry, source: Path, place: Path) -> None:
    """Make at ``place`` what ``entry`` says, of ``source``; on the disk when this returns.

    Raises FilesFailed when ``source`` has another checksum.
    """
    if entry.kind == "link":
        place.symlink_to(entry.target)
        return
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file, _BLOCK)
        file.flush()
        os.fsync(file.fileno())
    if checksum(place) != entry.sha256:
        place.unlink()
        raise FilesFailed(f"{source} has not the checksum that was written down for it ({entry.sha256})")


def give_metadata(entry: Entry, place: Path) -> None:
    """Give what is at ``place`` the owner, mode, attributes and time of ``entry``. Raises OSError."""
    os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "link":
        place.chmod(entry.mode)
    for name in set(xattrs_of(place)) - {*entry.xattrs, SELINUX}:
        os.removexattr(place, name, follow_symlinks=False)
    for name, value in entry.xattrs.items():
        os.setxattr(place, name, base64.b64decode(value), follow_symlinks=False)
    os.utime(place, ns=(entry.mtime, entry.mtime), follow_symlinks=False)
