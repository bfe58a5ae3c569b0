# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged sets: members that are lost, overflowed, inactive, split off, renamed or in use."""

from __future__ import annotations

import re

import lvm
import pytest
import storage
from calls import absent, call, four_runs, merged, ok, present, refused, states


def state_of(name: str) -> tuple[str, list[str]]:
    (found,) = ok("snapset_info", {"name": name})["snapsets"]
    return states({"snapset": found})


@pytest.mark.parametrize("lost", ["thick/b", "thin/t2"])
def test_a_member_is_lost(lost: str) -> None:
    task = present("s", "thick/b", "thin/t2")
    ok("snapset", task)
    lvm.run("lvremove", "-y", f"{lost}_s")
    assert state_of("s")[0] == "damaged"
    refused("snapset", task, "1 of its 2 members are missing", "protect the wrong state")
    refused("snapset", merged("s"), "1 of its 2 members are missing")
    four_runs("snapset", absent("s"), commands=3)
    assert lvm.names(lost.split("/", maxsplit=1)[0]) == {
        name.split("/")[1] for name in storage.VOLUMES if name.startswith(lost[:4])
    }


def test_a_member_overflowed() -> None:
    task = present("s", "thick/b", "thin/t2", size="8MiB")
    ok("snapset", task)
    storage.write("thick/b", 12)
    assert state_of("s") == ("invalid", ["invalid", "active"])
    refused("snapset", task, "thick/b_s overflowed")
    refused("snapset", merged("s"), "thick/b_s overflowed")
    assert not lvm.tags("thin/t2")
    four_runs("snapset", absent("s"), commands=3)


def test_the_validity_of_a_member_is_unknown() -> None:
    task = present("s", "thick/c")
    ok("snapset", task)
    lvm.run("lvchange", "-y", "-an", "thick/c")
    for check in (True, False):
        kept = ok("snapset", task, check=check)
        assert not kept["changed"]
        assert ["thick/c_s is not active" in str(warning) for warning in kept["warnings"]] == [True]
    refused("snapset", merged("s"), "thick/c_s is not active")
    (command,) = re.findall(r"lvchange -ay \S+(?=,)", call("snapset", merged("s"))["msg"])
    assert ok("snapset", absent("s"), check=True)["changed"]
    lvm.run(*command.split())
    assert ok("snapset", merged("s"), check=True)["changed"]
    lvm.run("lvchange", "-y", "-an", "thick/c")
    assert ok("snapset", absent("s"))["changed"]
    assert "c_s" not in lvm.names("thick")


def split_off(origin: str) -> None:
    ok("snapset", present("s", origin))
    lvm.run("lvconvert", "-y", "--splitsnapshot", f"{origin}_s")
    assert state_of("s") == ("damaged", ["detached"])
    refused("snapset", present("s", origin), "missing and were not rolled back")
    refused("snapset", merged("s"), f"{origin}_s is no longer a snapshot of its recorded origin")


def test_a_member_was_split_off() -> None:
    """It has the generated name, and its origin exists: so it is what is left of the member, and may be removed."""
    split_off("thick/c")
    with open("/dev/thick/c_s", "rb"):  # noqa: PTH123
        refused("snapset", absent("s"), "thick/c_s itself is held open")
    lvm.run("lvcreate", "-q", "-s", "-L", "8m", "-n", "of_it", "thick/c_s")
    refused("snapset", absent("s"), "thick/c_s has the tags of a member")
    lvm.run("lvremove", "-y", "thick/of_it")
    four_runs("snapset", absent("s"), commands=3)
    assert lvm.names("thick") == {"a", "a_x", "b", "c"}


def test_a_member_was_split_off_and_renamed() -> None:
    split_off("thick/c")
    lvm.run("lvrename", "thick", "c_s", "mine")
    message = refused("snapset", absent("s"), "thick/mine has the tags of a member", "lvchange .*--deltag")["msg"]
    (command,) = re.findall(r"lvchange --deltag .* thick/mine", message)
    lvm.run(*command.split())
    assert not ok("snapset", absent("s"))["changed"]
    assert "mine" in lvm.names("thick")


def test_the_origin_of_a_split_member_is_gone() -> None:
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "d", "thick")
    ok("snapset", present("s", "thick/d"))
    lvm.run("lvconvert", "-y", "--splitsnapshot", "thick/d_s")
    lvm.run("lvremove", "-y", "thick/d")
    refused("snapset", absent("s"), "thick/d_s has the tags of a member")


def test_a_member_was_renamed() -> None:
    task = present("s", "thick/c")
    ok("snapset", task)
    lvm.run("lvrename", "thick", "c_s", "mine")
    kept = ok("snapset", task)
    assert (kept["changed"], kept["snapset"]["members"][0]["snapshot"]) == (False, "mine")
    assert ok("snapset", merged("s"), check=True)["changed"]
    ok("snapset", absent("s"))
    assert lvm.names("thick") == {"a", "a_x", "b", "c"}


@pytest.mark.parametrize("origin", ["thick/a", "thin/t1"])
def test_the_snapshot_itself_is_mounted(origin: str) -> None:
    task = present("s", origin, "thick/c")
    ok("snapset", task)
    lvm.run("lvchange", "-y", "-K", "-ay", f"{origin}_s")
    with storage.mounted(f"{origin}_s", "-o", "ro", at="snapshot") as where:
        assert not ok("snapset", task)["changed"]
        for other in (merged("s"), absent("s")):
            refused("snapset", other, f"{origin}_s itself is mounted at {where}")
    with open(f"/dev/{origin}_s", "rb"):  # noqa: PTH123
        refused("snapset", merged("s"), f"{origin}_s itself is held open by a process")
    four_runs("snapset", absent("s"), commands=3)
