# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interrupted creations: their leftovers are never used as a set, and the next task removes them."""

from __future__ import annotations

import time
from pathlib import Path

import lvm
import storage
from calls import absent, call, four_runs, merged, ok, predicted_and_done, present, refused, start, states, verbs

SEALED = "safepoint.member.sealed"
ORIGINS = ("thick/c", "thin/t2")


def leave_leftovers() -> str:
    """Create what a kill between the two commits of a thick member leaves: complete members, and an LV with tags."""
    taken = ok("snapset", present("s", *ORIGINS))
    members = [f"{origin}_s" for origin in ORIGINS]
    lvm.run("lvchange", "--deltag", SEALED, *members)
    tags = lvm.tags("thick/c_s")
    lvm.run("lvremove", "-y", "thick/c_s")
    options = [word for tag in sorted(tags) for word in ("--addtag", tag)]
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "c_s", *options, "thick")
    set_id: str = taken["snapset"]["id"]
    return set_id


def test_leftovers_are_replaced_by_a_new_set() -> None:
    former = leave_leftovers()
    refused("snapset", merged("s"), "it is incomplete")
    taken = predicted_and_done("snapset", present("s", *ORIGINS), commands=2 + 3 + 1)
    assert verbs(taken["commands"])[0] == "lvremove"
    assert taken["snapset"]["id"] != former
    assert states(taken) == ("active", ["active"] * 2)
    assert not ok("snapset", present("s", *ORIGINS))["changed"]


def test_leftovers_are_removed() -> None:
    leave_leftovers()
    (shown,) = ok("snapset_info", {"name": "s"})["snapsets"]
    assert shown["state"] == "incomplete"
    four_runs("snapset", absent("s"), commands=3)
    assert storage.visible() == set(storage.VOLUMES)


def test_a_partial_sealing_is_completed() -> None:
    task = present("s", "thick/c", "thin/t2")
    ok("snapset", task)
    lvm.run("lvchange", "--deltag", SEALED, "thin/t2_s")
    assert ok("snapset", merged("s"), check=True)["changed"]
    sealed = four_runs("snapset", task, commands=3)
    assert [step["step"] for step in sealed.real["planned"]] == ["seal"]
    assert SEALED in lvm.tags("thin/t2_s")


def two_instances() -> None:
    """Create two sets with the same name: one of thick/b, one of thick/c."""
    ok("snapset", present("s", "thick/b"))
    ok("snapset", present("r", "thick/c"))
    lvm.run("lvchange", "--deltag", "safepoint.member.set=r", "--addtag", "safepoint.member.set=s", "thick/c_r")


def test_two_complete_sets_with_one_name() -> None:
    two_instances()
    for task in (present("s", "thick/b"), merged("s"), absent("s")):
        refused("snapset", task, "two complete sets have this name")


def test_leftovers_beside_a_complete_set() -> None:
    two_instances()
    lvm.run("lvchange", "--deltag", SEALED, "thick/c_r")
    kept = four_runs("snapset", present("s", "thick/b"), commands=3)
    assert [step["step"] for step in kept.real["planned"]] == ["remove"]
    assert lvm.names("thick") == {"a", "a_x", "b", "b_s", "c"}


def test_a_module_is_killed_during_a_creation() -> None:
    """LVM finishes its command and keeps the lock until then. The next run starts again from the beginning."""
    task = present("s", "thick/b", "thick/c")
    running = start("snapset", task)
    while not (creating := commands_running("lvcreate")):
        time.sleep(0.02)
    running.kill()
    if commands_running("lvcreate") == creating:
        busy = call("snapset", {**absent("s"), "lock_timeout": 0})
        assert busy.get("failed") is True or not commands_running("lvcreate"), busy
    taken = ok("snapset", task)
    assert states(taken) == ("active", ["active"] * 2)
    assert verbs(taken["commands"])[:1] == ["lvremove"]
    assert lvm.lv("thick/b", "lv_suspended")["lv_suspended"] == ""


def commands_running(verb: str) -> list[int]:
    """The processes that run ``lvm verb``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(words) > 1 and words[0].endswith(b"lvm") and words[1] == verb.encode():
            found.append(int(entry.name))
    return found
