# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write files so that a power cut leaves either the old or the new content. Private to this collection."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .reading import naming

if TYPE_CHECKING:
    from collections.abc import Iterator

# The kernel calculates it from the inode, so it fits no other file (security/integrity/evm).
_OF_ONE_INODE = "security.evm"
_NO_XATTRS = (errno.ENOTSUP, errno.ENODATA, errno.EPERM)


def sync_directory(directory: Path) -> None:
    """Write the entries of a directory to disk, so that new and removed names last. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with naming(directory):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str, *, mode: int | None = None, directory: Path | None = None) -> None:
    """Replace the content of a file atomically; it is on disk when this returns. Raises OSError.

    The new content is first written to a temporary file beside ``path``, or in ``directory`` on the same filesystem if
    another program reads every file beside ``path``.
    """
    with _replacement(path, directory or path.parent, 0o644) as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text)


def rewrite(path: Path, text: str) -> None:
    """Replace the content of a file like ``write_atomically``, and keep its owner, mode and extended attributes.

    If ``path`` is a symbolic link, it stays, and the file to which it leads is replaced. A new file is readable only
    for root. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    if not target.exists():
        write_atomically(target, text, mode=0o600)
        return
    with _replacement(target, target.parent, 0o600) as file:
        _copy_metadata(target, file.fileno())
        file.write(text)


@contextmanager
def _replacement(path: Path, directory: Path, mode: int) -> Iterator[IO[str]]:
    """Yield a new file in ``directory``. If no error is raised, it is then written to disk and renamed to ``path``."""
    new = directory / f"{path.name}.safepoint-new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with naming(path), os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_directory(path.parent)


def _copy_metadata(source: Path, descriptor: int) -> None:
    was, now = source.stat(), os.fstat(descriptor)
    # vfat stores neither, and refuses to change them.
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        os.fchown(descriptor, was.st_uid, was.st_gid)
    if stat.S_IMODE(was.st_mode) != stat.S_IMODE(now.st_mode):
        os.fchmod(descriptor, stat.S_IMODE(was.st_mode))
    for name, value in extended_attributes(source).items():
        os.setxattr(descriptor, name, value)


def extended_attributes(path: Path) -> dict[str, bytes]:
    """Return the extended attributes of ``path`` that another file can have too, by name. Raises OSError.

    Symbolic links are not followed. The result is empty if the filesystem does not support extended attributes.
    """
    try:
        names = [name for name in os.listxattr(path, follow_symlinks=False) if name != _OF_ONE_INODE]
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return {}
        raise


def sync(directory: Path) -> None:
    """Write the filesystem that contains ``directory`` to disk (syncfs(2)), and no other. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))
    finally:
        os.close(descriptor)
