# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where baselines are kept on the host. Private to this collection.

They must survive the reboots of a change, so they are not below /run. They contain commands that are run as root later,
and may contain secrets, so only root can read and write them.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .._host.files import sync_directory
from .._host.reading import read, unless_gone
from .baseline import Baseline, baseline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIRECTORY = Path("/var/lib/safepoint.lvm/health")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def path_of(name: str) -> Path:
    """The file of a baseline."""
    return DIRECTORY / f"{name}.json"


def read_baseline(name: str) -> Baseline | None:
    """The baseline of that name, or None if there is none. Raises FilesFailed, OSError."""
    path = path_of(name)
    if unless_gone(path.lstat, None) is None:
        return None
    for problem in (*_problems(DIRECTORY, stat.S_ISDIR), *_problems(path, stat.S_ISREG)):
        raise FilesFailed(f"{problem}: remove it, and record the baseline {name} again before the next change")
    found = baseline_of(read(path))
    if found is None or found.name != name:
        raise FilesFailed(
            f"{path} is damaged, or was written by another version of this collection: remove it, and record the "
            f"baseline {name} again before the next change"
        )
    return found


def _problems(path: Path, is_kind: Callable[[int], bool]) -> Iterator[str]:
    """Yield why others than root could have written or could read what is at a path, or why it is not of that kind."""
    status = path.lstat()
    if not is_kind(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
        yield f"{path} is not safe, because others than root may have written it or may read it"


def write_baseline(baseline: Baseline, *, replace: bool) -> bool:
    """Write a baseline. Returns whether it was written: without ``replace`` one that is there stays.

    The file is never incomplete. If two runs record at the same time, the first one counts.

    Raises FilesFailed, OSError.
    """
    path = path_of(baseline.name)
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    for problem in _problems(DIRECTORY, stat.S_ISDIR):
        raise FilesFailed(f"{problem}: remove it")
    # Readable only for its owner (tempfile(3) of Python).
    descriptor, new = tempfile.mkstemp(prefix=f".{baseline.name}.", dir=DIRECTORY)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(baseline.to_json())
            file.flush()
            os.fsync(file.fileno())
        if not replace:
            return _link(new, path)
        Path(new).replace(path)
        sync_directory(DIRECTORY)
        return True
    finally:
        Path(new).unlink(missing_ok=True)


def _link(new: str, path: Path) -> bool:
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    sync_directory(DIRECTORY)
    return True


def remove_baseline(name: str) -> None:
    """Remove a baseline, if it is there. Raises OSError."""
    path_of(name).unlink(missing_ok=True)
    if DIRECTORY.is_dir():
        sync_directory(DIRECTORY)
