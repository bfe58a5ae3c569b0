# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""LVM gets no answer, from a device or from another LVM: each module ends with an error that says from whom."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import processes
import pytest
import storage
from calls import absent, call, merged, ok, present
from timers import ARM

from ansible_collections.safepoint.lvm.plugins.module_utils._host import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 10
CALLS: Any = [
    ("snapset_info", {}),
    ("snapset", present("s", "thick/a")),
    ("snapset", merged("s")),
    ("snapset", absent("s")),
    ("rollback_timer", ARM),
    ("boot_backup", {"name": "s"}),
]


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_LIMIT", LIMIT)


@contextmanager
def left(pids: list[int]) -> Iterator[None]:
    """Wait until the processes that could not be killed have ended, which they do when the device answers."""
    try:
        yield
    finally:
        for pid in pids:
            processes.wait_for_end(pid)


def failed(module: str, arguments: Any, *, check: bool) -> str:
    """The message of a module that must end soon, without a change."""
    start = time.monotonic()
    result = call(module, arguments, check=check)
    assert time.monotonic() - start < LIMIT + 30
    assert result["failed"]
    assert (result["changed"], result["commands"]) == (False, [])
    message: str = result["msg"]
    return message


def test_a_suspended_device() -> None:
    """Its reader is in uninterruptible sleep: it cannot be killed, and holds neither the module nor the host lock."""
    pids: list[int] = []
    before = storage.seqnos()
    with left(pids), storage.suspended_device():
        for module, arguments in CALLS:
            message = failed(module, arguments, check=module != "snapset_info")
            assert "device stuck is suspended, so all that reads it waits: " in message, message
            assert message.endswith("type dmsetup resume stuck")
            pids += map(int, re.findall(r"\(PID (\d+)\)", message))
        # Not in check mode: it takes the host lock, and so does the next one.
        for _time in range(2):
            message = failed("snapset", {**present("s", "thick/a"), "lock_timeout": 0}, check=False)
            assert message.startswith(f"lvm fullreport has not ended within {LIMIT} s and ")
            pids += map(int, re.findall(r"\(PID (\d+)\)", message))
    assert {name: seqno for name, seqno in storage.seqnos().items() if name in before} == before
    assert ok("snapset", present("s", "thick/a"))["changed"]
    ok("snapset", absent("s"))


def test_another_lvm_that_holds_the_lock_of_a_vg() -> None:
    lock = "/run/lock/lvm/V_thick"
    with subprocess.Popen(["flock", lock, "sh", "-c", "echo; exec sleep 300"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            message = failed("snapset_info", {}, check=False)
        finally:
            for child in processes.children(holder.pid):
                processes.kill(child)
            holder.kill()
    expected = f"lvm fullreport has not ended within {LIMIT} s and was stopped: "
    expected += r"(flock|sleep) \(PID \d+\) holds a lock that it waits for: wait until that ends, or end it"
    assert re.fullmatch(expected, message), message
    ok("snapset_info", {})
