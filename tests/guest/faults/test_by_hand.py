# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of an administrator at the worst moment of a run: after its report, before its next command."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lvm
import processes
import pytest
import storage
from calls import absent, call, merged, ok, present, rolled_back, snapset_states, start, states
from storage import extra_volumes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calls import Arguments, Result

ORIGINS = ("thick/c", "thin/t2")


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
