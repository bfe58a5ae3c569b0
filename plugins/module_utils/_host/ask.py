# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program that only reads, with a time limit. Private to this collection.

LVM and others wait forever for a device that is suspended or answers nothing. A program that changes something has no
limit: what it leaves behind when it is killed may be worse than waiting.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import NoAnswer
from .process import clean_environment, process_name
from .reading import dm_attribute, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A report of LVM takes seconds. It waits while another LVM command holds the lock of a VG, which can take minutes.
_LIMIT = 300
# To tell a device that answers nothing from a busy one; and for a killed program to end.
_PAUSE = 5
_BLOCK_DEVICES = Path("/sys/class/block")
_LOCKS = "/proc/locks"


def ask(argv: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program that changes nothing, and return how it ended.

    Raises NoAnswer if it has not ended after 300 s, with what it waits for. Then it is killed. That has no effect while
    it waits for a device in the kernel, so this process does not wait for its end. It has no descriptor of this
    process: the host lock becomes free, and the task ends.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=_LIMIT)
        return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)
    except subprocess.TimeoutExpired as expired:
        causes = [*_lock_causes(process.pid), *_device_causes()]
        ended = "was stopped" if _kill(process) else f"cannot be stopped before a device answers (PID {process.pid})"
        unknown = "no device is suspended, none leaves a request unanswered, and nobody holds a lock that it waits for"
        name = " ".join([Path(argv[0]).name, *argv[1:2]])
        raise NoAnswer(
            f"{name} has not ended within {_LIMIT} s and {ended}: {'; '.join(causes) or unknown}", cmd=list(argv)
        ) from expired
    finally:
        _kill(process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> bool:
    """Kill a program and all that it has started. Return whether it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PAUSE)
    return process.returncode is not None


def _lock_causes(pid: int) -> Iterator[str]:
    """Who holds a lock that a process waits for. In proc_locks(5) the waiting ones follow, with the same number."""
    lines = [line.split() for line in read(_LOCKS).splitlines()]
    waited = {line[0] for line in lines if "->" in line and line[-4] == str(pid)}
    for line in lines:
        if line[0] in waited and "->" not in line:
            yield f"{process_name(int(line[-4]))} holds a lock that it waits for: wait until that ends, or end it"


def _device_causes() -> Iterator[str]:
    before = dict(_requests())
    time.sleep(_PAUSE)
    for device, state in _requests():
        name = dm_attribute(device, "name").decode(errors="surrogateescape") or device.name
        if dm_attribute(device, "suspended") == b"1":
            yield (
                f"device {name} is suspended, so all that reads it waits: if no program is about to resume it, type "
                f"{shlex.join(['dmsetup', 'resume', name])}"
            )
        elif state[-1] and before.get(device) == state:
            yield f"device {name} answers no request: repair or remove it, or exclude it by global_filter (lvm.conf(5))"


def _requests() -> Iterator[tuple[Path, tuple[int, int, int]]]:
    """How many reads and writes each device has completed, and how many requests it is working on."""
    for device in sorted(_BLOCK_DEVICES.iterdir()):
        # The fields of Documentation/block/stat.rst of the kernel.
        fields = [int(field) for field in read(device / "stat").split()]
        if fields:
            yield device, (fields[0], fields[4], fields[8])
