# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read files that may disappear at any moment, in /proc, /sys and elsewhere. Private to this collection."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")
_BLOCK = 1024 * 1024
# Errors when a device or process ends while it is read: its directory is gone, or reading an open file fails. For a
# device that is being removed, device-mapper returns EINVAL (dm_attr_show, drivers/md/dm-sysfs.c).
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH, errno.EINVAL)


def read(path: str | Path) -> str:
    """Return the content of a file; empty if it does not exist. Bytes that are not UTF-8 become surrogates."""
    # Text mode would turn a carriage return in a name into the end of a line.
    return unless_gone(lambda: Path(path).read_bytes(), b"").decode(errors="surrogateescape")


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
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
