# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what the host can boot: the kernels in /boot and the contents of each initramfs. Private to this collection.

Listing an initramfs takes seconds, so only plans that need it call this.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host_model import Boot, Initramfs
from .._paths import INITRAMFS_SCRIPT, initramfs_names
from .process import find_tool, run_tool
from .reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# The script of initramfs-tools that stops udev, and the script of the module initramfs_hook, which runs before it.
# Without udev, LVM waits for an answer that never comes.
_STOPS_UDEV = "scripts/init-bottom/udev"
_ENDS_POLLERS = "/".join(INITRAMFS_SCRIPT.parts[-3:])
_MODULE_FILE = re.compile(r"([^/\s]+)\.ko(?:\.\w+)?$")


Listings = dict[str, "list[str] | None"]
"""The files in each initramfs, by kernel; None if they cannot be listed."""


def list_each_initramfs() -> Listings:
    """Return the files in the initramfs of each kernel in /boot, as ``list_initramfs`` does. Takes seconds."""
    return {kernel: list_initramfs(path) for kernel, path in _each_initramfs() if path is not None}


def read_boot(listings: Callable[[], Listings] = list_each_initramfs) -> Boot:
    """Return the running kernel, and the initramfs of each kernel in /boot except rescue kernels. Takes seconds."""
    listed = listings()
    found = tuple(_read_initramfs(kernel, path, listed.get(kernel)) for kernel, path in _each_initramfs())
    return Boot(running_kernel=os.uname().release, initramfs=found)


def _each_initramfs() -> Iterator[tuple[str, str | None]]:
    boot = Path("/boot")
    for kernel in sorted(path.name.partition("-")[2] for path in boot.glob("vmlinuz-*")):
        if "rescue" not in kernel:
            candidates = (boot / name for name in initramfs_names(kernel))
            yield kernel, next((str(candidate) for candidate in candidates if candidate.is_file()), None)


def _read_initramfs(kernel: str, path: str | None, listing: list[str] | None) -> Initramfs:
    modules_dir = Path("/lib/modules") / kernel
    builtin = modules_in(read(modules_dir / "modules.builtin").splitlines())
    return Initramfs(
        kernel=kernel,
        path=path,
        modules=None if listing is None else modules_in(listing) | builtin,
        has_modules_dir=modules_dir.is_dir(),
        leaves_pollers=listing is not None and leaves_pollers(listing),
    )


def list_initramfs(path: str) -> list[str] | None:
    """List the files in an initramfs, one per line, with lsinitramfs(8) or dracut's lsinitrd(1).

    Returns None if the host has neither program, or if the program fails.
    """
    tool = next((name for name in ("lsinitramfs", "lsinitrd") if find_tool(name)), None)
    if tool is None:
        return None
    try:
        return run_tool(tool, path).splitlines()
    except FilesFailed:
        return None


def leaves_pollers(lines: Sequence[str]) -> bool:
    """Whether LVM may still poll a merge when this initramfs switches to the real root. ``lines`` lists its files.

    With initramfs-tools it may (docs/lvm.md). dracut activates with --sysinit, which does not poll (dracut, 70lvm).
    """
    return stops_udev(lines) and not ends_pollers(lines)


def stops_udev(lines: Sequence[str]) -> bool:
    """Whether this initramfs stops udev before it switches to the real root, as those of initramfs-tools do."""
    return any(line.endswith(_STOPS_UDEV) for line in lines)


def ends_pollers(lines: Sequence[str]) -> bool:
    """Whether this initramfs contains the script of the module initramfs_hook."""
    return any(line.endswith(_ENDS_POLLERS) for line in lines)


def modules_in(lines: Iterable[str]) -> frozenset[str]:
    """Return the names of the kernel modules whose files ``lines`` lists, with underscores as in the kernel."""
    found = (_MODULE_FILE.search(line) for line in lines)
    return frozenset(match[1].replace("-", "_") for match in found if match)
