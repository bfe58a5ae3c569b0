# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kill something at every step: the host stays consistent, and the repeated task has the same result as without a kill.

The volumes are not mounted here, so a merge starts immediately. In test_suspended.py they are in use.
"""

from __future__ import annotations

import os
import signal
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import processes
import pytest
import storage
from calls import Running, absent, call, merged, ok, present, start

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SETS = {
    "thick": ("thick/b", "thick/c"),
    "thin": ("thin/t1", "thin/t2"),
    "mixed": ("thick/b", "thick/c", "other/a", "thin/t1", "thin/t2"),
}
SEALED = "safepoint.member.sealed"
# The offset at which the origins are changed, in MiB.
OFFSET_MIB = 2
# How often LVM is killed at most, until a kill happens while the device is deactivated.
TRIES = 8
# The longest time of a command in a slow machine, in seconds. LVM is killed at some time within it.
SLOW = 2.5


@dataclass(frozen=True)
class Case:
    """What is killed, when, in which task on which set. ``number`` counts the modifying commands of the task from 0."""

    task: str
    kind: str
    victim: str
    number: int

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of the set."""
        return SETS[self.kind]

    def __str__(self) -> str:
        return f"{self.task}-{self.kind}-{self.victim}-{self.number}"


def commands(task: str, origins: Sequence[str]) -> int:
    """How many modifying commands a task on a set of ``origins`` has if nothing is killed."""
    thick = [origin for origin in origins if not origin.startswith("thin/")]
    return {"create": len(origins) + 1, "extend": len(thick), "merge": 2, "remove": 1}[task]


def cases() -> list[Case]:
    """Every task on every set, with every victim at every command."""
    found = []
    for task in ("create", "extend", "merge", "remove"):
        for kind, origins in SETS.items():
            count = commands(task, origins)
            for victim in ("before", "while", "lvm"):
                found += [Case(task, kind, victim, number) for number in range(count)]
            if count:
                found.append(Case(task, kind, "after", count - 1))
    return found


def parameters(task: str, origins: Sequence[str]) -> Mapping[str, Any]:
    """The parameters of the task under test."""
    if task == "create":
        return present("s", *origins, size="8MiB")
    if task == "extend":
        return present("s", *origins, size="16MiB")
    return merged("s") if task == "merge" else absent("s")


@pytest.mark.parametrize("case", cases(), ids=str)
def test_killed(case: Case, pytestconfig: pytest.Config) -> None:
    with kept(case.origins):
        taken = storage.checksums(*case.origins)
        if case.task != "create":
            ok("snapset", present("s", *case.origins, size="8MiB"))
        for origin in case.origins:
            storage.write(origin, 1, at=OFFSET_MIB)
        changed = storage.checksums(*case.origins)
        task = parameters(case.task, case.origins)

        run_and_kill(case, task, seed=pytestconfig.getoption("--seed"))

        assert_consistent()
        assert_info_matches_lvm(case)
        finish(task)
        assert_consistent()
        assert_result_as_without_kill(case)
        assert storage.checksums(*case.origins) == (taken if case.task == "merge" else changed)


def test_an_origin_that_lvm_has_deactivated_is_active_again() -> None:
    """LVM deactivates a closed thin origin while it merges into it, and is killed at that moment."""
    origin = "thin/t2"
    with kept((origin,)):
        taken = storage.checksums(origin)
        assert any(killed_without_device(origin) for _try in range(TRIES))
        assert_consistent()
        assert storage.checksums(origin) == taken


def killed_without_device(origin: str) -> bool:
    """Take a set, merge it, and kill LVM as soon as the origin has no device. Return whether it was activated again."""
    ok("snapset", present("s", origin))
    storage.write(origin, 1, at=OFFSET_MIB)
    device = Path("/sys/class/block", Path(f"/dev/{origin}").resolve().name)
    reader, writer = os.pipe()
    running = start("snapset", merged("s"), before=lambda number, _words: notify(writer, number, 1))
    os.close(writer)
    assert os.read(reader, 1), running.result()
    os.close(reader)
    lvm_pid, _supervisor = processes.wait_for_child_of_child(running.pid)
    while device.exists() and processes.is_running(lvm_pid):
        time.sleep(0.002)
    processes.kill(lvm_pid)
    message = running.result().get("msg", "")
    assert Path(f"/dev/{origin}").exists(), message
    finish(merged("s"))
    return f"{origin} became inactive and was activated again" in message


@contextmanager
def kept(origins: Sequence[str]) -> Iterator[None]:
    """Restore afterwards what is overwritten: some origins contain filesystems that other tests need."""
    former = {}
    for origin in origins:
        with Path("/dev", origin).open("rb") as device:
            device.seek(OFFSET_MIB * storage.MIB)
            former[origin] = device.read(storage.MIB)
    try:
        yield
    finally:
        for origin, content in former.items():
            with Path("/dev", origin).open("r+b") as device:
                device.seek(OFFSET_MIB * storage.MIB)
                device.write(content)


