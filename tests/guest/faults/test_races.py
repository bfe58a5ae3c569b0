# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several actors on one host at once: concurrent runs, signals, a shell with the lock."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import processes
import pytest
import storage
from calls import absent, call, merged, ok, present, rolled_back, snapset_states, start, states
from storage import extra_volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calls import Arguments, Result

LOCK = "/run/safepoint.lvm/lock"
ORIGINS = ("thick/c", "thin/t2")
# Eight creations, one after another, take a minute in a slow machine.
PATIENT = {"lock_timeout": 600}


def at_once(tasks: Sequence[Arguments]) -> list[Result]:
    """Start a module for each task at the same time. Return their results."""
    started = [start("snapset", task) for task in tasks]
    results = [running.result() for running in started]
    assert "Traceback" not in str(results)
    assert processes.suspended_for_good() == []
    return results


def which_changed(results: Sequence[Result]) -> list[bool]:
    """Check that none of these runs has failed. Return which of them changed something."""
    assert [result["msg"] for result in results if result.get("failed")] == []
    return [result["changed"] for result in results]


# ---------------------------------------------------------------------------------------------------------------------
# Concurrent runs


@pytest.mark.parametrize("count", [2, 8])
def test_the_same_set(count: int) -> None:
    task = {**present("s", *ORIGINS), **PATIENT}
    results = at_once([task] * count)
    assert sum(which_changed(results)) == 1
    assert len({result["snapset"]["id"] for result in results}) == 1
    assert extra_volumes() == {"thick/c_s", "thin/t2_s"}
    assert not ok("snapset", task)["changed"]
    assert sum(which_changed(at_once([{**absent("s"), **PATIENT}] * count))) == 1
    assert extra_volumes() == set()


def test_without_a_timeout_only_one_run_succeeds() -> None:
    """With a timeout of 0 one run wins, and each other run reports which process holds the lock."""
    task = {**present("s", *ORIGINS), "lock_timeout": 0}
    started = [start("snapset", task) for _number in range(8)]
    results = {running.pid: running.result() for running in started}
    (winner,) = (pid for pid, result in results.items() if not result.get("failed"))
    assert results[winner]["changed"]
    for pid, result in results.items():
        if pid != winner:
            # Before the winner has written its title into the lock file, its PID comes from the kernel.
            holder = rf"(snapset s, state present \(PID {winner}\)|PID {winner}) holds {LOCK}"
            assert re.search(f"the host is busy: {holder}", result["msg"]), result["msg"]
            assert (result["changed"], result["commands"]) == (False, [])
    assert extra_volumes() == {"thick/c_s", "thin/t2_s"}
    assert not ok("snapset", task)["changed"]


@pytest.mark.parametrize("count", [2, 8])
def test_different_sets(count: int) -> None:
    names = [f"s{number}" for number in range(count)]
    origins = [("thick/c", "thin/t2", "other/a", "thick/b")[number % 4] for number in range(count)]
    tasks = [{**present(name, one, size="8MiB"), **PATIENT} for name, one in zip(names, origins) if "thin" not in one]
    tasks += [{**present(name, one), **PATIENT} for name, one in zip(names, origins) if "thin" in one]
    assert which_changed(at_once(tasks)) == [True] * count
    assert snapset_states() == dict.fromkeys(names, "active")
    assert which_changed([ok("snapset", task) for task in tasks]) == [False] * count
    assert which_changed(at_once([{**absent(name), **PATIENT} for name in names])) == [True] * count
    assert extra_volumes() == set()


def test_create_against_absent() -> None:
    """The second run sees what the first has done. So there are two possible results, and both runs report the same."""
    take, drop = ({**task, **PATIENT} for task in (present("s", *ORIGINS), absent("s")))
    created, removed = which_changed(at_once([take, drop]))
    assert created
    assert snapset_states() == ({} if removed else {"s": "active"})
    assert ok("snapset", take)["changed"] is removed
    assert ok("snapset", drop)["changed"]
    assert extra_volumes() == set()


