# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a boot filesystem, with the checksum of every file. Private to this collection."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host.files import extended_attributes
from .._host.reading import checksum
from .rule import is_left_out
from .tree import WORKSPACE, Entry, EntryKind, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def scan(top: Path, *, mountpoint: str, fstype: str) -> Tree:
    """Return everything on the filesystem at ``top``, except this collection's own workspace.

    Raises FilesFailed if there is anything but files, directories and symbolic links, because it could not be restored;
    and OSError.
    """
    device = top.lstat().st_dev
    return Tree(mountpoint, fstype, dict(_entries(top, top, device)))


def rescan(tree: Tree) -> Tree:
    """Return the filesystem of ``tree`` as it is now. Raises FilesFailed and OSError as ``scan`` does."""
    return scan(Path(tree.mountpoint), mountpoint=tree.mountpoint, fstype=tree.fstype)


def _entries(top: Path, directory: Path, device: int) -> Iterator[tuple[str, Entry]]:
    yield str(directory.relative_to(top)), _entry(directory)
    for child in sorted(directory.iterdir()):
        if directory == top and child.name.startswith(WORKSPACE):
            continue
        status = child.lstat()
        if status.st_dev != device:
            yield str(child.relative_to(top)), Entry(kind="mountpoint")
        elif is_left_out(str(child.relative_to(top))):
            yield str(child.relative_to(top)), Entry(kind="left_out")
        elif stat.S_ISDIR(status.st_mode):
            yield from _entries(top, child, device)
        else:
            yield str(child.relative_to(top)), _entry(child)


def _entry(path: Path) -> Entry:
    status = path.lstat()
    kinds: Mapping[int, EntryKind] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise FilesFailed(f"cannot save {path}: it is a device, a socket or a pipe, not a file. Move it elsewhere")
    return Entry(
        kind=kind,
        mode=0 if kind == "link" else stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns,
        size=status.st_size if kind == "file" else 0,
        sha256=checksum(path) if kind == "file" else "",
        target=str(path.readlink()) if kind == "link" else "",
        xattrs=xattrs_of(path),
    )


def xattrs_of(path: Path) -> dict[str, str]:
    """Return the extended attributes of ``path``, encoded in base64, by name.

    Symbolic links are not followed. The result is empty if the filesystem does not support extended attributes.
    """
    return {name: base64.b64encode(value).decode("ascii") for name, value in extended_attributes(path).items()}
