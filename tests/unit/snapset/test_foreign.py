# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a set is: every row of the table in docs/architecture.md, and hosts that see the VGs of other hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
from foreign_hosts import DATA, GUEST_ID, ROOT, kept, members_of, of

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.backups import restore_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import backups_in, snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.foreign import own_state
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.timers import timers_in

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume

NO_ID = ""
# The table: sets


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize(
    ("tag", "here", "origin", "expected"),
    [
        (b.HOST, b.HOST, DATA, {True: "own", False: "own"}),
        (b.OTHER_HOST, b.HOST, DATA, {True: "foreign", False: "foreign"}),
        (b.OTHER_HOST, b.HOST, b.volume("sys/var"), {True: "own", False: "own"}),
        (b.OTHER_HOST, NO_ID, DATA, {True: "foreign", False: "foreign"}),
        (b.OTHER_HOST, NO_ID, b.volume("sys/var"), {True: "own", False: "own"}),
        ("", b.HOST, DATA, {True: "own", False: "foreign"}),
        ("", NO_ID, DATA, {True: "own", False: "foreign"}),
    ],
    ids=[
        "equal",
        "other",
        "other, with /",
        "no machine-id",
        "no machine-id, with /",
        "no tag",
        "no tag, no machine-id",
    ],
)
def test_whose_a_set_is(tag: str, here: str, origin: Volume, *, active: bool, expected: dict[bool, str]) -> None:
    origin = origin if active else b.inactive(origin)
    found = of(origin, *members_of(origin, tag), here=here)
    info, is_own = host_info(found, None), expected[active] == "own"
    assert (len(info["snapsets"]), len(info["foreign"]), info["unmanaged_snapshots"]) == (is_own, not is_own, [])
    assert info["host_id"] == (here or None)
    assert (driver.view(found, b.request()).state == "absent") is not is_own


def test_a_record_of_a_rollback_has_an_owner_too() -> None:
    origin = replace(DATA, tags=(b.outcome_tag("rolled_back", DATA),))
    assert driver.view(of(origin), b.request()).state == "rolled_back"
    foreign = of(*b.of_host([origin], b.OTHER_HOST))
    assert driver.view(foreign, b.request()).state == "absent"
    assert host_info(foreign, None)["foreign"][0]["volumes"] == ["data/db"]
    assert driver.view(of(*b.of_host([b.inactive(origin)], "")), b.request()).state == "absent"


def test_lvm_does_not_know_what_is_active() -> None:
    """Then everything is refused for this reason, and not because a set would be foreign."""
    unknown = replace(DATA, active=None)
    found = of(unknown, *members_of(unknown, ""))
    assert "does not know which LVs are active" in str(driver.reasons(found, b.request(state="merged")))


def test_a_set_with_root_in_two_vgs_stays_own_when_the_machine_id_changes() -> None:
    pair = [b.member(origin, count=2) for origin in (ROOT, DATA)]
    found = of(DATA, *pair, *kept("data"), here=b.OTHER_HOST)
    assert driver.view(found, b.request()).state == "active"
    assert (len(backups_in(found)), len(timers_in(found)), host_info(found, None)["foreign"]) == (1, 1, [])
    # What is recorded during the rollback has the host of the set, which comes back with /.
    plan = driver.plan(found, b.request(state="merged"))
    assert driver.argvs(plan)[0].endswith(f":{b.HOST} data/db sys/root")


def test_a_set_without_root_becomes_foreign_when_the_machine_id_changes() -> None:
    found = of(DATA, b.member(DATA), *kept("data"), here=b.OTHER_HOST)
    assert driver.view(found, b.request()).state == "absent"
    (shown,) = host_info(found, None)["foreign"]
    volumes = ["data/db_s", "data/safepoint_boot_s", "data/safepoint_timer_s"]
    assert shown == {"name": "s", "id": b.SET_ID, "host": b.HOST, "vgs": ["data"], "volumes": volumes}


def test_the_tag_of_this_host_counts_more_than_none() -> None:
    """Without tags of its host, an active set of another host could stand in the way."""
    other = b.volume("guest/root")
    old = members_of(other, "", set_id=GUEST_ID)
    alone = of(DATA, b.member(DATA))
    both = of(DATA, b.member(DATA), other, *old)
    for request in (b.request("data/db"), b.request(state="merged"), b.request(state="absent")):
        assert driver.reasons(both, request) == driver.reasons(alone, request) == ()
    assert [part["id"] for part in host_info(both, None)["foreign"]] == [GUEST_ID]
    assert driver.view(of(DATA, other, *old), b.request()).state == "active"


def test_the_host_that_an_origin_records_counts_for_its_member() -> None:
    """An adoption cannot change the tags of a snapshot that is being merged."""
    origin, member = b.pending(DATA, b.member(DATA))
    adopted = of(origin, *b.of_host([member], b.OTHER_HOST))
    assert driver.view(adopted, b.request()).state == "merge_pending"
    foreign = of(*b.of_host([origin], b.OTHER_HOST), member)
    assert driver.view(foreign, b.request()).state == "absent"
    assert host_info(foreign, None)["foreign"][0]["volumes"] == ["data/db", "data/db_s"]


def test_a_copy_of_a_foreign_set_is_a_copy() -> None:
    found = own_state(
        b.copied(b.host_state([ROOT, DATA, *members_of(DATA, b.OTHER_HOST)]), {"data": "copy"}, active=True)
    )
    info = host_info(found, None)
    assert [one["vg"] for one in info["copies"]] == ["copy"]
    assert [one["vgs"] for one in info["foreign"]] == [["data"]]


# The table: backups and timers without a set


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize(
    ("tag", "here", "vg", "expected"),
    [
        (b.HOST, b.HOST, "data", {True: "own", False: "own"}),
        (b.OTHER_HOST, b.HOST, "data", {True: "foreign", False: "foreign"}),
        (b.OTHER_HOST, b.HOST, "sys", {True: "own", False: "own"}),
        ("", b.HOST, "data", {True: "foreign", False: "foreign"}),
        ("", b.HOST, "sys", {True: "own", False: "own"}),
        ("", NO_ID, "data", {True: "own", False: "foreign"}),
    ],
)
def test_whose_a_backup_and_a_timer_are(
    tag: str, here: str, vg: str, *, active: bool, expected: dict[bool, str]
) -> None:
    found = of(DATA, *b.of_host(kept(vg, active=active), tag), here=here)
    own = expected[active] == "own"
    assert (len(backups_in(found)), len(timers_in(found))) == ((1, 1) if own else (0, 0))
    assert bool(snapset_context(found, "s").unbound) is own
    assert [part["volumes"] for part in host_info(found, None)["foreign"]] == (
        [] if own else [[f"{vg}/safepoint_boot_s", f"{vg}/safepoint_timer_s"]]
    )


def test_a_backup_without_host_follows_its_set() -> None:
    """Both are of an earlier version."""
    mine = b.of_host([b.member(DATA), *kept("data")], "")
    assert snapset_context(of(DATA, *mine), "s").bound is not None
    away = b.inactive(DATA)
    assert snapset_context(of(away, *b.of_host([b.member(away), *kept("data")], "")), "s").backups == ()


def test_a_backup_of_another_host_with_the_id_of_a_set_of_this_host() -> None:
    """Its tags can be crafted. It would be mounted and restored."""
    found = of(DATA, b.member(DATA), *kept("guest", host=b.OTHER_HOST), *b.of_host(kept("web", active=False), ""))
    context = snapset_context(found, "s")
    assert (context.bound, context.unbound, context.backups) == (None, None, ())
    assert "no complete backup of /boot" in str([*restore_problems(context)])
