# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small process between a module and an LVM command that changes something. Private to this collection.

Nothing that happens to the module or to its connection reaches the command, because a killed ``lvcreate`` can leave its
origin suspended. When somebody else kills it all the same, the supervisor resumes what was left suspended: it is
locked into memory, needs no program and no file, and so does not depend on the volume that stands still.
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
"""The exit code that stands for a command that could not be started."""

_STANDARD_STREAMS = (0, 1, 2)
_IGNORED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
# mlockall(2): what is in memory now, and what comes.
_MCL_CURRENT_AND_FUTURE = 1 | 2


def supervise(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes], lock: int, vgs: Sequence[str]
) -> int:
    """Run a command on LVs of ``vgs`` to its end, with its output in files; its exit code, or 128 and the signal.

    ``lock`` is the descriptor of the host lock. The command gets it as its standard input, the only descriptor besides
    those of its output that LVM does not close: so the host is locked until the command has ended, whoever dies before.
    """
    supervisor = os.fork()
    if supervisor == 0:
        _leave(lambda: _run(argv, env=env, stdout=stdout, stderr=stderr, lock=lock, vgs=vgs))
    _pid, status = os.waitpid(supervisor, 0)
    return os.waitstatus_to_exitcode(status)


def _leave(work: Callable[[], int]) -> None:
    # A forked child never returns into the module, whatever happens: that would run the module twice.
    rc = FAILED
    try:
        rc = work()
    finally:
        os._exit(rc)


def _run(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes], lock: int, vgs: Sequence[str]
) -> int:
    _detach({stdout.fileno(), stderr.fileno(), lock})
    _make_hard_to_stop()
    # Nobody reads it, and if LVM ever did: it would be at the end of it.
    os.lseek(lock, 0, os.SEEK_END)
    before = observe_devices()
    try:
        # A session of its own: what ends this one's processes together must leave somebody to resume devices.
        child = subprocess.Popen(
            argv, stdin=lock, stdout=stdout, stderr=stderr, env=env, restore_signals=False, start_new_session=True
        )
    except OSError as error:
        _add(stderr, f"{argv[0]} could not be started: {error.strerror}")
        return FAILED
    rc = child.wait()
    if rc >= 0:
        return rc
    resumed = ", ".join(restore_devices(before, vgs)) or "none"
    _add(
        stderr, f"somebody killed it (signal {-rc}); devices that it had left suspended and that are resumed: {resumed}"
    )
    return 128 - rc


def _detach(kept: set[int]) -> None:
    os.setsid()
    for number in _IGNORED_SIGNALS:
        # LVM inherits this: a signal to the whole session must not end it half-way.
        signal.signal(number, signal.SIG_IGN)
    # The module's own stdout and stderr are pipes of the connection: held open they would keep SSH waiting.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in _STANDARD_STREAMS:
        os.dup2(null, standard)
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in {*_STANDARD_STREAMS, *kept}:
            # The descriptor that listed the directory is among them, and is closed already.
            with suppress(OSError):
                os.close(int(entry.name))


def _make_hard_to_stop() -> None:
    """Keep clear of the OOM killer, which LVM inherits, and of the disk; where that is not allowed, go on without."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("-1000", encoding="ascii")
    ctypes.CDLL(None).mlockall(_MCL_CURRENT_AND_FUTURE)


def _add(file: IO[bytes], text: str) -> None:
    # The command has moved the position of this very file.
    file.seek(0, os.SEEK_END)
    file.write(f"{text}\n".encode())
    file.flush()
