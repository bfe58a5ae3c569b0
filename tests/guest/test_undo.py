# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""LVM refuses a command of a plan: the completed commands are undone, and the error says so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import storage
from calls import call, merged, ok, present, states, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINS = ("thick/c", "thin/t2", "thin/z")


@contextmanager
def name_taken_in_the_kernel(name: str) -> Iterator[None]:
    """Create a device that is not in LVM's metadata. Then the creation of an LV that needs its name fails."""
    lvm.run("dmsetup", "create", name, "--table", "0 8 zero")
    try:
        yield
    finally:
        lvm.run("dmsetup", "remove", "--retry", name)


def test_a_creation_that_fails_halfway() -> None:
    with name_taken_in_the_kernel("thin-z_s"):
        failed = call("snapset", present("s", *ORIGINS))
    assert failed.get("failed")
    assert failed["changed"] is False
    assert verbs(failed["commands"])[:3] == ["lvcreate"] * 3
    assert "thin/z" in str(failed["cmd"])
    assert failed["rc"] == 5
    assert failed["stderr"]
    assert "removed again: thick/c_s, thin/t2_s" in failed["msg"]
    assert storage.visible() == set(storage.VOLUMES)
    assert not any(lvm.tags(origin) for origin in ORIGINS)
    assert ok("snapset", present("s", *ORIGINS))["changed"]


def test_the_first_creation_fails() -> None:
    with name_taken_in_the_kernel("thick-c_s"):
        failed = call("snapset", present("s", "thick/c", "thin/t2"))
    assert failed.get("failed")
    assert failed["changed"] is False
    assert lvm.names("thick") == {"a", "a_x", "b", "c"}


def test_a_merge_that_lvm_refuses() -> None:
    """The origin has become read-only: a merge that was not started must not stay recorded."""
    ok("snapset", present("s", "thick/c"))
    lvm.run("lvchange", "-p", "r", "thick/c")
    try:
        failed = call("snapset", merged("s"))
        assert failed.get("failed")
        assert "read-only" in failed["msg"]
        assert failed["changed"] is False
        assert not lvm.tags("thick/c")
        assert states({"snapset": ok("snapset_info", {})["snapsets"][0]}) == ("active", ["active"])
    finally:
        lvm.run("lvchange", "-p", "rw", "thick/c")
