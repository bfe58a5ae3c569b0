# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find and kill processes while a module runs, and find suspended devices."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE = 120


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that still exist."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def wait_for_child_of_child(pid: int) -> tuple[int, int]:
    """Wait for the LVM command below the supervisor of the module ``pid``. Return both PIDs, the command's first."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        for supervisor in children(pid):
            for child in children(supervisor):
                # Before exec it is still a copy of the supervisor.
                if b"/lvm\0" in _command_line(child):
                    return child, supervisor
    raise AssertionError(f"process {pid} has started no LVM command")


def _command_line(pid: int) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


def kill(pid: int) -> bool:
    """Kill a process. Return whether it was still running."""
    if not is_running(pid):
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended."""
    end = time.monotonic() + _PATIENCE
    while is_running(pid):
        assert time.monotonic() < end, f"process {pid} is still running"
        time.sleep(0.05)


def suspended() -> list[str]:
    """The device-mapper devices that are suspended now."""
    found = Path("/sys/class/block").glob("dm-*/dm")
    return [(dm / "name").read_text().strip() for dm in found if (dm / "suspended").read_text().strip() == "1"]


def suspended_for_good() -> list[str]:
    """The devices that stay suspended. The end of a merge in the background suspends some for a moment."""
    end = time.monotonic() + _PATIENCE / 6
    while (found := suspended()) and time.monotonic() < end:
        time.sleep(0.2)
    return found
