# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot will use: the kernels in /boot and what is in the initramfs of each. Private to this collection.

Looking into an initramfs takes seconds, so this is done only for what needs it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._model import Boot, Initramfs
from .._paths import INITRAMFS_SCRIPT, initramfs_names
from .process import find_tool, run_tool
from .reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The script of initramfs-tools after which nobody answers LVM, and the one of initramfs_hook that comes before.
_STOPS_UDEV = "scripts/init-bottom/udev"
_ENDS_POLLERS = "/".join(INITRAMFS_SCRIPT.parts[-3:])
_MODULE_FILE = re.compile(r"([^/\s]+)\.ko(?:\.\w+)?$")


def read_boot() -> Boot:
    """What the host boots with; looks into the initramfs of each kernel, which takes seconds."""
    boot = Path("/boot")
    kernels = sorted(path.name.partition("-")[2] for path in boot.glob("vmlinuz-*"))
    wanted = [kernel for kernel in kernels if "rescue" not in kernel]
    return Boot(running_kernel=os.uname().release, initramfs=tuple(_read_initramfs(boot, kernel) for kernel in wanted))


def _read_initramfs(boot: Path, kernel: str) -> Initramfs:
    candidates = (boot / name for name in initramfs_names(kernel))
    path = next((str(candidate) for candidate in candidates if candidate.is_file()), None)
    modules_dir = Path("/lib/modules") / kernel
    listing = list_initramfs(path) if path else None
    builtin = modules_in(read(modules_dir / "modules.builtin").splitlines())
    return Initramfs(
        kernel=kernel,
        path=path,
        modules=None if listing is None else modules_in(listing) | builtin,
        has_modules_dir=modules_dir.is_dir(),
        leaves_pollers=listing is not None and leaves_pollers(listing),
    )


def list_initramfs(path: str) -> list[str] | None:
    """The files in an initramfs, a line each, by lsinitramfs(8) or lsinitrd(1) of dracut; None if neither can."""
    tool = next((name for name in ("lsinitramfs", "lsinitrd") if find_tool(name)), None)
    if tool is None:
        return None
    try:
        return run_tool(tool, path).splitlines()
    except FilesFailed:
        return None


def leaves_pollers(lines: Sequence[str]) -> bool:
    """Whether LVM may still poll for a merge when the initramfs whose files are named in ``lines`` hands over.

    With initramfs-tools it does (docs/lvm.md); dracut activates with --sysinit, which does not poll (dracut, 70lvm).
    """
    return stops_udev(lines) and not ends_pollers(lines)


def stops_udev(lines: Sequence[str]) -> bool:
    """Whether an initramfs stops udev before it hands over, as one of initramfs-tools does."""
    return any(line.endswith(_STOPS_UDEV) for line in lines)


def ends_pollers(lines: Sequence[str]) -> bool:
    """Whether the script of the module initramfs_hook is in an initramfs."""
    return any(line.endswith(_ENDS_POLLERS) for line in lines)


def modules_in(lines: Iterable[str]) -> frozenset[str]:
    """The kernel modules whose files are named in ``lines``, with underscores as the kernel has it."""
    found = (_MODULE_FILE.search(line) for line in lines)
    return frozenset(match[1].replace("-", "_") for match in found if match)
