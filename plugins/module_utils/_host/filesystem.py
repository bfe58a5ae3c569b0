# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystems on LVs of this collection's own: made, mounted, read. Private to this collection.

They are mounted in a mount namespace of this process alone: whoever kills it, nothing stays mounted.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .lock import RUN_DIRECTORY
from .._lvm.command import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILESYSTEM = "ext4"
# Of unshare(2).
_CLONE_NEWNS = 0x00020000


def missing_tools(names: Sequence[str] = (f"mkfs.{FILESYSTEM}", "mount", "umount")) -> list[str]:
    """Those of the programs that the host does not have."""
    return [name for name in names if find_tool(name) is None]


def find_tool(name: str) -> str | None:
    """Where the host has a program; also in the directories of administrators."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def run_tool(name: str, *arguments: str) -> str:
    """Run a program of the host; what it prints. Raises FilesFailed when it fails."""
    argv = [find_tool(name) or name, *arguments]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=clean_environment(),
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise FilesFailed(f"{' '.join(argv)} failed with {done.returncode} and said: {said}", cmd=argv)
    return done.stdout


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
