# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host lock: only one run at a time may change snapsets. Private to this collection.

It is flock(2) on a file owned by root. The path is documented, so that shell scripts can take the lock too (flock(1)).
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
from .._paths import LOCK_PATH, RUN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETRY_SECONDS = 0.2


@contextmanager
def host_lock(purpose: str, *, timeout: int) -> Iterator[int]:
    """Hold the host lock. Yields its file descriptor: a child process that keeps it open keeps the host locked.

    ``purpose`` is shown to other runs while they wait for this one. ``timeout`` is how long to wait, in seconds.

    Raises HostBusy if the lock was not free in time, with the name of its holder, or if the lock's path is not safe.
    """
    descriptor = _open_lock()
    try:
        _acquire(descriptor, timeout)
        # The text stays in the file: if this process is killed, its LVM command still holds the lock. The next holder
        # overwrites the text.
        _write_holder(descriptor, f"{purpose} ({_process(os.getpid())})")
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock() -> int:
    """Open the lock file. Follows no symbolic link, and uses no file that another user could have created."""
    try:
        Path(RUN_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        directory = os.open(RUN_DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _check_owner(directory, RUN_DIRECTORY)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(Path(LOCK_PATH).name, flags, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise HostBusy(f"cannot use the host lock {LOCK_PATH}: {error.strerror} ({error.filename})") from error
    _check_owner(descriptor, LOCK_PATH)
    return descriptor


def _check_owner(descriptor: int, path: str) -> None:
    status = os.fstat(descriptor)
    # A file with a second hard link may belong to anybody. Writing to a pipe could block.
    plain = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
    if not plain or status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HostBusy(
            f"{path} is not safe: it must be a regular file or a directory, owned by root and writable only by root; "
            "remove it"
        )


def _acquire(descriptor: int, timeout: int) -> None:
    end = time.monotonic() + timeout
    while not _locked(descriptor):
        if expectation := _expectation(descriptor):
            raise HostBusy(expectation)
        if time.monotonic() >= end:
            raise HostBusy(
                f"the host is busy: {_holder(descriptor)} holds {LOCK_PATH}. Waited {timeout} s: "
                "try again later or raise lock_timeout"
            )
        time.sleep(_RETRY_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _expectation(descriptor: int) -> str:
    """Return the second line of the file if the holder has written one: why it is useless to wait; else empty.

    A rollback timer writes it when the rollback has begun.
    """
    holder, _line_feed, expectation = _text(descriptor).partition("\n")
    # The text may be that of an earlier holder.
    is_present = bool(expectation) and _locker(descriptor) is not None and _holder(descriptor) == holder
    return expectation if is_present else ""


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 4096, 0).decode(errors="replace").strip()


def _holder(descriptor: int) -> str:
    """Describe the holder of the lock: by the text in the file, or by PID if another program took the lock."""
    written = _text(descriptor).partition("\n")[0]
    locker = _locker(descriptor)
    if locker is None or _has_written(locker, written):
        # The process may have ended. Then its LVM command still holds the lock.
        return written or "an unknown process"
    # A shell can pass a descriptor to flock(1), which takes the lock and ends. Then the shell holds the lock.
    inheritors = [] if Path(f"/proc/{locker}").exists() else _inheritors(descriptor)
    if any(_has_written(pid, written) for pid in inheritors):
        return written
    return ", ".join(_process(pid) for pid in inheritors or [locker])


def _has_written(pid: int, text: str) -> bool:
    return text.endswith(f"({_process(pid)})")


def _process(pid: int) -> str:
    return f"PID {pid}"


def _locker(descriptor: int) -> int | None:
    """Return the PID that took the lock, from proc_locks(5), or None."""
    inode = os.fstat(descriptor).st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[-3].endswith(f":{inode}"):
            return int(fields[-4])
    return None


def _inheritors(descriptor: int) -> list[int]:
    """Return the PIDs that hold the lock through an inherited descriptor, from proc_pid_fdinfo(5)."""
    inode = f":{os.fstat(descriptor).st_ino} "
    found = set()
    for file in Path("/proc").glob("[0-9]*/fdinfo/*"):
        with suppress(OSError):
            lines = file.read_text(encoding="ascii").splitlines()
            if any(line.startswith("lock:") and "FLOCK" in line and inode in line for line in lines):
                found.add(int(file.parts[2]))
    return sorted(found)


def _write_holder(descriptor: int, text: str) -> None:
    # If /run is full, other runs show the PID from the kernel instead.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
