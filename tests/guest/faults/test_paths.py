# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foreign objects at the paths that modules write to: links, pipes, directories, files of other users.

Modules write below /run/safepoint.lvm and nowhere else. A foreign object is not used and not changed, and the error
gives its path. Calls that need no lock still work.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from calls import absent, merged, ok, present, refused, rolled_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIRECTORY = Path("/run/safepoint.lvm")
LOCK = DIRECTORY / "lock"
# On the same filesystem, so that a hard link to its content is possible.
PRECIOUS = Path("/run/precious")
OTHER_USER = 65534
# Names in /run that LVM, udev, systemd and the tests write to at any time.
OTHERS = ("lvm", "lock", "udev", "systemd", "log", "safepoint-guest", "user", "blkid", "lvmpolld.pid")


def _file(path: Path, mode: int = 0o600, owner: int = 0) -> None:
    path.write_text("not ours\n")
    path.chmod(mode)
    os.chown(path, owner, owner)


def _directory(path: Path, mode: int = 0o700, owner: int = 0) -> None:
    path.mkdir()
    _file(path / "lock")
    path.chmod(mode)
    os.chown(path, owner, owner)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


IN_PLACE_OF_THE_DIRECTORY: dict[str, Callable[[Path], None]] = {
    "link to a directory": lambda path: path.symlink_to(PRECIOUS),
    "link to nothing": lambda path: path.symlink_to(PRECIOUS / "new"),
    "file": _file,
    "pipe": os.mkfifo,
    "socket": _socket,
    "directory of another user": lambda path: _directory(path, owner=OTHER_USER),
    "directory for a group": lambda path: _directory(path, 0o770),
    "directory for everybody": lambda path: _directory(path, 0o1777),
}
IN_PLACE_OF_THE_LOCK: dict[str, Callable[[Path], None]] = {
    "link to a file": lambda path: path.symlink_to(PRECIOUS / "lock"),
    "link to nothing": lambda path: path.symlink_to(PRECIOUS / "new"),
    "hard link": lambda path: path.hardlink_to(PRECIOUS / "lock"),
    "pipe": os.mkfifo,
    "socket": _socket,
    "directory": _directory,
    "file of another user": lambda path: _file(path, owner=OTHER_USER),
    "file for everybody": lambda path: _file(path, 0o666),
}


def _snapshot_of(path: Path) -> list[tuple[Any, ...]]:
    """Everything about a path and its content that a write would change."""
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
    below = sorted(path.iterdir()) if stat.S_ISDIR(status.st_mode) else []
    mine = (str(path), status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, content)
    return [mine, *(one for entry in below for one in _snapshot_of(entry))]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def planted(path: Path, plant: Callable[[Path], None]) -> Iterator[None]:
    """Replace ``path`` temporarily by what ``plant`` creates, and create the directory PRECIOUS with a file."""
    if not LOCK.exists():
        ok("snapset", absent("nothing"))
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    try:
        _directory(PRECIOUS)
        plant(path)
        yield
    finally:
        _remove(path)
        _remove(PRECIOUS)
        aside.rename(path)


@pytest.mark.parametrize(
    ("path", "plant"),
    [
        pytest.param(path, plant, id=f"{name} as {path.name}")
        for path, plants in ((DIRECTORY, IN_PLACE_OF_THE_DIRECTORY), (LOCK, IN_PLACE_OF_THE_LOCK))
        for name, plant in plants.items()
    ],
)
def test_foreign_objects_are_not_used(path: Path, plant: Callable[[Path], None]) -> None:
    with planted(path, plant):
        before = [*_snapshot_of(path), *_snapshot_of(PRECIOUS)]
        assert refused("snapset", present("s", "thick/c"), str(path))["commands"] == []
        assert [*_snapshot_of(path), *_snapshot_of(PRECIOUS)] == before


def test_calls_without_lock_still_work() -> None:
    with planted(DIRECTORY, os.mkfifo):
        assert ok("snapset", present("s", "thick/c"), check=True)["changed"]
        assert ok("snapset_info", {})["snapsets"] == []
    assert not ok("snapset", {**absent("s"), "lock_timeout": 0})["changed"]


def test_created_files_are_for_root_only() -> None:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    former = os.umask(0)
    try:
        ok("snapset", present("s", "thick/c"))
    finally:
        os.umask(former)
    for path, mode in ((DIRECTORY, stat.S_IFDIR | 0o700), (LOCK, stat.S_IFREG | 0o600)):
        assert (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) == (mode, 0, 0)


def _files() -> set[str]:
    roots = [path for path in Path("/run").iterdir() if path.name not in OTHERS]
    roots += [Path("/tmp"), Path("/var/tmp"), Path("/root"), Path("/boot"), Path("/etc/initramfs-tools")]
    return {str(path) for root in roots for path in (root, *root.rglob("*")) if "__pycache__" not in path.parts}


def test_nothing_is_left_behind() -> None:
    ok("snapset", absent("nothing"))
    before = _files()
    for task in (present("s", "thick/c", "thin/t2"), absent("s"), present("s", "thick/c"), merged("s")):
        ok("snapset", task)
        with LOCK.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    rolled_back("snapset", merged("s"))
    refused("snapset", present("s", "thick/none"), "no LV thick/none")
    assert _files() - before == set()
    assert [path.name for path in DIRECTORY.iterdir()] == ["lock"]
