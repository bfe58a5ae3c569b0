# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""States of sets and members, from tags and LVs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
import situations
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.instances import instances, lookup
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.state import (
    Instance,
    Member,
    MemberState,
    SetState,
    merge_percent,
)

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

A, B = b.volume("vg/a"), b.volume("vg/b")

STATES: dict[str, SetState] = {
    "nothing": "absent",
    "unsealed": "incomplete",
    "half_made": "incomplete",
    "active": "active",
    "recorded_only": "active",
    "half_sealed": "active",
    "invalid": "invalid",
    "unknown": "active",
    "lost": "damaged",
    "detached": "damaged",
    "partly_requested": "partly_merged",
    "partly_done": "partly_merged",
    "pending": "merge_pending",
    "pending_by_hand": "merge_pending",
    "pending_closed": "merge_pending",
    "pending_since_last_boot": "merge_pending",
    "started_at_boot": "merging",
    "merging": "merging",
    "merged": "merging",
    "store_left": "merging",
    "removed_by_hand": "damaged",
    "lost_pending": "damaged",
    "lost_partly": "damaged",
    "lost_merging": "damaged",
    "detached_pending": "damaged",
    "invalid_partly": "invalid",
    "unsealed_pending": "merge_pending",
    "merge_failed": "merge_failed",
    "overflowed_pending": "invalid",
    "overflowed_after_boot": "invalid",
    "rolled_back": "rolled_back",
    "name_taken": "absent",
    "name_of_other_set": "absent",
    "snapshot_mounted": "active",
    "snapshot_open": "active",
}


@pytest.mark.parametrize("situation", situations.ALL)
def test_state_of_the_set(situation: str) -> None:
    assert driver.view(situations.ALL[situation](), b.request()).state == STATES[situation]


# The first state that applies is the state of the set.
ORDER: tuple[tuple[SetState, tuple[MemberState, ...]], ...] = (
    ("damaged", ("lost", "detached")),
    ("invalid", ("invalid",)),
    ("merge_failed", ("merge_failed",)),
    ("merging", ("merging", "merged")),
    ("merge_pending", ("merge_pending",)),
)
MEMBER_STATES: tuple[MemberState, ...] = (
    "active",
    "unknown",
    "invalid",
    "merge_pending",
    "merging",
    "merge_failed",
    "merged",
    "rolled_back",
    "lost",
    "detached",
)


def _expected(states: set[MemberState]) -> SetState:
    for state, matching in ORDER[:3]:
        if states & set(matching):
            return state
    back = states - {"active", "unknown"}
    if back and back != states:
        return "partly_merged"
    for state, matching in ORDER[3:]:
        if states & set(matching):
            return state
    return "rolled_back" if back else "active"


@given(st.sets(st.sampled_from(MEMBER_STATES), min_size=1, max_size=4))
def test_the_first_state_that_applies(states: set[MemberState]) -> None:
    members = tuple(Member(state=state) for state in states)
    instance = Instance(name="s", set_id="1", count=len(members), created=0, members=members)
    assert instance.state == _expected(states)


def _instance_on(origin: Volume, set_id: str, *, sealed: bool = True, name: str = "s") -> Volume:
    tags = b.member_tags(origin, name=name, set_id=set_id * 32, sealed=sealed)
    return b.snapshot(origin, f"{origin.name}_{set_id}", tags=tags)


def _with_outcome(origin: Volume, set_id: str, *, at: int, name: str = "s") -> Volume:
    tag = f"safepoint.outcome.rolled_back={name}:{set_id * 32}:1:{at}"
    return replace(origin, tags=(*origin.tags, tag))


NAMED: dict[str, tuple[HostState, tuple[str | None, str, str]]] = {
    "sealed before unsealed": (
        b.host_state([A, B, _instance_on(A, "1", sealed=False), _instance_on(B, "2")]),
        ("2", "1", ""),
    ),
    "two unsealed": (
        b.host_state([A, B, _instance_on(A, "1", sealed=False), _instance_on(B, "2", sealed=False)]),
        ("1", "2", ""),
    ),
    "two sealed": (b.host_state([A, B, _instance_on(A, "1"), _instance_on(B, "2")]), ("1", "", "2")),
    "existing before rolled back": (
        b.host_state([_with_outcome(A, "1", at=b.NOW), B, _instance_on(B, "2", sealed=False)]),
        ("2", "", ""),
    ),
    "the newest rollback": (
        b.host_state([_with_outcome(A, "1", at=200), _with_outcome(B, "2", at=100)]),
        ("1", "", ""),
    ),
    "another name": (b.host_state([A, _instance_on(A, "1", name="z")]), (None, "", "")),
}


@pytest.mark.parametrize("case", NAMED)
def test_several_instances_with_one_name(case: str) -> None:
    host_state, (current, leftovers, rivals) = NAMED[case]
    found = lookup(instances(host_state), "s")
    assert (found.current.set_id[0] if found.current else None) == current
    assert "".join(instance.set_id[0] for instance in found.leftovers) == leftovers
    assert "".join(instance.set_id[0] for instance in found.rivals) == rivals


def test_a_rollback_that_a_later_one_replaced_does_not_count() -> None:
    """Two origins were rolled back, and later one of them again, by another set."""
    first = b.outcome_tag("rolled_back", name="first", count=2)
    later = b.outcome_tag("rolled_back", name="later", set_id="f" * 32)
    host_state = b.host_state([replace(A, tags=(later,)), replace(B, tags=(first,))])
    assert [instance.name for instance in instances(host_state)] == ["later"]


