# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystems on auxiliary LVs: made, mounted, read. Private to this collection.

They are mounted in a mount namespace of this process alone: whoever kills it, nothing stays mounted.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._paths import RUN_DIRECTORY
from .._settings import FILESYSTEM
from .process import run_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED_TOOLS = (f"mkfs.{FILESYSTEM}", "mount", "umount")
"""The programs that this calls."""
# Of unshare(2).
_CLONE_NEWNS = 0x00020000


def make_filesystem(device: str, *, inodes: int, journal: bool) -> None:
    """Make a filesystem on ``device`` with room for ``inodes`` entries, all of it for root."""
    features = () if journal else ("-O", "^has_journal")
    run_tool(f"mkfs.{FILESYSTEM}", "-q", "-F", "-m", "0", *features, "-N", str(inodes), device)


@contextmanager
def mounted(device: str, *, writable: bool = False, executable: bool = False) -> Iterator[Path]:
    """The filesystem of ``device``, seen by this process and its children alone."""
    place = Path(RUN_DIRECTORY) / "mnt"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _leave_mount_namespace()
    options = [*([] if writable else ["ro"]), "nosuid", "nodev", *([] if executable else ["noexec"])]
    run_tool("mount", "-t", FILESYSTEM, "-o", ",".join(options), device, str(place))
    try:
        yield place
    finally:
        run_tool("umount", str(place))


def _leave_mount_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        raise FilesFailed(f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}")
    run_tool("mount", "--make-rprivate", "/")
