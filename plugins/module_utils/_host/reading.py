# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read files that may disappear at any moment, in /proc, /sys and elsewhere. Private to this collection."""

from __future__ import annotations

import errno
import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Found = TypeVar("_Found")
_BLOCK = 1024 * 1024
# Errors when a device or process ends while it is read: its directory is gone, or reading an open file fails.
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH, errno.EINVAL)


def read(path: str | Path) -> str:
    """Return the content of a file; empty if it does not exist. Bytes that are not UTF-8 become surrogates."""
    # Text mode would turn a carriage return in a name into the end of a line.
    with naming(path):
        return unless_gone(lambda: Path(path).read_bytes(), b"").decode(errors="surrogateescape")


def dm_attribute(device: Path, name: str) -> bytes:
    """Return a device-mapper attribute of a directory of /sys/class/block, without the line feed.

    Empty if it is not a device-mapper device, or is being removed. Then device-mapper returns EINVAL (dm_attr_show,
    drivers/md/dm-sysfs.c), or for name and uuid EIO (dm_attr_name_show), which anywhere else is a broken disk.
    """
    path = device / "dm" / name
    try:
        with naming(path):
            return unless_gone(path.read_bytes, b"").rstrip(b"\n")
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Give an OSError the name of the file, if the system call that failed got only a descriptor."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def unless_gone(reader: Callable[[], _Found], default: _Found) -> _Found:
    """Return what ``reader`` returns, or ``default`` if the file does not exist (any more). Raises other OSErrors."""
    try:
        return reader()
    except OSError as error:
        if error.errno in _GONE:
            return default
        raise


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content. Raises OSError."""
    digest = hashlib.sha256()
    with naming(path), path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
