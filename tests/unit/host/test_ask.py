# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that only reads and does not end: it is killed, and the error says what it waits for."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import NoAnswer
from ansible_collections.safepoint.lvm.plugins.module_utils._host import ask as module
from ansible_collections.safepoint.lvm.plugins.module_utils._host.ask import ask

NOTHING_KNOWN = "no device is suspended, none leaves a request unanswered, and nobody holds a lock that it waits for"
IDLE, BUSY, MORE = ("9 0 0 0 5 0 0 0 {} 0 0", "9 0 0 0 5 0 0 0 2 0 0", "9 0 0 0 6 0 0 0 2 0 0")


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The devices of a host; there are none yet. The limits are short."""
    (tmp_path / "sys").mkdir()
    monkeypatch.setattr(module, "_BLOCK_DEVICES", tmp_path / "sys")
    monkeypatch.setattr(module, "_LIMIT", 0.3)
    monkeypatch.setattr(module, "_PAUSE", 0.1)
    return tmp_path / "sys"


def add(devices: Path, name: str, requests: str = "", *, dm_name: str = "", suspended: str = "") -> None:
    (devices / name / "dm").mkdir(parents=True)
    (devices / name / "stat").write_text(requests or IDLE.format(0))
    if dm_name:
        (devices / name / "dm" / "name").write_text(f"{dm_name}\n")
        (devices / name / "dm" / "suspended").write_text(f"{suspended}\n")


def hang(*argv: str) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        ask(argv)
    assert caught.value.details["cmd"] == list(argv)
    return caught.value


def test_a_program_that_ends() -> None:
    done = ask(["sh", "-c", "printf 'a\\377'; echo b >&2; exit 3"])
    assert (done.args[0], done.returncode, done.stdout, done.stderr) == ("sh", 3, b"a\xff", b"b\n")


def test_nothing_of_it_goes_on(devices: Path, tmp_path: Path) -> None:
    assert list(devices.iterdir()) == []
    error = hang("sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid; wait")
    assert error.message == f"sh -c has not ended within 0.3 s and was stopped: {NOTHING_KNOWN}"
    started = int((tmp_path / "pid").read_text())
    for _try in range(50):
        with suppress(FileNotFoundError):
            # A zombie that init has not collected is no process that goes on.
            if ") Z" not in Path(f"/proc/{started}/stat").read_text():
                time.sleep(0.1)
                continue
        return
    raise AssertionError(started)


def test_one_that_cannot_be_killed_is_not_waited_for(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in uninterruptible sleep ends only when its device answers."""
    started: list[Any] = []
    popen: Any = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        started.append(popen(*arguments, **options))
        return started[0]

    add(devices, "dm-0", dm_name="stuck", suspended="1")
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(os, "killpg", lambda _pid, _signal: None)
    message = hang("/usr/bin/sleep", "60").message
    assert started[0].poll() is None
    started[0].kill()
    started[0].wait()
    cannot = f"cannot be stopped before a device answers (PID {started[0].pid}): device stuck is suspended"
    assert message.startswith(f"sleep 60 has not ended within 0.3 s and {cannot}")


def test_the_lock_it_waits_for(devices: Path, tmp_path: Path) -> None:
    assert list(devices.iterdir()) == []
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = hang("flock", str(tmp_path / "lock"), "true")
    name = Path("/proc/self/comm").read_text().strip()
    holds = f"{name} (PID {os.getpid()}) holds a lock that it waits for: wait until that ends, or end it"
    assert error.message.endswith(f"was stopped: {holds}")


def test_the_devices_it_waits_for(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(devices, "dm-0", BUSY, dm_name="a b", suspended="1")
    add(devices, "dm-1", BUSY, dm_name="dead", suspended="0")
    add(devices, "dm-2", dm_name="idle", suspended="0")
    add(devices, "sda", BUSY)
    add(devices, "sdb", BUSY)
    add(devices, "sdc")
    (devices / "sdd").mkdir()
    # One completes a request meanwhile, another begins one.
    changes = {"sda": MORE, "sdc": BUSY}
    monkeypatch.setattr(
        time, "sleep", lambda _s: [(devices / one / "stat").write_text(changes[one]) for one in changes]
    )
    message = hang("sleep", "60").message
    resume = "so all that reads it waits: if no program is about to resume it, type dmsetup resume 'a b'"
    assert f"device a b is suspended, {resume}" in message
    assert re.findall(r"device (\S+) answers no request: repair or remove it", message) == ["dead", "sdb"]
    assert NOTHING_KNOWN not in message
