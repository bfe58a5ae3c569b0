# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host lock: one run that changes snapsets at a time. Private to this collection.

It is flock(2) on a root-owned file with a public path, so that a shell can take it too (flock(1)).
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import HostBusy
from .._paths import RUN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK_NAME = "lock"
LOCK_PATH = f"{RUN_DIRECTORY}/{_LOCK_NAME}"

_RETRY_SECONDS = 0.2


@contextmanager
def host_lock(purpose: str, *, timeout: int) -> Iterator[int]:
    """Hold the host lock; yields its file descriptor, which a forked child keeps locked by keeping it open.

    ``purpose`` is what others are told while they wait, ``timeout`` how many seconds to wait for them.

    Raises HostBusy, naming the holder, when the time is over; or when the path is not safe to lock.
    """
    descriptor = _open_lock()
    try:
        _acquire(descriptor, timeout)
        # It stays when this process is ended and its LVM command goes on; the next holder writes over it.
        _write_holder(descriptor, f"{purpose} ({_process(os.getpid())})")
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock() -> int:
    """The lock file, open; no symbolic link is followed, and nothing that others could have planted is used."""
    try:
        Path(RUN_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        directory = os.open(RUN_DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _check_owner(directory, RUN_DIRECTORY)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(_LOCK_NAME, flags, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise HostBusy(f"the host lock {LOCK_PATH} cannot be used: {error.strerror} ({error.filename})") from error
    _check_owner(descriptor, LOCK_PATH)
    return descriptor


def _check_owner(descriptor: int, path: str) -> None:
    status = os.fstat(descriptor)
    # A file with a second name may be anybody's, and a pipe could not be written to.
    plain = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
    if not plain or status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HostBusy(
            f"{path} is not safe: expected a plain file or directory of root, writable by root alone; remove it"
        )


def _acquire(descriptor: int, timeout: int) -> None:
    end = time.monotonic() + timeout
    while not _locked(descriptor):
        if time.monotonic() >= end:
            raise HostBusy(
                f"the host is busy: {_holder(descriptor)} holds {LOCK_PATH}; waited {timeout} s, "
                "try again later or raise lock_timeout"
            )
        time.sleep(_RETRY_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """Who holds the lock, by what a run of ours wrote into it, or by the kernel when somebody else took it."""
    written = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
    locker = _locker(descriptor)
    if locker is None or _process(locker) in written:
        # It may have died: then its running LVM command still keeps the lock.
        return written or "an unknown process"
    # A shell has the lock of a flock(1) that has long ended, on a descriptor that it gave to it.
    heirs = [] if Path(f"/proc/{locker}").exists() else _heirs(descriptor)
    return ", ".join(_process(pid) for pid in heirs or [locker])


def _process(pid: int) -> str:
    return f"PID {pid}"


def _locker(descriptor: int) -> int | None:
    """The PID that took the lock, as proc_locks(5) shows it, or None."""
    inode = os.fstat(descriptor).st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[-3].endswith(f":{inode}"):
            return int(fields[-4])
    return None


def _heirs(descriptor: int) -> list[int]:
    """The processes that have the lock because they have its descriptor, as proc_pid_fdinfo(5) shows it."""
    inode = f":{os.fstat(descriptor).st_ino} "
    found = set()
    for file in Path("/proc").glob("[0-9]*/fdinfo/*"):
        with suppress(OSError):
            lines = file.read_text(encoding="ascii").splitlines()
            if any(line.startswith("lock:") and "FLOCK" in line and inode in line for line in lines):
                found.add(int(file.parts[2]))
    return sorted(found)


def _write_holder(descriptor: int, text: str) -> None:
    # /run may be full; then others are told the PID, which the kernel knows.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
