# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystems of the host that are full or read-only, so that LVM cannot write there."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, ok, present
from host_checks import ORIGINS, host_is_consistent, whole_lifecycle
from lvm import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager


@contextmanager
def read_only_configuration() -> Iterator[None]:
    """Make the directory of LVM read-only temporarily."""
    lvm.run("mount", "--bind", str(CONFIGURATION), str(CONFIGURATION))
    try:
        lvm.run("mount", "-o", "remount,bind,ro", str(CONFIGURATION))
        yield
    finally:
        lvm.run("umount", str(CONFIGURATION))


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """Fill the filesystem of ``directory`` temporarily."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        end = 0
        for step in (256 * storage.MIB, 16 * storage.MIB, storage.MIB, 4096):
            with suppress_no_space():
                while True:
                    os.posix_fallocate(file.fileno(), end, step)
                    end += step
        yield


@contextmanager
def suppress_no_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def small(directory: Path) -> Iterator[None]:
    """Replace ``directory`` temporarily by a small filesystem with the same content."""
    with tempfile.TemporaryDirectory(dir=storage.BASE) as aside:
        copy = Path(aside) / "copy"
        shutil.copytree(directory, copy, symlinks=True)
        lvm.run("mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "small", str(directory))
        try:
            shutil.copytree(copy, directory, symlinks=True, dirs_exist_ok=True)
            yield
        finally:
            lvm.run("umount", str(directory))


@contextmanager
def full_configuration() -> Iterator[None]:
    with small(CONFIGURATION), full(CONFIGURATION):
        yield


NO_SPACE: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "read-only /etc/lvm": read_only_configuration,
    "full /etc/lvm": full_configuration,
    "full root filesystem": lambda: full(Path("/")),
}


@pytest.mark.parametrize("fault", NO_SPACE)
def test_no_space_for_lvm(fault: str) -> None:
    """A full filesystem is a reason for a rollback: LVM works without its archive."""
    with NO_SPACE[fault]():
        for task in (present("s", *ORIGINS), absent("s")):
            result = ok("snapset", task)
            assert "LVM archives no metadata" in str(result["warnings"])
            assert all("archive=0" in str(command) for command in result["commands"])
        changed = whole_lifecycle()
        assert host_is_consistent()
    assert storage.checksums(*ORIGINS) == changed
    assert storage.visible() == set(storage.VOLUMES)
    assert "archive" not in str(ok("snapset", present("s", *ORIGINS)))
    assert ok("snapset", absent("s"))["changed"]


def test_no_space_anywhere_else() -> None:
    """/tmp and /var/tmp are not needed, and /run only for one directory entry."""
    places = [Path("/tmp"), Path("/var/tmp"), Path("/run/safepoint.lvm")]
    ok("snapset", absent("s"))  # creates the directory
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(small(place))
            stack.enter_context(full(place))
        changed = whole_lifecycle()
    assert storage.checksums(*ORIGINS) == changed
    assert storage.visible() == set(storage.VOLUMES)
