# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several at once on one host: runs against runs, an administrator against a run, signals, and a shell with the lock.

An administrator's command is run at the worst moment: in the module's own process, between what it has seen and its
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
# Eight creations one after another take a minute in a slow machine.
PATIENT = {"lock_timeout": 600}


def there() -> set[str]:
    """Every visible LV of the tests' VGs beyond those that belong there, as VG/LV."""
    return storage.visible() - set(storage.VOLUMES)


def told() -> dict[str, str]:
    """Every set on the host with its state."""
    return {one["name"]: one["state"] for one in ok("snapset_info", {})["snapsets"]}


def at_once(tasks: Sequence[Arguments]) -> list[Result]:
    """Start a module for each task, and their results."""
    started = [start("snapset", task) for task in tasks]
    results = [running.result() for running in started]
    assert "Traceback" not in str(results)
    assert processes.suspended_for_good() == []
    return results


def changes(results: Sequence[Result]) -> list[bool]:
    """Which of these runs, none of which may have failed, changed something."""
    assert [result["msg"] for result in results if result.get("failed")] == []
    return [result["changed"] for result in results]


# ---------------------------------------------------------------------------------------------------------------------
# Runs against runs


@pytest.mark.parametrize("count", [2, 8])
def test_the_same_set(count: int) -> None:
    task = {**present("s", *ORIGINS), **PATIENT}
    results = at_once([task] * count)
    assert sum(changes(results)) == 1
    assert len({result["snapset"]["id"] for result in results}) == 1
    assert there() == {"thick/c_s", "thin/t2_s"}
    assert not ok("snapset", task)["changed"]
    assert sum(changes(at_once([{**absent("s"), **PATIENT}] * count))) == 1
    assert there() == set()


def test_nobody_waits() -> None:
    """Without patience one wins, and each of the others is told by whom the host is held."""
    task = {**present("s", *ORIGINS), "lock_timeout": 0}
    started = [start("snapset", task) for _number in range(8)]
    results = {running.pid: running.result() for running in started}
    (winner,) = (pid for pid, result in results.items() if not result.get("failed"))
    assert results[winner]["changed"]
    for pid, result in results.items():
        if pid != winner:
            # A run that holds the lock and has not yet written into it who it is, is named by the kernel.
            holder = rf"(snapset s, state present \(PID {winner}\)|PID {winner}) holds {LOCK}"
            assert re.search(f"the host is busy: {holder}", result["msg"]), result["msg"]
            assert (result["changed"], result["commands"]) == (False, [])
    assert there() == {"thick/c_s", "thin/t2_s"}
    assert not ok("snapset", task)["changed"]


@pytest.mark.parametrize("count", [2, 8])
def test_different_sets(count: int) -> None:
    names = [f"s{number}" for number in range(count)]
    origins = [("thick/c", "thin/t2", "other/a", "thick/b")[number % 4] for number in range(count)]
    tasks = [{**present(name, one, size="8MiB"), **PATIENT} for name, one in zip(names, origins) if "thin" not in one]
    tasks += [{**present(name, one), **PATIENT} for name, one in zip(names, origins) if "thin" in one]
    assert changes(at_once(tasks)) == [True] * count
    assert told() == dict.fromkeys(names, "active")
    assert changes([ok("snapset", task) for task in tasks]) == [False] * count
    assert changes(at_once([{**absent(name), **PATIENT} for name in names])) == [True] * count
    assert there() == set()


def test_create_against_absent() -> None:
    """Whoever comes second sees what the first has done: the end is one of two, and both tell it so."""
    take, drop = ({**task, **PATIENT} for task in (present("s", *ORIGINS), absent("s")))
    instance, dropping = changes(at_once([take, drop]))
    assert instance
    assert told() == ({} if dropping else {"s": "active"})
    assert ok("snapset", take)["changed"] is dropping
    assert ok("snapset", drop)["changed"]
    assert there() == set()


def test_create_against_merge() -> None:
    """The merge of one set against a new one of the same origins."""
    ok("snapset", present("s", *ORIGINS))
    for origin in ORIGINS:
        storage.write(origin, 1, at=3)
    back, take = {**merged("s"), **PATIENT}, {**present("t", *ORIGINS), **PATIENT}
    merging, instance = at_once([back, take])
    if merging.get("failed"):
        # The new set came first; its thin member would have been cut off, and that is for the user to decide.
        assert "cut thin/t2_t (t) off" in merging["msg"]
        assert (merging["changed"], instance["changed"]) == (False, True)
        assert told() == {"s": "active", "t": "active"}
        ok("snapset", absent("t"))
    else:
        assert merging["changed"]
        assert instance.get("failed") is None or "is being merged" in instance["msg"]
    rolled_back("snapset", merged("s"))
    ok("snapset", present("t", *ORIGINS))
    assert ok("snapset", absent("t"))["changed"]
    assert there() == set()


