# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the files of a report: each at once and whole, into a directory that is checked first. Private.

It knows nothing of what is in the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DIRECTORY_MODE = 0o700


class CannotWriteError(Exception):
    """The files cannot be written. The message says which, why, and what to do."""


def write_files(directory: Path, texts: Mapping[str, str], mode: int) -> list[Path]:
    """Write texts by file name, in UTF-8, and return the paths. Raises CannotWriteError; then no file is half written.

    The directory is created with mode 0700 if it does not exist; its parent must exist.
    """
    try:
        with _opened(directory) as folder:
            _write_all(folder, texts, mode)
    except OSError as error:
        raise CannotWriteError(f"cannot write the report to {directory}: {error.strerror}. {_advice(error)}") from error
    return [directory / name for name in texts]


def _advice(error: OSError) -> str:
    advice = {
        errno.ENOENT: "Create the directory above it first",
        errno.ENOSPC: "Make room, or name another directory",
    }
    return advice.get(error.errno or 0, "Name a directory that this user can write to")


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    """Open the directory. Other users must not be able to redirect it with a link of theirs."""
    for path in (directory, *directory.parents):
        _check_link(path)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=_DIRECTORY_MODE)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check_link(path: Path) -> None:
    try:
        known = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(known.st_mode) and known.st_uid not in (0, os.geteuid()):
        raise CannotWriteError(
            f"{path} is a symbolic link of another user (UID {known.st_uid}), who could redirect the report: "
            "name another directory"
        )


def _write_all(folder: int, texts: Mapping[str, str], mode: int) -> None:
    """Write all files under other names first, so that either all of them are new, or none is if there is no room."""
    suffix = secrets.token_hex(8)
    written: dict[str, str] = {}
    try:
        for name, text in texts.items():
            written[name] = f".{name}.{suffix}"
            _write(folder, written[name], text, mode)
        for name, temporary in written.items():
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        for temporary in written.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def _write(folder: int, name: str, text: str, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