def run_and_kill(case: Case, task: Mapping[str, Any], *, seed: str) -> None:
    """Run the task and kill the victim of the case."""
    if case.victim in ("before", "after"):
        hook = die_before(case.number) if case.victim == "before" else die_after(case.number)
        running = start("snapset", task, before=hook)
        assert running.wait() == -signal.SIGKILL
        return
    reader, writer = os.pipe()
    running = start("snapset", task, before=lambda number, _words: notify(writer, number, case.number))
    os.close(writer)
    assert os.read(reader, 1), running.result()
    os.close(reader)
    if case.victim == "while":
        kill_the_host_side(running)
    else:
        kill_lvm(running, after=SLOW * zlib.crc32(f"{seed}{case}".encode()) / 2**32)


def die_before(wanted: int) -> Callable[[int, Sequence[str]], None]:
    """A hook that kills the module before its command ``wanted``."""
    return lambda number, _words: os.kill(os.getpid(), signal.SIGKILL) if number == wanted else None


def die_after(wanted: int) -> Callable[[int, Sequence[str]], None]:
    """A hook that kills the module after its command ``wanted``, when it reads the report."""

    def hook(number: int, _words: Sequence[str]) -> None:
        if number == wanted:
            pytest.MonkeyPatch().setattr(Lvm, "report", lambda _self: os.kill(os.getpid(), signal.SIGKILL))

    return hook


def notify(pipe: int, number: int, wanted: int) -> None:
    """Notify the test that the module is about to run its command ``wanted``."""
    if number == wanted:
        os.write(pipe, b"x")


def kill_the_host_side(running: Running) -> None:
    """Kill the module and the supervisor while LVM runs: it continues, and the host stays locked until it ends."""
    lvm_pid, supervisor = processes.wait_for_child_of_child(running.pid)
    os.kill(lvm_pid, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    running.kill()
    still = processes.is_running(lvm_pid)
    busy = call("snapset", {**absent("nothing"), "lock_timeout": 0})
    if still:
        os.kill(lvm_pid, signal.SIGCONT)
        assert "the host is busy" in busy.get("msg", ""), busy
        processes.wait_for_end(lvm_pid)


def kill_lvm(running: Running, *, after: float) -> None:
    """Kill the LVM command ``after`` that many seconds. The supervisor and the module clean up."""
    lvm_pid, _supervisor = processes.wait_for_child_of_child(running.pid)
    time.sleep(after)
    killed = processes.kill(lvm_pid)
    result = running.result()
    assert "Traceback" not in str(result)
    if killed:
        assert result.get("failed"), result
        assert "killed" in result["msg"], result["msg"]


def assert_consistent() -> None:
    """No device is suspended, the lock is free, and no LVM command runs."""
    assert processes.suspended_for_good() == []
    assert not ok("snapset", {**absent("nothing"), "lock_timeout": 10})["changed"]


def assert_info_matches_lvm(case: Case) -> None:
    """snapset_info agrees with the report of LVM."""
    rows = [row for row in rows_of_set() if row["origin"]]
    shown = {one["name"]: one for one in ok("snapset_info", {})["snapsets"]}
    state = shown["s"]["state"] if "s" in shown else "absent"
    if case.task == "merge":
        untouched = not any(row["lv_merging"] for row in rows) and len(rows) == len(case.origins)
        assert state in (("active",) if untouched else ("merging", "rolled_back", "partly_merged"))
        return
    whole = len(rows) == len(case.origins)
    if case.task == "create" and not any(SEALED in row["lv_tags"] for row in rows):
        assert state == ("incomplete" if rows_of_set() else "absent")
        return
    assert state == ("active" if whole else "damaged" if rows else "absent")
    for member in shown["s"]["members"] if whole else ():
        (row,) = [row for row in rows if row["lv_full_name"] == f"{member['vg']}/{member['snapshot']}"]
        assert member["kind"] == "thin" or member["size"] == int(row["lv_size"])


def rows_of_set() -> list[dict[str, str]]:
    """The rows of LVM's report for all LVs with the tags of the set."""
    rows = lvm.report("lvs", "lv_full_name,lv_name,origin,lv_tags,lv_merging,lv_size", "-a", *storage.SIZES)
    return [row for row in rows if "safepoint.member.set=s" in row["lv_tags"]]


def finish(task: Mapping[str, Any]) -> None:
    """Repeat the task until nothing is left to do."""
    end = time.monotonic() + 240
    while (result := ok("snapset", task))["changed"] or result["poll_after"]:
        assert time.monotonic() < end, result
        time.sleep(1)


def assert_result_as_without_kill(case: Case) -> None:
    """The set, its LVs and the tags of the origins are as after a run without a kill."""
    state = {"create": "active", "extend": "active", "merge": "rolled_back", "remove": "absent"}[case.task]
    result = ok("snapset", parameters(case.task, case.origins))
    assert result["snapset"]["state"] == state
    members = {f"{origin}_s" for origin in case.origins} if state == "active" else set()
    assert storage.visible() == {*storage.VOLUMES, *members}
    for member in result["snapset"]["members"] if state == "active" else ():
        wanted = 16 if case.task == "extend" else 8
        assert member["kind"] == "thin" or member["size"] == wanted * storage.MIB
    for origin in case.origins:
        found = [tag.split("=")[0] for tag in lvm.tags(origin)]
        assert found == (["safepoint.outcome.rolled_back"] if state == "rolled_back" else [])
