# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process between a module and LVM, with other programs in LVM's place; and which devices it would resume."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils import _devices
from ansible_collections.safepoint.lvm.plugins.module_utils._supervisor import FAILED, supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

ENV = {"PATH": os.defpath}


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """The descriptor of a locked file."""
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
    assert err == "/nonexistent/lvm could not be started: No such file or directory\n"


def test_a_command_that_somebody_kills(lock: int) -> None:
    rc, out, err = _supervised(["sh", "-c", "echo begun; kill -9 $$"], lock)
    assert (rc, out) == (128 + signal.SIGKILL, "begun\n")
    assert err.startswith("somebody killed it (signal 9)")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE])
def test_signals_that_end_others_do_not_end_the_command(lock: int, number: int) -> None:
    assert _supervised(["sh", "-c", f"kill -{int(number)} $$; kill -{int(number)} $PPID; echo survived"], lock) == (
        0,
        "survived\n",
        "",
    )


def test_the_end_of_a_session_reaches_only_half(lock: int, tmp_path: Path) -> None:
    """Who kills the command's session leaves the supervisor; who kills the supervisor's leaves the command."""
    rc, _out, err = _supervised(["sh", "-c", "kill -9 -$$"], lock)
    assert rc == 128 + signal.SIGKILL
    assert "killed" in err
    rc, _out, _err = _supervised(["sh", "-c", f"kill -9 -$PPID; touch {tmp_path}/alive"], lock)
    assert rc == -signal.SIGKILL
    assert _soon((tmp_path / "alive").exists)


def test_the_lock_is_held_until_the_command_ends(tmp_path: Path) -> None:
    """Even when the supervisor and whoever took the lock are gone before."""
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


DEVICES = {
    "dm-0": ("vg-root", "LVM-x", "1", ["dm-1"]),
    "dm-1": ("vg-root-real", "LVM-x-real", "1", ["sda"]),
    "dm-2": ("vg-home", "LVM-y", "0", ["sda"]),
    "dm-3": ("vg--2-root", "LVM-z", "1", ["sda"]),
    "dm-4": ("vg-looks-like-it", "CRYPT-x", "1", ["sda"]),
    "sda": None,
}


WORDS = {
    _devices._DM_TABLE_CLEAR: "clear",
    _devices._DM_DEV_SUSPEND: "resume",
    _devices._DM_DEV_REMOVE: "remove",
}
IN_USE = (b"vg-root-real",)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host's devices in place of sysfs; what the kernel is asked to do, in order."""
    for device, known in DEVICES.items():
        if known is None:
            (tmp_path / device).mkdir()
            continue
        name, uuid, suspended, below = known
        (tmp_path / device / "dm").mkdir(parents=True)
        for attribute, value in {"name": name, "uuid": uuid, "suspended": suspended}.items():
            (tmp_path / device / "dm" / attribute).write_text(f"{value}\n")
        for slave in below:
            (tmp_path / device / "slaves" / slave).mkdir(parents=True)
    asked: list[str] = []

    def command(number: int, name: bytes) -> None:
        (device,) = [device for device, known in DEVICES.items() if known and known[0].encode() == name]
        asked.append(f"{WORDS[number]} {name.decode()}")
        if name in IN_USE and number == _devices._DM_DEV_REMOVE:
            raise OSError(errno.EBUSY, "in use")
        if number == _devices._DM_DEV_SUSPEND:
            (tmp_path / device / "dm" / "suspended").write_text("0\n")
        if number == _devices._DM_DEV_REMOVE:
            shutil.rmtree(tmp_path / device)

    monkeypatch.setattr(_devices, "_BLOCK_DEVICES", tmp_path)
    monkeypatch.setattr(_devices, "_command", command)
    return asked


NOTHING = _devices.Devices(all=frozenset(DEVICES), suspended=frozenset())


def test_which_devices_are_suspended(asked: list[str]) -> None:
    found = _devices.look_at_devices()
    assert (found.all, found.suspended) == (frozenset(DEVICES), frozenset({"dm-0", "dm-1", "dm-3"}))
    assert asked == []


def test_what_lies_below_is_resumed_first_and_other_vgs_are_left_alone(asked: list[str]) -> None:
    assert _devices.restore_devices(NOTHING, ["vg"]) == ["vg-root-real", "vg-root"]
    assert asked == ["clear vg-root-real", "resume vg-root-real", "clear vg-root", "resume vg-root"]
    assert _devices.restore_devices(NOTHING, ["vg", "vg-2"]) == ["vg--2-root"]


def test_what_was_suspended_before_stays_so(asked: list[str]) -> None:
    assert _devices.restore_devices(_devices.look_at_devices(), ["vg", "vg-2"]) == []
    assert asked == []


def test_what_was_made_since_and_is_not_used_is_removed(asked: list[str]) -> None:
    before = _devices.Devices(all=frozenset({"dm-0", "dm-3", "sda"}), suspended=frozenset(DEVICES))
    _devices.restore_devices(before, ["vg"])
    # Not what is no LV, and not what the kernel says is in use.
    assert set(asked) == {"remove vg-root-real", "remove vg-home"}
    assert {"dm-1", "dm-4"} < _devices.look_at_devices().all
    assert "dm-2" not in _devices.look_at_devices().all


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.EINVAL, errno.EIO])
def test_a_device_that_is_removed_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "dm-0").mkdir()

    def gone(_path: Path) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(_devices, "_BLOCK_DEVICES", tmp_path)
    monkeypatch.setattr("pathlib.Path.read_bytes", gone)
    if code == errno.EIO:
        # Anything else is no sign of an end, and is not hidden.
        with pytest.raises(OSError, match=os.strerror(code)):
            _devices.look_at_devices()
    else:
        assert _devices.look_at_devices() == _devices.Devices(frozenset({"dm-0"}), frozenset())
