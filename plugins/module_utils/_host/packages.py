# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a package manager is working. Its locks are only looked at, never taken. Private to this collection.

dpkg(1) and rpm(8) lock files with fcntl(2): dpkg ``lock``, and its frontends also ``lock-frontend`` from before the
first package until after the last (lib/dpkg/dbmodify.c of dpkg 1.22); rpm ``.rpm.lock`` during a transaction, scripts
included (lib/rpmlock.c of rpm 4.20). dnf leaves that to rpm.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from .._host_model import PackageDatabase
from .links import resolve
from .reading import read, unless_gone

if TYPE_CHECKING:
    from .._host_model import MountTable

_PLACES = (("dpkg", "/var/lib/dpkg"), ("rpm", "/var/lib/rpm"), ("rpm", "/usr/lib/sysimage/rpm"))
# The locks of a manager, and the file that lists the packages.
_FILES = {"dpkg": (("lock-frontend", "lock"), "status"), "rpm": ((".rpm.lock",), "rpmdb.sqlite")}
# struct flock of fcntl(2): type, whence, start, length, PID.
_FLOCK = "hhqqi"


def read_packages(table: MountTable) -> tuple[PackageDatabase, ...]:
    """Return the databases of package managers that the host has, as far as they are on local filesystems."""
    places = {resolve(table, path): manager for manager, path in _PLACES}
    return tuple(
        read_database(manager, directory)
        for directory, manager in places.items()
        if table.is_safe(directory) and Path(directory).is_dir()
    )


def read_database(manager: str, directory: str) -> PackageDatabase:
    """Return the state of the database of ``manager`` in ``directory``. Raises OSError."""
    place, (locks, listing) = Path(directory), _FILES[manager]
    users = (_user(place / lock) for lock in locks)
    status = unless_gone((place / listing).stat, None)
    # As apt decides it: CheckUpdates in apt-pkg/deb/debsystem.cc of apt 3.0.
    is_interrupted = manager == "dpkg" and any(name.isdigit() for name in _names(place / "updates"))
    return PackageDatabase(
        manager,
        directory,
        user=next(filter(None, users), ""),
        version=(status.st_ino, status.st_mtime_ns) if status else (0, 0),
        cure="dpkg --configure -a" if is_interrupted else "",
    )


def _names(directory: Path) -> list[str]:
    return unless_gone(lambda: [path.name for path in directory.iterdir()], [])


def _user(lock: Path) -> str:
    """Describe the process that has locked a file; empty if nobody has."""
    holder = unless_gone(lambda: _holder(lock), None)
    if holder is None:
        return ""
    # 0 if the process is in another PID namespace, -1 for a lock of an open file description.
    name = read(f"/proc/{holder}/comm").strip() if holder > 0 else ""
    process = f"{name} (PID {holder})" if name else f"PID {holder}" if holder > 0 else "another process"
    return f"{process} holds {lock}"


def _holder(lock: Path) -> int | None:
    descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # What would block a reader: a lock for writing. rpm also locks for reading, to verify packages.
        question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, question)
    finally:
        os.close(descriptor)
    kind, _whence, _start, _length, holder = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(holder)
