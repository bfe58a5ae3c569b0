# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make automounts mount their filesystem, without waiting for one that cannot. Private to this collection."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from .process import clean_environment, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 30
"""How long to wait for automounts, in seconds. The mount may check its filesystem first."""
_GIVING_UP = 2


def wake(mountpoints: Iterable[str]) -> None:
    """Make the automounts at these mountpoints mount their filesystem. Those that do not within 30 s are left alone.

    A process that looks at an automount sleeps until the mount has ended. So children look, and are killed.
    """
    lookers = [_look(mountpoint) for mountpoint in mountpoints]
    end = time.monotonic() + PATIENCE
    for looker in lookers:
        with suppress(subprocess.TimeoutExpired):
            looker.wait(max(0.0, end - time.monotonic()))
            continue
        looker.kill()
        # The kernel lets a process that waits for an automount be killed (autofs_wait, fs/autofs/waitq.c).
        with suppress(subprocess.TimeoutExpired):
            looker.wait(_GIVING_UP)


def _look(mountpoint: str) -> subprocess.Popen[bytes]:
    # The last dot makes the kernel go into the directory. To look at the directory alone would mount nothing (stat(2)).
    argv = [find_tool("ls") or "ls", "-d", "--", f"{mountpoint}/."]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing, env=clean_environment())


def keep_mounted(mountpoint: str) -> None:
    """Keep what an automount has mounted from being unmounted for being idle, until this process ends.

    Nobody closes the descriptor: what is planned with this filesystem must still be true when it is done.
    """
    with suppress(OSError):
        os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
