# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several actors on one host at once: concurrent runs, an administrator during a run, signals, a shell with the lock.

The command of an administrator runs at the worst moment: in the process of the module, after its report and before its
next command.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lvm
import processes
import pytest
import storage
from calls import absent, call, merged, ok, present, rolled_back, start, states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calls import Arguments, Result

LOCK = "/run/safepoint.lvm/lock"
ORIGINS = ("thick/c", "thin/t2")
# Eight creations, one after another, take a minute in a slow machine.
PATIENT = {"lock_timeout": 600}


def extra_volumes() -> set[str]:
    """All visible LVs in the VGs of the tests, except the usual ones, as VG/LV."""
    return storage.visible() - set(storage.VOLUMES)


def snapset_states() -> dict[str, str]:
    """The state of each set on the host, by its name."""
    return {one["name"]: one["state"] for one in ok("snapset_info", {})["snapsets"]}


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


# ---------------------------------------------------------------------------------------------------------------------
# An administrator during a run


@dataclass(frozen=True)
class Interference:
    """What an administrator types immediately before the modifying command ``number`` of ``task``, and the result.

    ``left`` are the additional LVs afterwards. ``repaired`` is the command that the administrator types then.
    """

    task: Arguments
    number: int
    typed: str
    message: str | None
    changed: bool = False
    left: Sequence[str] = ()
    repaired: str = ""


NEW = present("s", *ORIGINS, size="8MiB")
MEMBERS = ("thick/c_s", "thin/t2_s")

INTERFERENCES: Mapping[str, Interference] = {
    "lvcreate of the first name": Interference(
        NEW, 0, "lvcreate -yqL 4m -n c_s thick", "already exists", left=("thick/c_s",), repaired="lvremove -y thick/c_s"
    ),
    "lvcreate of the second name": Interference(
        NEW,
        1,
        "lvcreate -yqL 4m -n t2_s thin",
        r"already exists.*removed again: thick/c_s",
        left=("thin/t2_s",),
        repaired="lvremove -y thin/t2_s",
    ),
    "lvrename of an origin": Interference(
        NEW, 0, "lvrename thick c d", "nothing was created", left=("thick/d",), repaired="lvrename thick d c"
    ),
    "lvrename of the second origin": Interference(
        NEW, 1, "lvrename thin t2 t3", r"removed again: thick/c_s", left=("thin/t3",), repaired="lvrename thin t3 t2"
    ),
    "lvremove of the first member": Interference(NEW, 1, "lvremove -y thick/c_s", r"removed again: thin/t2_s"),
    "lvremove of a member before the seal": Interference(
        NEW, 2, "lvremove -y thin/t2_s", r"seal failed.*removed again: thick/c_s"
    ),
    "lvrename of a member before the seal": Interference(
        NEW, 2, "lvrename thick c_s mine", r"seal failed.*removed again: thin/t2_s", left=("thick/mine",)
    ),
    "lvchange of a member before the seal": Interference(
        NEW, 2, "lvchange --addtag mine thick/c_s", None, changed=True, left=MEMBERS
    ),
}


@pytest.mark.parametrize("name", INTERFERENCES)
def test_an_administrator_against_a_creation(name: str) -> None:
    case = INTERFERENCES[name]
    held = [storage.checksum(origin) for origin in ORIGINS]
    result = disturbed(case.task, case.number, case.typed)
    left = extra_volumes()
    if case.repaired:
        lvm.run(*shlex.split(case.repaired))
    assert result["changed"] is case.changed, result
    assert_message(result, case.message)
    assert left == set(case.left)
    ended = ok("snapset", case.task)
    assert states(ended) == ("active", ["active"] * 2)
    assert ended["changed"] is not case.changed
    assert extra_volumes() == set(MEMBERS)
    assert [storage.checksum(origin) for origin in ORIGINS] == held


def disturbed(task: Arguments, number: int, *typed: str) -> Result:
    """The result of a task if somebody types LVM commands immediately before its command ``number``."""

    def hook(now: int, _arguments: Sequence[str]) -> None:
        if now == number:
            for line in typed:
                lvm.run(*shlex.split(line))

    result = start("snapset", task, before=hook).result()
    assert processes.suspended_for_good() == []
    return result


def assert_message(result: Result, pattern: str | None) -> None:
    """Check that a task failed with a message that matches ``pattern``, or succeeded if that is None."""
    assert bool(result.get("failed")) is (pattern is not None), result
    assert pattern is None or re.search(pattern, result["msg"], re.DOTALL), result["msg"]


