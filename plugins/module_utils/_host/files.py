# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the host written so that a power cut leaves the old content or the new. Private to this collection."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_directory(place: Path) -> None:
    """Write to the disk which names are in the directory ``place``. Raises OSError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str, *, mode: int | None = None, aside: Path | None = None) -> None:
    """Give a file of root another content, all of it or none, on the disk when this returns. Raises OSError.

    Until then it lies beside the file, or in the directory ``aside`` where somebody reads everything that is beside it.
    """
    new = (aside or path.parent) / f"{path.name}.safepoint-new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_directory(path.parent)


def sync(place: Path) -> None:
    """Write all of the filesystem at ``place`` to the disk (syncfs(2)), and none of the others. Raises OSError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"{place} cannot be synced")
    finally:
        os.close(descriptor)
