# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the host that may be gone a moment later: /proc, /sys, and what others write. Private to this collection."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")
_BLOCK = 1024 * 1024
# A device or process that ends between two looks: its directory is gone, or what is open has nothing to tell of. Of a
# device that is being removed, device-mapper says EINVAL (dm_attr_show, drivers/md/dm-sysfs.c).
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH, errno.EINVAL)


def read(path: str | Path) -> str:
    """What is in a file, with bytes that are not UTF-8 as surrogates; nothing when it is not there."""
    # Not as text, which would make a carriage return in a name the end of a line.
    return unless_gone(lambda: Path(path).read_bytes(), b"").decode(errors="surrogateescape")


def unless_gone(read_it: Callable[[], _Found], otherwise: _Found) -> _Found:
    """What ``read_it`` finds, or ``otherwise`` when that is not there or went away meanwhile; OSError for the rest."""
    try:
        return read_it()
    except OSError as error:
        if error.errno in _GONE:
            return otherwise
        raise


def checksum(path: Path) -> str:
    """The SHA-256 of a file's content. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