def test_two_origins_swap_their_names() -> None:
    """Two LVs swap their names: a snapshot of the wrong one is a failure."""
    for name in ("d", "e"):
        lvm.run("lvcreate", "-yqL", "8m", "-n", name, "thick")
    result = disturbed(present("s", "thick/d"), 0, "lvrename thick d f", "lvrename thick e d", "lvrename thick f e")
    assert_message(result, "yet snapset s is damaged")
    assert result["changed"]
    assert snapset_states() == {"s": "damaged"}
    lvm.run("lvremove", "-y", "thick/d_s")
    assert snapset_states() == {}


def test_a_store_is_extended_by_hand() -> None:
    ok("snapset", present("s", "thick/c", size="8MiB"))
    larger = present("s", "thick/c", size="16MiB")
    result = disturbed(larger, 0, "lvextend -qL 16m thick/c_s")
    assert result.get("failed")
    assert result["changed"] is False
    assert not ok("snapset", larger)["changed"]
    assert snapset_states() == {"s": "active"}


@pytest.mark.parametrize("number", [0, 1])
def test_a_member_is_removed_before_its_merge(number: int) -> None:
    """No task may report a rollback that did not happen."""
    ok("snapset", present("s", *ORIGINS))
    storage.write("thick/c", 1, at=3)
    changed = storage.checksum("thick/c")
    result = disturbed(merged("s"), number, "lvremove -y thick/c_s")
    assert result.get("failed"), result
    assert "started or done: thick/c_s" not in result["msg"]
    assert snapset_states()["s"] != "rolled_back"
    last = call("snapset", merged("s"))
    assert last.get("failed"), last
    assert storage.checksum("thick/c") == changed
    assert snapset_states()["s"] != "rolled_back"
    assert ok("snapset", absent("s"))["changed"]
    assert snapset_states() == {}


@pytest.mark.parametrize("number", [0, 1])
def test_a_member_is_renamed_before_its_merge(number: int) -> None:
    ok("snapset", present("s", "thick/c"))
    taken = storage.checksum("thick/c")
    storage.write("thick/c", 1, at=3)
    result = disturbed(merged("s"), number, "lvrename thick c_s mine")
    assert result.get("failed"), result
    assert "started or done: none" in result["msg"]
    assert result["changed"] is False
    assert not lvm.tags("thick/c")
    rolled_back("snapset", merged("s"))
    assert storage.checksum("thick/c") == taken
    assert extra_volumes() == set()


@pytest.mark.parametrize("number", [0, 1])
def test_a_merge_is_started_by_hand(number: int) -> None:
    ok("snapset", present("s", *ORIGINS))
    taken = [storage.checksum(origin) for origin in ORIGINS]
    with storage.mounted("thin/t1"):
        for origin in ORIGINS:
            storage.write(origin, 1, at=3)
    result = disturbed(merged("s"), number, "lvconvert -y --merge --background thick/c_s")
    assert result.get("failed"), result
    # LVM of Debian 12 may have finished the thick merge already, without a tag on the origin.
    gone = "accept_loss_of: [s]" in call("snapset", merged("s"), check=True).get("msg", "")
    rolled_back("snapset", merged("s", accept_loss_of=["s"] if gone else []))
    assert [storage.checksum(origin) for origin in ORIGINS] == taken
    assert extra_volumes() == set()


def test_a_member_is_removed_before_its_removal() -> None:
    ok("snapset", present("s", *ORIGINS))
    result = disturbed(absent("s"), 0, "lvremove -y thick/c_s")
    assert_message(result, "not removed: none")
    assert result["changed"]
    assert snapset_states() == {}
    assert not ok("snapset", absent("s"))["changed"]


def test_all_members_are_removed_before_their_removal() -> None:
    """A task that changed nothing must not report a change."""
    ok("snapset", present("s", "thick/c"))
    result = disturbed(absent("s"), 0, "lvremove -y thick/c_s")
    assert_message(result, "not removed: none")
    assert result["changed"] is False
    assert not ok("snapset", absent("s"))["changed"]


def test_a_member_is_renamed_before_its_removal() -> None:
    ok("snapset", present("s", *ORIGINS))
    result = disturbed(absent("s"), 0, "lvrename thick c_s mine")
    assert_message(result, "remove failed")
    assert extra_volumes() == {"thick/mine"}
    assert ok("snapset", absent("s"))["changed"]
    assert extra_volumes() == set()


def test_another_volume_has_the_name_of_a_member() -> None:
    """It must not be removed."""
    ok("snapset", present("s", "thick/c"))
    result = disturbed(absent("s"), 0, "lvrename thick c_s mine", "lvcreate -yqL 4m -n c_s thick")
    assert result.get("failed"), result
    assert extra_volumes() == {"thick/mine", "thick/c_s"}
    assert ok("snapset", absent("s"))["changed"]
    assert extra_volumes() == {"thick/c_s"}


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
