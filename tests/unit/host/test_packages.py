# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The locks of package managers, held by other processes."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import packages
from ansible_collections.safepoint.lvm.plugins.module_utils._host.packages import read_database, read_packages
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Mount, MountTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, getattr(fcntl, sys.argv[2]))
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def held(lock: Path, kind: str = "LOCK_EX") -> Iterator[int]:
    """Lock a file in another process. Yield its PID."""
    lock.touch()
    argv = [sys.executable, "-c", HOLD, str(lock), kind]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.kill()


@pytest.mark.parametrize(("manager", "lock"), [("dpkg", "lock-frontend"), ("dpkg", "lock"), ("rpm", ".rpm.lock")])
def test_who_holds_a_lock(tmp_path: Path, manager: str, lock: str) -> None:
    with held(tmp_path / lock) as pid:
        found = read_database(manager, str(tmp_path))
        assert found.user.endswith(f" (PID {pid}) holds {tmp_path / lock}")
        assert found.user.startswith("python")
        # It was only looked at: a lock would end when a descriptor is closed.
        assert read_database(manager, str(tmp_path)).user == found.user
    assert read_database(manager, str(tmp_path)).user == ""


def test_a_lock_for_reading_does_not_count(tmp_path: Path) -> None:
    with held(tmp_path / ".rpm.lock", "LOCK_SH"):
        assert read_database("rpm", str(tmp_path)).user == ""


def test_a_process_that_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").touch()
    for pid in (0, -1):
        monkeypatch.setattr(packages, "_holder", lambda _lock, pid=pid: pid)
        assert read_database("dpkg", str(tmp_path)).user == f"another process holds {tmp_path / 'lock-frontend'}"
    monkeypatch.setattr(packages, "_holder", lambda _lock: 2**22 + 1)
    assert read_database("dpkg", str(tmp_path)).user.startswith("PID 4194305 holds")


def test_the_version_changes_with_the_list_of_packages(tmp_path: Path) -> None:
    assert read_database("dpkg", str(tmp_path)).version == (0, 0)
    (tmp_path / "status").write_text("1")
    first = read_database("dpkg", str(tmp_path))
    assert read_database("dpkg", str(tmp_path)) == first
    (tmp_path / "status-new").write_text("1")
    (tmp_path / "status-new").replace(tmp_path / "status")
    assert read_database("dpkg", str(tmp_path)).version != first.version


def test_a_dpkg_that_was_interrupted(tmp_path: Path) -> None:
    assert read_database("dpkg", str(tmp_path)).cure == ""
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates" / "tmp.i").touch()
    assert read_database("dpkg", str(tmp_path)).cure == ""
    (tmp_path / "updates" / "0001").touch()
    assert read_database("dpkg", str(tmp_path)).cure == "dpkg --configure -a"
    assert read_database("rpm", str(tmp_path)).cure == ""


def test_which_databases_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to another one is the same, and one behind a dead server is not touched."""
    for name in ("dpkg", "rpm", "far"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("rpm")
    places = [
        (manager, str(tmp_path / name))
        for manager, name in (("dpkg", "dpkg"), ("rpm", "link"), ("rpm", "rpm"), ("rpm", "far"), ("rpm", "missing"))
    ]
    monkeypatch.setattr(packages, "_PLACES", places)
    root = Mount("/", "/dev/vda1", "ext4", (254, 1), number=1)
    far = Mount(str(tmp_path / "far"), "server:/", "nfs4", number=2, parent=1)
    found = read_packages(MountTable((root, far)))
    assert [(one.manager, one.directory) for one in found] == [
        ("dpkg", str(tmp_path / "dpkg")),
        ("rpm", str(tmp_path / "rpm")),
    ]