def test_create_against_merge() -> None:
    """The merge of a set and the creation of a new set of the same origins."""
    ok("snapset", present("s", *ORIGINS))
    for origin in ORIGINS:
        storage.write(origin, 1, at=3)
    back, take = {**merged("s"), **PATIENT}, {**present("t", *ORIGINS), **PATIENT}
    merging, creating = at_once([back, take])
    if merging.get("failed"):
        # The new set was first. The merge would cut its thin member off, so it needs the consent of the user.
        assert "cut thin/t2_t (t) off" in merging["msg"]
        assert (merging["changed"], creating["changed"]) == (False, True)
        assert snapset_states() == {"s": "active", "t": "active"}
        ok("snapset", absent("t"))
    else:
        assert merging["changed"]
        assert creating.get("failed") is None or "is being merged" in creating["msg"]
    rolled_back("snapset", merged("s"))
    ok("snapset", present("t", *ORIGINS))
    assert ok("snapset", absent("t"))["changed"]
    assert extra_volumes() == set()


def test_merge_against_absent() -> None:
    ok("snapset", present("s", *ORIGINS))
    back, drop = {**merged("s"), **PATIENT}, {**absent("s"), **PATIENT}
    merging, dropping = at_once([back, drop])
    if merging.get("failed"):
        assert "it does not exist" in merging["msg"]
        assert which_changed([dropping]) == [True]
        assert snapset_states() == {}
        return
    assert merging["changed"]
    if dropping.get("failed"):
        assert "is being merged" in dropping["msg"]
        rolled_back("snapset", merged("s"))
        assert ok("snapset", absent("s"))["changed"]
    assert snapset_states() == {}
    assert extra_volumes() == set()


MEMBERS = ("thick/c_s", "thin/t2_s")


# ---------------------------------------------------------------------------------------------------------------------
# Signals, and the lock held by another program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal(number: signal.Signals) -> None:
    """It ends the whole process group of the module. The LVM command continues, and keeps the lock until it ends."""
    task = present("s", *ORIGINS)
    running = start("snapset", task, before=lambda count, _words: os.setpgid(0, 0) if count == 0 else None)
    command, _supervisor = processes.wait_for_child_of_child(running.pid)
    os.killpg(running.pid, number)
    running.wait()
    assert processes.is_running(command)
    busy = call("snapset", {**absent("nothing"), "lock_timeout": 0})
    assert re.search(rf"the host is busy: .*PID {running.pid}\b", busy.get("msg", "")), busy
    processes.wait_for_end(command)
    assert processes.suspended_for_good() == []
    assert extra_volumes() == {"thick/c_s"}
    assert snapset_states() == {"s": "incomplete"}
    assert states(ok("snapset", task)) == ("active", ["active"] * 2)
    assert extra_volumes() == set(MEMBERS)


@pytest.mark.parametrize("by_descriptor", [False, True])
def test_a_shell_holds_the_lock(by_descriptor: bool) -> None:  # noqa: FBT001
    """With flock(1) around a command, or on a descriptor of the shell, after flock(1) itself has ended."""
    ok("snapset", absent("s"))  # creates the lock file
    script = f"exec 9>>{LOCK}; flock 9; echo; read line" if by_descriptor else f"flock {LOCK} sh -c 'echo; read line'"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdout.readline()
        children = processes.children(shell.pid)
        try:
            busy = call("snapset", {**present("s", *ORIGINS), "lock_timeout": 1})
            assert ok("snapset", present("s", *ORIGINS), check=True)["changed"]
            waiting = start("snapset", {**present("s", *ORIGINS), **PATIENT})
            time.sleep(2)
        finally:
            # Closing is not enough: the process of the module has the pipe too.
            shell.stdin.write(b"\n")
            shell.stdin.flush()
        assert waiting.result()["changed"]
        assert busy.get("failed")
        holder = re.search(rf"the host is busy: PID (\d+)\b.* holds {LOCK}", busy["msg"])
        assert holder is not None, busy["msg"]
        assert int(holder[1]) in {shell.pid, *children}
    assert snapset_states() == {"s": "active"}
