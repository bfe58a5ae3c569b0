# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what a host has of initramfs-tools, and of the script. Private to this collection."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.boot import ends_pollers, list_initramfs, stops_udev
from .._host.filesystem import free_bytes
from .._host.process import find_tool
from .._host.reading import checksum, unless_gone
from .._paths import INITRAMFS_SCRIPT
from .plan import Found, Image
from .script import Script

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT = Path("/boot")
# Debian's dracut also has an update-initramfs, but no mkinitramfs.
_OF_INITRAMFS_TOOLS = "mkinitramfs"


def read_found() -> Found:
    """Read the script and the list of files of each initramfs, which takes seconds. Raises OSError."""
    if find_tool(_OF_INITRAMFS_TOOLS) is None:
        return Found(builds=False, script=_read_script())
    status = os.statvfs(BOOT)
    return Found(
        builds=True,
        script=_read_script(),
        images=tuple(_images()),
        boot_is_writable=not status.f_flag & os.ST_RDONLY,
        boot_free=free_bytes(status),
    )


def _read_script() -> Script | None:
    status = unless_gone(INITRAMFS_SCRIPT.stat, None)
    if status is None:
        return None
    return Script(status.st_size, checksum(INITRAMFS_SCRIPT), status.st_mode & 0o7777)


def _images() -> Iterator[Image]:
    written = unless_gone(INITRAMFS_SCRIPT.stat, None)
    for kernel in sorted(path.name.partition("-")[2] for path in BOOT.glob("vmlinuz-*")):
        # The name that update-initramfs(8) gives.
        path = BOOT / f"initrd.img-{kernel}"
        if path.is_file():
            status = path.stat()
            lines = list_initramfs(str(path))
            yield Image(
                kernel=kernel,
                path=str(path),
                # lsinitramfs(8) may say nothing of a file that is none.
                readable=bool(lines),
                stops_udev=stops_udev(lines or ()),
                has_script=ends_pollers(lines or ()),
                is_older=written is not None and status.st_mtime_ns < written.st_mtime_ns,
                size=status.st_size,
            )
