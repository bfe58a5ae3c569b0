# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All situations of the set ``s`` of va/a (thick) and vt/t (thin), each as a HostState."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable

import builders as b

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

A = b.volume("va/a")
T = b.thin("vt/t", thin_id=1)
OTHER = b.volume("va/b")
POOL = b.thin_pool("vt/pool")
A_MEMBER = b.member(A, count=2)
T_MEMBER = b.member(T, count=2)
GROUPS = (b.group("va", free=500), b.group("vt", free=500))

MERGING = b.outcome_tag("merging", A, T, count=2)
# The same with the thin device ID that vt/t must have after the merge of its member.
MERGING_THIN = b.outcome_tag("merging", A, T, count=2, thin_ids={T.key: T_MEMBER.thin_id or 0})
ROLLED_BACK = b.outcome_tag("rolled_back", A, T, count=2)


def of(*volumes: Volume, **more: Any) -> HostState:
    """A host with ``volumes``, vt/pool and va/b, which is an LV that belongs to no set."""
    return b.host_state((*volumes, OTHER, POOL), groups=GROUPS, **more)


def nothing() -> HostState:
    return of(A, T)


def active() -> HostState:
    return of(A, T, A_MEMBER, T_MEMBER)


def half_sealed() -> HostState:
    return of(A, T, A_MEMBER, b.member(T, count=2, sealed=False))


def unsealed() -> HostState:
    return of(A, T, b.member(A, count=2, sealed=False))


def half_made() -> HostState:
    """A killed lvcreate has left a plain LV with the tags and the name of a member."""
    made = b.member(A, count=2, sealed=False)
    plain = b.volume(made.full_name, 40 * b.MIB, tags=made.tags, active=False, open=None)
    return of(A, T, plain)


def invalid() -> HostState:
    return of(A, T, replace(A_MEMBER, invalid=True), T_MEMBER)


def recorded_only() -> HostState:
    """The merge was recorded, but never requested from LVM."""
    return of(replace(A, tags=(MERGING_THIN,)), replace(T, tags=(MERGING_THIN,)), A_MEMBER, T_MEMBER)


def unknown() -> HostState:
    origin = b.inactive(A)
    return of(origin, T, b.inactive(A_MEMBER), T_MEMBER)


def lost() -> HostState:
    return of(A, T, T_MEMBER)


def detached() -> HostState:
    """Somebody has split off the thick member and renamed it."""
    split = b.volume("va/mine", 40 * b.MIB, tags=A_MEMBER.tags)
    return of(A, T, split, T_MEMBER)


def partly_requested() -> HostState:
    return of(*b.pending(A, A_MEMBER, count=2), T, T_MEMBER)


def partly_done() -> HostState:
    return of(replace(A, tags=(ROLLED_BACK,)), T, T_MEMBER)


def pending() -> HostState:
    return of(*b.pending(A, A_MEMBER, count=2), *b.pending(T, T_MEMBER, count=2))


def pending_by_hand() -> HostState:
    """Somebody has typed lvconvert --merge for both of them."""
    return without_outcomes(pending())


def without_outcomes(host_state: HostState) -> HostState:
    silent = tuple(replace(lv, tags=()) if lv.name in ("a", "t") else lv for lv in host_state.volumes)
    return replace(host_state, volumes=silent)


def pending_closed() -> HostState:
    host_state = pending()
    closed = tuple(replace(lv, open=False) if lv.name in ("a", "t") else lv for lv in host_state.volumes)
    return replace(host_state, volumes=closed)


def pending_since_last_boot() -> HostState:
    """The host was booted after the request, and the thick merge has not begun."""
    waiting = b.pending(A, A_MEMBER, boot_id=b.OLD_BOOT, count=2)
    return of(*waiting, replace(T, tags=(ROLLED_BACK,)))


def started_at_boot() -> HostState:
    """The thin origin was activated with its merge, and LVM has not been polled since then."""
    begun = b.pending(T, T_MEMBER, boot_id=b.OLD_BOOT, count=2)
    return of(replace(A, tags=(ROLLED_BACK,)), *begun)


def merging() -> HostState:
    origin, snapshot = b.merging(A, A_MEMBER)
    return of(origin, snapshot, replace(T, tags=(ROLLED_BACK,)))


def merged() -> HostState:
    """Both members were merged, but their origins do not record that yet."""
    return of(replace(A, tags=(MERGING_THIN,)), replace(T, tags=(MERGING_THIN,), thin_id=T_MEMBER.thin_id))


