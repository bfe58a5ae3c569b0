# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write files so that a power cut leaves either the old or the new content. Private to this collection."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Write the entries of a directory to disk, so that new and removed names last. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str, *, mode: int | None = None, directory: Path | None = None) -> None:
    """Replace the content of a file atomically; it is on disk when this returns. Raises OSError.

    The new content is first written to a temporary file beside ``path``, or in ``directory`` on the same filesystem if
    another program reads every file beside ``path``.
    """
    new = (directory or path.parent) / f"{path.name}.safepoint-new"
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


def sync(directory: Path) -> None:
    """Write the filesystem that contains ``directory`` to disk (syncfs(2)), and no other. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"cannot sync {directory}")
    finally:
        os.close(descriptor)