def test_properties_of_a_set() -> None:
    (instance,) = instances(situations.active())
    assert (instance.name, instance.set_id, instance.count, instance.created) == ("s", b.SET_ID, 2, b.NOW - 3600)
    assert [member.kind for member in instance.members] == ["thick", "thin"]
    assert instance.rolled_back_at is None
    assert driver.view(situations.rolled_back(), b.request()).rolled_back_at == b.NOW - 60


@pytest.mark.parametrize(("left", "percent"), [(50, 50), (Fraction("24.50"), Fraction("75.50")), (0, 100)])
def test_progress_of_a_merge(left: Fraction, percent: Fraction) -> None:
    origin, snapshot = b.merging(A, b.member(A), left=left)
    (instance,) = instances(b.host_state([origin, snapshot]))
    assert merge_percent(instance.members[0]) == percent


@pytest.mark.parametrize(("situation", "percents"), [("merged", [100, 100]), ("pending", [None, None])])
def test_progress_before_and_after_a_merge(situation: str, percents: list[int | None]) -> None:
    (instance,) = instances(situations.ALL[situation]())
    assert [merge_percent(member) for member in instance.members] == percents


T = situations.T
THIN_MEMBER = b.member(T)
WAITING, HIDDEN = b.pending(A, b.member(A))
THIN_WAITING, THIN_HIDDEN = b.pending(T, THIN_MEMBER, boot_id=b.OLD_BOOT)
MEMBERS: dict[str, tuple[MemberState, Volume, Volume]] = {
    "the origin reports the failure": ("merge_failed", replace(A, merge_failed=True), b.member(A)),
    "the snapshot reports the failure": ("merge_failed", A, b.member(A, merge_failed=True)),
    "overflowed": ("invalid", A, b.member(A, invalid=True)),
    "overflowed before its merge": ("invalid", replace(WAITING, invalid=True), HIDDEN),
    "another snapshot overflows in its merge": ("active", replace(A, invalid=True), b.member(A)),
    "inactive": ("unknown", A, b.member(A, active=False)),
    "of unknown validity": ("unknown", A, b.member(A, invalid=None)),
    "not a snapshot": ("detached", A, replace(b.member(A), roles=frozenset({"public"}))),
    "thin, begun at the last boot": ("merging", THIN_WAITING, THIN_HIDDEN),
    "thin, not activated since": ("merge_pending", replace(THIN_WAITING, active=False), THIN_HIDDEN),
    "thin, recorded before the boot but not requested": ("active", THIN_WAITING, THIN_MEMBER),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_state_of_a_member(case: str) -> None:
    state, *volumes = MEMBERS[case]
    (instance,) = instances(b.host_state(volumes))
    assert [member.state for member in instance.members] == [state]


LEFT = b.volume("vg/a_s", 40 * b.MIB, tags=b.member(A).tags)
REMEMBERING = replace(A, tags=(b.outcome_tag("merging"),))
STORES: dict[str, tuple[MemberState, Volume, Volume]] = {
    "left by LVM": ("merged", REMEMBERING, LEFT),
    "in use": ("detached", REMEMBERING, replace(LEFT, open=True)),
    "an origin itself": ("detached", REMEMBERING, replace(LEFT, roles=frozenset({"public", "origin"}))),
    "thin": ("detached", REMEMBERING, replace(LEFT, segtype="thin")),
    "a snapshot of another": ("detached", REMEMBERING, b.thick_snapshot(B, "a_s", tags=LEFT.tags)),
    "of a merge that still runs": ("detached", replace(REMEMBERING, merging=True), LEFT),
    "of a merge that is recorded as ended": ("detached", replace(A, tags=(b.outcome_tag("rolled_back"),)), LEFT),
    "of a merge that was not requested": ("detached", A, LEFT),
}


@pytest.mark.parametrize("case", STORES)
def test_a_plain_lv_with_the_tags_of_a_member(case: str) -> None:
    state, origin, volume = STORES[case]
    (instance,) = instances(b.host_state([origin, B, volume]))
    assert [member.state for member in instance.members] == [state]


def test_a_set_with_an_existing_member_counts() -> None:
    """However little is left of it, and whatever its origins record."""
    back = replace(A, tags=(b.outcome_tag("rolled_back", count=3),))
    (instance,) = instances(b.host_state([back, B, b.member(B, count=3)]))
    assert sorted(member.state for member in instance.members) == ["active", "lost", "rolled_back"]


def test_a_merge_without_progress() -> None:
    assert merge_percent(Member(state="merging", origin=THIN_WAITING, outcome=None)) is not None
    assert merge_percent(Member(state="merging", origin=b.inactive(THIN_WAITING), outcome=None)) is None
    assert merge_percent(Member(state="merging")) is None


def test_a_sparse_volumes_store_is_not_a_snapshot() -> None:
    sparse = b.thick_snapshot(b.volume("vg/x_vorigin"), "x")
    assert not sparse.is_snapshot
    assert instances(b.host_state([sparse])) == ()


def test_a_member_of_an_origin_in_another_group_is_detached() -> None:
    """A VG was copied: the tags and names are the same, but the origin is another LV."""
    copy = replace(_instance_on(b.volume("copy/a"), "1"), tags=_instance_on(A, "1").tags)
    (instance,) = instances(b.host_state([b.volume("copy/a"), copy]))
    assert [member.state for member in instance.members] == ["detached"]
