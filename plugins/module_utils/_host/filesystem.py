# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create and mount filesystems on auxiliary LVs. Private to this collection.

They are mounted in a private mount namespace of this process, so nothing stays mounted when the process is killed.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed, SafepointError, error_text
from .._paths import RUN_DIRECTORY
from .._settings import FILESYSTEM
from .process import run_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED_TOOLS = (f"mkfs.{FILESYSTEM}", "mount", "umount")
"""The programs that this file runs."""
# Flag of unshare(2).
_CLONE_NEWNS = 0x00020000


def make_filesystem(device: str, *, inodes: int, journal: bool, uuid: str = "random") -> None:
    """Create a filesystem on ``device`` with ``inodes`` inodes and no reserved blocks. Raises FilesFailed."""
    features = () if journal else ("-O", "^has_journal")
    run_tool(f"mkfs.{FILESYSTEM}", "-q", "-F", "-m", "0", *features, "-U", uuid, "-N", str(inodes), device)


@contextmanager
def mounted(device: str, *, writable: bool = False, executable: bool = False) -> Iterator[Path]:
    """Mount the filesystem of ``device``; yields its mountpoint. Only this process and its children see it.

    Raises FilesFailed.
    """
    mountpoint = Path(RUN_DIRECTORY) / "mnt"
    # With parents=True, mkdir would ignore the mode for the parents.
    for directory in (mountpoint.parent, mountpoint):
        directory.mkdir(mode=0o700, exist_ok=True)
    _enter_private_mount_namespace()
    options = [*([] if writable else ["ro"]), "nosuid", "nodev", *([] if executable else ["noexec"])]
    run_tool("mount", "-t", FILESYSTEM, "-o", ",".join(options), device, str(mountpoint))
    try:
        yield mountpoint
    except (SafepointError, OSError) as error:
        _unmount_after(error, mountpoint)
        raise
    run_tool("umount", str(mountpoint))


def _unmount_after(error: SafepointError | OSError, mountpoint: Path) -> None:
    """Unmount after an error. If that fails too, both are raised as one error: none hides the other."""
    try:
        run_tool("umount", str(mountpoint))
    except (SafepointError, OSError) as second:
        details = error.details if isinstance(error, SafepointError) else {}
        raise FilesFailed(f"{error_text(error)}; then {error_text(second)}", **details) from error


def free_bytes(status: os.statvfs_result) -> int:
    """Return how many bytes root can write to a filesystem.

    ext4 reports clusters as free that not even root can use: a fiftieth, at most 4096 (ext4_calculate_resv_clusters,
    fs/ext4/super.c).
    """
    reserved = min(status.f_blocks // 50, 4096)
    return max(status.f_bfree - reserved, 0) * status.f_frsize


def _enter_private_mount_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        raise FilesFailed(f"cannot create a private mount namespace: {os.strerror(ctypes.get_errno())}")
    run_tool("mount", "--make-rprivate", "/")
