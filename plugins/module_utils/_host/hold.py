# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep a filesystem read-only until the next boot, so that nobody changes it. Private to this collection."""

from __future__ import annotations

from pathlib import Path

from .._errors import FilesFailed
from .._paths import RUN_DIRECTORY
from .process import run_tool
from .reading import read

HOLD_TOOLS = ("nsenter",)
"""The programs that this file runs."""


def holder_of(mountpoint: str) -> str:
    """Who keeps the filesystem at ``mountpoint`` read-only since this boot, as given to ``hold``; "" for nobody."""
    return read(_mark(mountpoint))


def hold(mountpoint: str, holder: str) -> None:
    """Make the filesystem at ``mountpoint`` read-only, for all processes. Raises FilesFailed, OSError."""
    mark = _mark(mountpoint)
    mark.parent.mkdir(mode=0o700, exist_ok=True)
    mark.write_text(holder, encoding="ascii")
    try:
        _remount("ro", mountpoint)
    except FilesFailed as error:
        mark.unlink()
        raise FilesFailed(
            f"{mountpoint} must be read-only until the reboot, so that no other program changes it, but {error}. If a "
            f"program has a file there open for writing (fuser -vm {mountpoint}), stop it, then run this again",
            changed=True,
        ) from error


def release(mountpoint: str) -> None:
    """Make the filesystem at ``mountpoint`` writable again. Raises FilesFailed, OSError."""
    _remount("rw", mountpoint)
    # The mounts of this process may be copies, made while the filesystem was read-only.
    run_tool("mount", "-o", "remount,rw", mountpoint)
    _mark(mountpoint).unlink(missing_ok=True)


def _remount(option: str, mountpoint: str) -> None:
    # The kernel records "read-only" for the filesystem and for each of its mounts. This process may have a mount
    # namespace of its own, so it is done where all others see it (namespaces: mount_namespaces(7)).
    run_tool("nsenter", "--mount=/proc/1/ns/mnt", "mount", "-o", f"remount,{option}", mountpoint)


def _mark(mountpoint: str) -> Path:
    return Path(RUN_DIRECTORY) / "read-only" / mountpoint.strip("/").replace("/", "-")
