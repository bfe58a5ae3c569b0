# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small process between a module and an LVM command that changes something. Private to this collection.

A killed ``lvcreate`` can leave its origin suspended. So the command does not end with the module or its connection.
If somebody kills the command itself, the supervisor resumes the devices that stay suspended. The supervisor does not
depend on a suspended LV: it is locked into memory, starts no program and reads no file there.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .devicemapper import observe_devices, restore_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FAILED = 255
"""The exit code for a command that could not be started."""

_STANDARD_STREAMS = (0, 1, 2)
_IGNORED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
# Flags of mlockall(2): all memory of the process, now and in the future.
_MCL_CURRENT_AND_FUTURE = 1 | 2


def supervise(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes], lock: int, vgs: Sequence[str]
) -> int:
    """Run a command that changes LVs of ``vgs`` and wait until it ends; its output goes to ``stdout`` and ``stderr``.

    Returns the exit code of the command, or 128 plus the signal that killed it, or ``FAILED`` if it could not be
    started.

    ``lock`` is the descriptor of the host lock. The command gets it as its standard input, because LVM closes all
    descriptors except the three standard streams. So the host stays locked until the command ends, even if the module
    and the supervisor are killed.
    """
    supervisor = os.fork()
    if supervisor == 0:
        _run_and_exit(lambda: _run(argv, env=env, stdout=stdout, stderr=stderr, lock=lock, vgs=vgs), stderr)
    _pid, status = os.waitpid(supervisor, 0)
    return os.waitstatus_to_exitcode(status)


def _run_and_exit(work: Callable[[], int], stderr: IO[bytes]) -> None:
    # The forked child must never return into the module's code: that would run the module twice.
    rc = FAILED
    try:
        rc = work()
    except BaseException as error:
        _append(stderr, f"the process that supervises LVM failed: {type(error).__name__}: {error}")
        raise
    finally:
        os._exit(rc)


def _run(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes], lock: int, vgs: Sequence[str]
) -> int:
    _detach({stdout.fileno(), stderr.fileno(), lock})
    _protect_from_memory_pressure()
    # If LVM reads its standard input, it must find the end of the file.
    os.lseek(lock, 0, os.SEEK_END)
    before = observe_devices()
    try:
        # The command gets its own session: whoever kills a whole session must not kill the supervisor as well.
        child = subprocess.Popen(
            argv, stdin=lock, stdout=stdout, stderr=stderr, env=env, restore_signals=False, start_new_session=True
        )
    except OSError as error:
        _append(stderr, f"cannot start {argv[0]}: {error.strerror}")
        return FAILED
    rc = child.wait()
    if rc >= 0:
        return rc
    resumed = ", ".join(restore_devices(before, vgs)) or "none"
    _append(stderr, f"the command was killed by signal {-rc}; devices left suspended, now resumed: {resumed}")
    return 128 - rc


def _detach(keep_open: set[int]) -> None:
    os.setsid()
    for number in _IGNORED_SIGNALS:
        # LVM inherits this: a signal to the whole session must not stop LVM halfway.
        signal.signal(number, signal.SIG_IGN)
    # The module's stdout and stderr are pipes to SSH, which waits until all of their holders have closed them.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in _STANDARD_STREAMS:
        os.dup2(null, standard)
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in {*_STANDARD_STREAMS, *keep_open}:
            # The list includes the descriptor that listed the directory, which is closed already.
            with suppress(OSError):
                os.close(int(entry.name))


def _protect_from_memory_pressure() -> None:
    """Avoid the OOM killer, for this process and LVM, and lock this process into memory. Go on if not permitted."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("-1000", encoding="ascii")
    ctypes.CDLL(None).mlockall(_MCL_CURRENT_AND_FUTURE)


def _append(file: IO[bytes], text: str) -> None:
    # The command shares this file and its position.
    file.seek(0, os.SEEK_END)
    file.write(f"{text}\n".encode())
    file.flush()
