# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a set from creation to removal: thick, thin and mixed, with a limited number of LVM processes."""

from __future__ import annotations

import time

import lvm
import pytest
import storage
from calls import absent, four_runs, merged, ok, present, refused, states, verbs

SETS = {
    "thick": ["thick/a"],
    "thin": ["thin/t1", "thin/t2"],
    "mixed": ["other/a", "thick/a", "thin/t1", "thin/z"],
}


@pytest.mark.parametrize("origins", SETS.values(), ids=SETS)
def test_create_and_remove(origins: list[str]) -> None:
    taken = four_runs("snapset", present("s", *origins), commands=len(origins) + 3)
    assert states(taken.real) == ("active", ["active"] * len(origins))
    assert verbs(taken.real["commands"]) == [*["lvcreate"] * len(origins), "lvchange"]
    assert not any(word.startswith("@") for argv in taken.real["commands"] for word in argv)
    for origin, member in zip(origins, taken.real["snapset"]["members"]):
        row = lvm.lv(f"{origin}_s", "origin,lv_role,lv_tags,lv_size,lv_active")
        assert row["origin"] == origin.split("/")[1]
        assert "snapshot" in row["lv_role"]
        assert "safepoint.member.sealed" in row["lv_tags"].split(",")
        assert int(row["lv_size"]) == member["size"]
        assert member["kind"] == ("thin" if "/t" in origin else "thick")
        # A thick store this large cannot overflow. A thin snapshot stays inactive: nothing sees its filesystem.
        assert member["auto_basis"] == (None if member["kind"] == "thin" else "cannot_overflow")
        assert bool(row["lv_active"]) is (member["kind"] == "thick")
    removed = four_runs("snapset", absent("s"), commands=3)
    assert states(removed.real) == ("absent", [])
    assert storage.visible() == set(storage.VOLUMES)


def test_a_set_that_does_not_exist() -> None:
    refused("snapset", merged("s"), "it does not exist", "there are no snapsets on this host")
    gone = ok("snapset", absent("s"))
    assert (gone["changed"], verbs(gone["commands"]), states(gone)) == (False, [], ("absent", []))


def test_other_members_than_requested() -> None:
    ok("snapset", present("s", "thick/b", "thin/t2"))
    both = ("thick/b, thin/t2", "thick/b, thick/c")
    refused("snapset", present("s", "thick/b", "thick/c"), *both)
    refused("snapset", present("s", "thick/b"), *both[:1])
    refused("snapset", {**merged("s"), "volumes": present("", "thick/b", "thick/c")["volumes"]}, *both)
    refused("snapset", {**absent("s"), "volumes": present("", "thick/b", "thick/c")["volumes"]}, *both)
    refused("snapset", merged("other"), "it does not exist", "these exist: s$")
    for task in (merged("s"), absent("s")):
        same = {**task, "volumes": present("", "thin/t2", "thick/b")["volumes"]}
        assert ok("snapset", same, check=True)["changed"]


def test_a_set_that_is_too_old() -> None:
    taken = ok("snapset", present("s", "thick/c"))["snapset"]
    time.sleep(1.1)
    refused("snapset", present("s", "thick/c", max_age="0s"), r"more than max_age \(0s\) allows", "commit -e snapset=s")
    young = ok("snapset", present("s", "thick/c", max_age="1h"), check=True)
    assert (young["changed"], young["snapset"]["id"], young["snapset"]["created"]) == (
        False,
        taken["id"],
        taken["created"],
    )


def test_check_mode_gives_the_same_errors() -> None:
    ok("snapset", present("s", "thick/c", size="8MiB"))
    storage.write("thick/c", 12)
    for task in (present("s", "thick/c"), merged("s"), present("t", "nowhere/x", "thin/pool", "thick/nothing")):
        assert refused("snapset", task, check=True)["msg"] == refused("snapset", task)["msg"]
