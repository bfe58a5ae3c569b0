# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script written and removed, and an initramfs built. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host.boot import ends_pollers, list_initramfs
from .._host.files import sync_directory, write_atomically
from .._host.process import run_tool
from .._paths import INITRAMFS_SCRIPT
from .installed import BUILDER
from .plan import WANTED, Build, RemoveScript, WriteScript
from .program import PROGRAM

if TYPE_CHECKING:
    from .plan import State, Step

# Of every file in the directory of the script initramfs-tools makes a script.
_ASIDE = INITRAMFS_SCRIPT.parents[2]


def carry_out(step: Step, *, lock: int) -> None:
    """Carry out one step; whatever kills this process, ``lock`` is held until it has ended.

    Raises FilesFailed, OSError.
    """
    if isinstance(step, WriteScript):
        INITRAMFS_SCRIPT.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(INITRAMFS_SCRIPT, PROGRAM, mode=WANTED.mode, directory=_ASIDE)
    elif isinstance(step, RemoveScript):
        INITRAMFS_SCRIPT.unlink(missing_ok=True)
        sync_directory(INITRAMFS_SCRIPT.parent)
    else:
        run_tool(*command(step), pass_fds=(lock,))


def command(step: Build) -> tuple[str, ...]:
    """What builds an initramfs."""
    return BUILDER, "-u", "-k", step.kernel


def check_built(step: Build, state: State) -> None:
    """Raise FilesFailed unless the initramfs is as it was to be: update-initramfs may do nothing, and end well."""
    lines = list_initramfs(step.path)
    if not lines or ends_pollers(lines) is not (state == "present"):
        has = "does not hold" if state == "present" else "still holds"
        raise FilesFailed(
            f"update-initramfs ended well, but {step.path} {has} {INITRAMFS_SCRIPT.name}: look at what it prints "
            f"({' '.join(command(step))}) and at /etc/initramfs-tools/update-initramfs.conf"
        )