def test_merge_against_absent() -> None:
    ok("snapset", present("s", *ORIGINS))
    back, drop = {**merged("s"), **PATIENT}, {**absent("s"), **PATIENT}
    merging, dropping = at_once([back, drop])
    if merging.get("failed"):
        assert "it does not exist" in merging["msg"]
        assert changes([dropping]) == [True]
        assert told() == {}
        return
    assert merging["changed"]
    if dropping.get("failed"):
        assert "is being merged" in dropping["msg"]
        rolled_back("snapset", merged("s"))
        assert ok("snapset", absent("s"))["changed"]
    assert told() == {}
    assert there() == set()


# ---------------------------------------------------------------------------------------------------------------------
# An administrator against a run


@dataclass(frozen=True)
class Interference:
    """What an administrator types right before the modifying command ``number`` of ``task``, and what comes of it.

    ``left`` are the LVs that are there then, ``mended`` is what he types when he has read the message.
    """

    task: Arguments
    number: int
    typed: str
    said: str | None
    changed: bool = False
    left: Sequence[str] = ()
    mended: str = ""


NEW = present("s", *ORIGINS, size="8MiB")
MEMBERS = ("thick/c_s", "thin/t2_s")

INTERFERENCES: Mapping[str, Interference] = {
    "lvcreate of the first name": Interference(
        NEW, 0, "lvcreate -yqL 4m -n c_s thick", "already exists", left=("thick/c_s",), mended="lvremove -y thick/c_s"
    ),
    "lvcreate of the second name": Interference(
        NEW,
        1,
        "lvcreate -yqL 4m -n t2_s thin",
        r"already exists.*removed again \(thick/c_s\)",
        left=("thin/t2_s",),
        mended="lvremove -y thin/t2_s",
    ),
    "lvrename of an origin": Interference(
        NEW, 0, "lvrename thick c d", "nothing was made", left=("thick/d",), mended="lvrename thick d c"
    ),
    "lvrename of the second origin": Interference(
        NEW, 1, "lvrename thin t2 t3", r"removed again \(thick/c_s\)", left=("thin/t3",), mended="lvrename thin t3 t2"
    ),
    "lvremove of the first member": Interference(NEW, 1, "lvremove -y thick/c_s", r"removed again \(thin/t2_s\)"),
    "lvremove of a member before the seal": Interference(
        NEW, 2, "lvremove -y thin/t2_s", r"seal failed.*removed again \(thick/c_s\)"
    ),
    "lvrename of a member before the seal": Interference(
        NEW, 2, "lvrename thick c_s mine", r"seal failed.*removed again \(thin/t2_s\)", left=("thick/mine",)
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
    left = there()
    if case.mended:
        lvm.run(*shlex.split(case.mended))
    assert result["changed"] is case.changed, result
    assert_said(result, case.said)
    assert left == set(case.left)
    ended = ok("snapset", case.task)
    assert states(ended) == ("active", ["active"] * 2)
    assert ended["changed"] is not case.changed
    assert there() == set(MEMBERS)
    assert [storage.checksum(origin) for origin in ORIGINS] == held


def disturbed(task: Arguments, number: int, *typed: str) -> Result:
    """The result of a task when somebody types LVM's commands right before its command ``number``."""

    def hook(now: int, _arguments: Sequence[str]) -> None:
        if now == number:
            for line in typed:
                lvm.run(*shlex.split(line))

    result = start("snapset", task, before=hook).result()
    assert processes.suspended_for_good() == []
    return result


def assert_said(result: Result, pattern: str | None) -> None:
    """A result failed with what ``pattern`` finds, or did not fail when that is None."""
    assert bool(result.get("failed")) is (pattern is not None), result
    assert pattern is None or re.search(pattern, result["msg"], re.DOTALL), result["msg"]


def test_an_origin_is_another_one_now() -> None:
    """Two LVs change names: the snapshot of the wrong one is no success."""
    for name in ("d", "e"):
        lvm.run("lvcreate", "-yqL", "8m", "-n", name, "thick")
    result = disturbed(present("s", "thick/d"), 0, "lvrename thick d f", "lvrename thick e d", "lvrename thick f e")
    assert_said(result, "yet snapset s is damaged")
    assert result["changed"]
    assert told() == {"s": "damaged"}
    lvm.run("lvremove", "-y", "thick/d_s")
    assert told() == {}


def test_a_store_is_extended_by_hand() -> None:
    ok("snapset", present("s", "thick/c", size="8MiB"))
    larger = present("s", "thick/c", size="16MiB")
    result = disturbed(larger, 0, "lvextend -qL 16m thick/c_s")
    assert result.get("failed")
    assert result["changed"] is False
    assert not ok("snapset", larger)["changed"]
    assert told() == {"s": "active"}


@pytest.mark.parametrize("number", [0, 1])
def test_a_member_is_removed_before_its_merge(number: int) -> None:
    """Nothing may tell of a rollback that has not been."""
    ok("snapset", present("s", *ORIGINS))
    storage.write("thick/c", 1, at=3)
    changed = storage.checksum("thick/c")
    result = disturbed(merged("s"), number, "lvremove -y thick/c_s")
    assert result.get("failed"), result
    assert "begun or done: thick/c_s" not in result["msg"]
    assert told()["s"] != "rolled_back"
    last = call("snapset", merged("s"))
    assert last.get("failed"), last
    assert storage.checksum("thick/c") == changed
    assert told()["s"] != "rolled_back"
    assert ok("snapset", absent("s"))["changed"]
    assert told() == {}


@pytest.mark.parametrize("number", [0, 1])
def test_a_member_is_renamed_before_its_merge(number: int) -> None:
    ok("snapset", present("s", "thick/c"))
    taken = storage.checksum("thick/c")
    storage.write("thick/c", 1, at=3)
    result = disturbed(merged("s"), number, "lvrename thick c_s mine")
    assert result.get("failed"), result
    assert "begun or done: none" in result["msg"]
    assert result["changed"] is False
    assert not lvm.tags("thick/c")
    rolled_back("snapset", merged("s"))
    assert storage.checksum("thick/c") == taken
    assert there() == set()


@pytest.mark.parametrize("number", [0, 1])
def test_a_merge_is_begun_by_hand(number: int) -> None:
    ok("snapset", present("s", *ORIGINS))
    taken = [storage.checksum(origin) for origin in ORIGINS]
    with storage.mounted("thin/t1"):
        for origin in ORIGINS:
            storage.write(origin, 1, at=3)
    result = disturbed(merged("s"), number, "lvconvert -y --merge --background thick/c_s")
    assert result.get("failed"), result
    # LVM of Debian 12 may have ended the thick merge by now, of which nobody had told the origin.
    gone = "accept_loss_of: [s]" in call("snapset", merged("s"), check=True).get("msg", "")
    rolled_back("snapset", merged("s", accept_loss_of=["s"] if gone else []))
    assert [storage.checksum(origin) for origin in ORIGINS] == taken
    assert there() == set()


def test_a_member_is_removed_before_its_removal() -> None:
    ok("snapset", present("s", *ORIGINS))
    result = disturbed(absent("s"), 0, "lvremove -y thick/c_s")
    assert_said(result, "still there: nothing")
    assert result["changed"]
    assert told() == {}
    assert not ok("snapset", absent("s"))["changed"]


def test_all_is_removed_before_its_removal() -> None:
    """Whoever changed something says so, and nobody else."""
    ok("snapset", present("s", "thick/c"))
    result = disturbed(absent("s"), 0, "lvremove -y thick/c_s")
    assert_said(result, "still there: nothing")
    assert result["changed"] is False
    assert not ok("snapset", absent("s"))["changed"]


def test_a_member_is_renamed_before_its_removal() -> None:
    ok("snapset", present("s", *ORIGINS))
    result = disturbed(absent("s"), 0, "lvrename thick c_s mine")
    assert_said(result, "remove failed")
    assert there() == {"thick/mine"}
    assert ok("snapset", absent("s"))["changed"]
    assert there() == set()


def test_another_volume_has_the_name_of_a_member_now() -> None:
    """It is nobody's to remove."""
    ok("snapset", present("s", "thick/c"))
    result = disturbed(absent("s"), 0, "lvrename thick c_s mine", "lvcreate -yqL 4m -n c_s thick")
    assert result.get("failed"), result
    assert there() == {"thick/mine", "thick/c_s"}
    assert ok("snapset", absent("s"))["changed"]
    assert there() == {"thick/c_s"}


# ---------------------------------------------------------------------------------------------------------------------
# Signals, and the lock in other hands


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal(number: signal.Signals) -> None:
    """It ends the module, or all of its process group; LVM's command goes on to its end, locked."""
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
    assert there() == {"thick/c_s"}
    assert told() == {"s": "incomplete"}
    assert states(ok("snapset", task)) == ("active", ["active"] * 2)
    assert there() == set(MEMBERS)


@pytest.mark.parametrize("by_descriptor", [False, True])
def test_a_shell_holds_the_lock(by_descriptor: bool) -> None:  # noqa: FBT001
    """With flock(1) around a command, or on a descriptor of its own, when flock(1) itself is long gone."""
    ok("snapset", absent("s"))  # so that the lock file exists
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
            # Closing would not do: the module's process has the pipe as well.
            shell.stdin.write(b"\n")
            shell.stdin.flush()
        assert waiting.result()["changed"]
        assert busy.get("failed")
        holder = re.search(rf"the host is busy: PID (\d+)\b.* holds {LOCK}", busy["msg"])
        assert holder is not None, busy["msg"]
        assert int(holder[1]) in {shell.pid, *children}
    assert told() == {"s": "active"}
