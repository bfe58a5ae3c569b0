# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""LVM is killed while the origin is suspended, which blocks every process that uses it: it is resumed immediately."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import processes
import pytest
import storage
from calls import absent, call, ok, present, start

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.devicemapper import observe_devices, restore_devices

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT_ALONE = {"ignore_uncovered": ["/var"], "size": "128MiB"}
# How often LVM is killed at most, until a kill happens while the origin is suspended.
TRIES = 8
# After that many seconds a failed try resumes the origin itself, because this process may need it.
LAST_RESORT = 240


@pytest.mark.parametrize("origin", ["thick/a", "thin/t1", "sysvg/root"])
def test_the_origin_is_resumed(origin: str) -> None:
    vg = origin.split("/", maxsplit=1)[0]
    before = lvm.names(vg)
    with in_use(origin) as directory:
        assert any(killed_while_suspended(origin) for _try in range(TRIES))
        file = directory / "safepoint-written"
        file.write_text("still alive")
        os.sync()
        file.unlink()
    assert ok("snapset", present("s", origin, **ROOT_ALONE))["changed"]
    ok("snapset", absent("s"))
    assert lvm.names(vg) == before


@contextmanager
def in_use(origin: str) -> Iterator[Path]:
    """Mount ``origin`` if needed. Yield a directory on its filesystem."""
    if origin == "sysvg/root":
        yield Path("/")
    else:
        with storage.mounted(origin) as point:
            yield point


@contextmanager
def last_resort(vg: str) -> Iterator[None]:
    """If this takes too long, resume the devices of ``vg`` so that the test can end, and make the test fail."""
    watcher = os.fork()
    if watcher == 0:
        time.sleep(LAST_RESORT)
        restore_devices(replace(observe_devices(), suspended=frozenset()), [vg])
        os._exit(0)
    try:
        yield
    finally:
        os.kill(watcher, signal.SIGKILL)
        _pid, status = os.waitpid(watcher, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the devices remained suspended"


@contextmanager
def urgent() -> Iterator[None]:
    """Give this process a higher priority than LVM, which raises its own priority while a device is suspended."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def killed_while_suspended(origin: str) -> bool:
    """Take a set, kill LVM when it suspends the origin. Return whether it was left suspended and then resumed."""
    device = Path(os.path.realpath(f"/dev/{origin}")).name
    state = Path("/sys/class/block", device, "dm", "suspended")
    with last_resort(origin.split("/", maxsplit=1)[0]):
        running = start("snapset", present("s", origin, **ROOT_ALONE))
        lvm_pid, _supervisor = processes.wait_for_child_of_child(running.pid)
        with urgent():
            while state.read_text().strip() == "0" and processes.is_running(lvm_pid):
                time.sleep(0.005)
            processes.kill(lvm_pid)
        result: dict[str, Any] = running.result()
        assert processes.suspended() == []
    remove_leftovers()
    print(result.get("msg", "it was not killed in time"))
    return f"resumed: {origin.replace('/', '-')}" in result.get("msg", "")


def remove_leftovers() -> None:
    """Remove what is left of the set, with the suggested command if LVM cannot do it.

    LVM records which device it wants in the pool, creates it, and increments the transaction of the pool. If it is
    killed in between, each later command tries to create it again and fails (LVM 2.03.31), until somebody deletes the
    device in the pool.
    """
    result = call("snapset", absent("s"))
    if result.get("failed"):
        suggested = re.search(r"dmsetup message \S+ 0 'delete \d+'", result["msg"])
        assert suggested, result["msg"]
        lvm.run(*shlex.split(suggested[0]))
        ok("snapset", absent("s"))
