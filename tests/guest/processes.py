# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking for processes and devices in the middle of what a module does, and killing what is found."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE = 120


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def wait_for_child_of_child(pid: int) -> tuple[int, int]:
    """The LVM command below the supervisor below the module ``pid``, as soon as it runs; and the supervisor."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        for supervisor in children(pid):
            for child in children(supervisor):
                # Until then it is a copy of the supervisor.
                if b"/lvm\0" in _command_line(child):
                    return child, supervisor
    raise AssertionError(f"no command of LVM was started below process {pid}")


def _command_line(pid: int) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


def kill(pid: int) -> bool:
    """Kill a process; whether it was still running."""
    if not is_running(pid):
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended."""
    end = time.monotonic() + _PATIENCE
    while is_running(pid):
        assert time.monotonic() < end, f"process {pid} still runs"
        time.sleep(0.05)


def suspended() -> list[str]:
    """The devices of device-mapper that are suspended now."""
    found = Path("/sys/class/block").glob("dm-*/dm")
    return [(dm / "name").read_text().strip() for dm in found if (dm / "suspended").read_text().strip() == "1"]


def suspended_for_good() -> list[str]:
    """The devices that stay suspended; whoever ends a merge in the background suspends some for a moment."""
    end = time.monotonic() + _PATIENCE / 6
    while (found := suspended()) and time.monotonic() < end:
        time.sleep(0.2)
    return found
