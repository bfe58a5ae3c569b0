# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisor process between a module and LVM. Other programs replace LVM."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import modify, supervisor
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.supervisor import FAILED, supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


ENV = {"PATH": os.defpath}


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a locked file."""
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.pwrite(descriptor, b"yes\n", 0)
    yield descriptor
    os.close(descriptor)


def _supervised(argv: Sequence[str], lock: int) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        rc = supervise(argv, env=ENV, stdout=stdout, stderr=stderr, lock=lock, vgs=["vg"])
        stdout.seek(0)
        stderr.seek(0)
        return rc, stdout.read().decode(), stderr.read().decode()


def test_exit_code_and_output(lock: int) -> None:
    assert _supervised(["sh", "-c", "echo out; echo err >&2; exit 3"], lock) == (3, "out\n", "err\n")


def test_the_command_reads_nothing_and_has_no_other_descriptors(lock: int) -> None:
    inherited = os.dup2(lock, 99, inheritable=True)
    try:
        rc, out, _err = _supervised(["sh", "-c", "read -r line; echo $?; ls /proc/$$/fd"], lock)
    finally:
        os.close(inherited)
    assert (rc, out.split()) == (0, ["1", "0", "1", "2"])


def test_a_command_that_cannot_be_started(lock: int) -> None:
    rc, out, err = _supervised(["/nonexistent/lvm", "lvcreate"], lock)
    assert (rc, out) == (FAILED, "")
    assert err == "cannot start /nonexistent/lvm: No such file or directory\n"


def test_a_supervisor_that_fails(lock: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(22, "Invalid argument", "/sys/block/dm-0/dm/suspended")

    monkeypatch.setattr(supervisor, "observe_devices", fail)
    rc, _out, err = _supervised(["true"], lock)
    assert rc == FAILED
    assert err == (
        "the process that supervises LVM failed: OSError: [Errno 22] Invalid argument: '/sys/block/dm-0/dm/suspended'\n"
    )


def test_a_command_that_somebody_kills(lock: int) -> None:
    rc, out, err = _supervised(["sh", "-c", "echo begun; kill -9 $$"], lock)
    assert (rc, out) == (128 + signal.SIGKILL, "begun\n")
    assert err.startswith("the command was killed by signal 9")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE])
def test_signals_that_end_others_do_not_end_the_command(lock: int, number: int) -> None:
    assert _supervised(["sh", "-c", f"kill -{int(number)} $$; kill -{int(number)} $PPID; echo survived"], lock) == (
        0,
        "survived\n",
        "",
    )


def test_a_killed_session_is_only_the_command_or_only_the_supervisor(lock: int, tmp_path: Path) -> None:
    """Killing the command's session spares the supervisor; killing the supervisor's session spares the command."""
    rc, _out, err = _supervised(["sh", "-c", "kill -9 -$$"], lock)
    assert rc == 128 + signal.SIGKILL
    assert "killed" in err
    rc, _out, _err = _supervised(["sh", "-c", f"kill -9 -$PPID; touch {tmp_path}/alive"], lock)
    assert rc == -signal.SIGKILL
    assert _soon((tmp_path / "alive").exists)


def test_the_lock_is_held_until_the_command_ends(tmp_path: Path) -> None:
    """The lock is held even after the supervisor and the process that took the lock have ended."""
    path = tmp_path / "lock"
    go_on = tmp_path / "go-on"
    if os.fork() == 0:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        script = f"kill -9 $PPID; touch {tmp_path}/begun; while [ ! -e {go_on} ]; do sleep 0.05; done"
        _supervised(["sh", "-c", script], descriptor)
        os._exit(0)
    assert _soon((tmp_path / "begun").exists)
    os.wait()
    assert not _can_be_locked(path)
    go_on.touch()
    assert _soon(lambda: _can_be_locked(path))


def _can_be_locked(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _soon(happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    return happened()


def test_without_a_file_for_its_output_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For example /run is full. That is undone like any other failure of LVM."""
    monkeypatch.setattr(modify, "RUN_DIRECTORY", str(tmp_path / "missing"))
    result = modify.modify(["/sbin/lvm", "lvcreate"], lock=-1, vgs=["vg"])
    assert (result.rc, result.stdout) == (FAILED, "")
    assert result.stderr.startswith(f"cannot run /sbin/lvm: {tmp_path}/missing/")
    assert result.stderr.endswith(": No such file or directory")