def store_left() -> HostState:
    """LVM was interrupted between the two commits that end a thick merge: the empty store is a plain LV."""
    store = b.volume(A_MEMBER.full_name, A_MEMBER.size, tags=A_MEMBER.tags, uuid=A_MEMBER.uuid)
    return of(replace(A, tags=(MERGING,)), store, replace(T, tags=(ROLLED_BACK,)))


def removed_by_hand() -> HostState:
    """The thin member is missing and its origin does not have its device ID: somebody removed the member."""
    return of(replace(A, tags=(MERGING_THIN,)), replace(T, tags=(MERGING_THIN,)))


def lost_pending() -> HostState:
    """One member was removed after the merges were requested, and the other one is pending."""
    return of(A, *b.pending(T, T_MEMBER, count=2))


def lost_partly() -> HostState:
    """Of three members, one is pending, the merge of one is not requested yet, and one is missing."""
    asked, waiting = b.pending(A, b.member(A, count=3), count=3)
    return of(asked, waiting, T, b.member(T, count=3))


def lost_merging() -> HostState:
    """The thin merge was done at boot and waits for a poll; the other member is missing."""
    return of(A, *b.pending(T, T_MEMBER, boot_id=b.OLD_BOOT, count=2))


def detached_pending() -> HostState:
    """Killed commands left one member pending, and the other one as a plain LV with a generated name."""
    store = b.volume(A_MEMBER.full_name, A_MEMBER.size, tags=A_MEMBER.tags, uuid=A_MEMBER.uuid)
    return of(A, store, *b.pending(T, T_MEMBER, count=2))


def invalid_partly() -> HostState:
    """One origin is rolled back; the other member overflowed before its merge was requested."""
    return of(replace(A, open=True), replace(A_MEMBER, invalid=True), replace(T, tags=(ROLLED_BACK,)))


def unsealed_pending() -> HostState:
    """Somebody typed lvconvert --merge for the members of an incomplete set."""
    origin, snapshot = b.pending(A, b.member(A, count=3, sealed=False))
    thin_origin, thin = b.pending(T, b.member(T, count=3, sealed=False))
    return without_outcomes(of(origin, snapshot, thin_origin, thin))


def merge_failed() -> HostState:
    origin, snapshot = b.merging(A, A_MEMBER)
    failed: dict[str, Any] = {"merge_failed": True, "data_percent": None}
    return of(replace(origin, **failed), replace(snapshot, **failed), replace(T, tags=(ROLLED_BACK,)))


def overflowed_pending() -> HostState:
    """The store overflowed after the merge was requested, and the host has not been booted since then."""
    origin, snapshot = b.pending(A, A_MEMBER, count=2)
    return of(origin, replace(snapshot, invalid=True), replace(T, tags=(ROLLED_BACK,)))


def overflowed_after_boot() -> HostState:
    """The same after the next activation: the origin keeps its new content."""
    origin, snapshot = b.pending(A, A_MEMBER, count=2, boot_id=b.OLD_BOOT)
    return of(replace(origin, invalid=True), replace(snapshot, invalid=True), replace(T, tags=(ROLLED_BACK,)))


def rolled_back() -> HostState:
    return of(replace(A, tags=(ROLLED_BACK,)), replace(T, tags=(ROLLED_BACK,)))


def name_taken() -> HostState:
    return of(A, T, b.volume("va/a_s"))


def name_of_other_set() -> HostState:
    """A member of another set has the name that a member of this set would get."""
    other = b.snapshot(OTHER, "a_s", tags=b.member_tags(OTHER, name="z"))
    return of(A, T, other)


def snapshot_mounted() -> HostState:
    return of(A, T, A_MEMBER, T_MEMBER, mounts={"/mnt/old": A_MEMBER})


def snapshot_open() -> HostState:
    return of(A, T, A_MEMBER, replace(T_MEMBER, active=True, open=True))


ALL: dict[str, Callable[[], HostState]] = {
    one.__name__: one
    for one in (
        nothing,
        active,
        half_sealed,
        unsealed,
        half_made,
        recorded_only,
        invalid,
        unknown,
        lost,
        detached,
        partly_requested,
        partly_done,
        pending,
        pending_by_hand,
        pending_closed,
        pending_since_last_boot,
        started_at_boot,
        merging,
        merged,
        store_left,
        removed_by_hand,
        lost_pending,
        lost_partly,
        lost_merging,
        detached_pending,
        invalid_partly,
        unsealed_pending,
        merge_failed,
        overflowed_pending,
        overflowed_after_boot,
        rolled_back,
        name_taken,
        name_of_other_set,
        snapshot_mounted,
        snapshot_open,
    )
}
