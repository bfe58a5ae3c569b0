# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which snapsets a host has: found by the tags of LVs, never by their names. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .state import Instance, Member, MemberState, is_single_name, member_state, single_outcome_name
from .tags import outcomes_of, parse_member

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._model import HostState, LvKey, Volume
    from .tags import MemberTags, Outcome


def instances(host_state: HostState) -> tuple[Instance, ...]:
    """Every taking of every snapset on the host, by name and id."""
    tagged = [(volume, tags) for volume in host_state.volumes if (tags := parse_member(volume.tags))]
    outcomes = [(v, o) for v in host_state.volumes for o in outcomes_of(v.tags) if not is_single_name(o.set_name)]
    keys = {(tags.set_name, tags.set_id) for _volume, tags in tagged}
    keys |= {(outcome.set_name, outcome.set_id) for _volume, outcome in outcomes}
    found = (
        _instance(
            host_state,
            name=name,
            tagged=[(v, t) for v, t in tagged if (t.set_name, t.set_id) == (name, set_id)],
            outcomes=[(v, o) for v, o in outcomes if (o.set_name, o.set_id) == (name, set_id)],
        )
        for name, set_id in sorted(keys)
    )
    return tuple(instance for instance in found if not _superseded(instance))


def _superseded(instance: Instance) -> bool:
    # A later rollback of some of its origins has taken the place of what they remembered of this one.
    return not instance.live and {member.state for member in instance.members} == {
        "rolled_back",
        "lost",
    }


def _instance(
    host_state: HostState,
    *,
    name: str,
    tagged: Sequence[tuple[Volume, MemberTags]],
    outcomes: Sequence[tuple[Volume, Outcome]],
) -> Instance:
    by_origin = {volume.key: outcome for volume, outcome in outcomes}
    living = [_living_member(host_state, volume, tags, by_origin) for volume, tags in tagged]
    known = {member.origin_key for member in living}
    gone = [_gone_member(volume, outcome) for volume, outcome in outcomes if volume.key not in known]
    # Members that somebody accepted to lose are no longer counted by the outcomes.
    count = min((outcome.count for _volume, outcome in outcomes), default=0) or max(t.count for _volume, t in tagged)
    sealed_ones = [tags.sealed for _volume, tags in tagged]
    lost = [Member(state="lost")] * max(0, count - len(living) - len(gone))
    members = sorted(living + gone, key=lambda member: member.label)
    return Instance(
        name=name,
        set_id=tagged[0][1].set_id if tagged else outcomes[0][1].set_id,
        count=count,
        created=min((tags.taken for _volume, tags in tagged), default=None),
        members=(*members, *lost),
        sealed=any(sealed_ones) or bool(gone),
        half_sealed=any(sealed_ones) and not all(sealed_ones),
    )


def _living_member(
    host_state: HostState,
    volume: Volume,
    tags: MemberTags,
    outcomes: dict[LvKey, Outcome],
) -> Member:
    # A snapshot is always in the VG of its origin.
    key = volume.vg_uuid, tags.origin_uuid
    recorded, outcome = host_state.by_key(key), outcomes.get(key)
    state: MemberState = "detached"
    if recorded is not None and host_state.origin_of(volume) == recorded:
        state = _since_boot(host_state, recorded, outcome, member_state(recorded, volume))
    elif recorded is not None and outcome is not None and _left_by_merge(recorded, volume, outcome):
        state = "merged"
    return Member(state=state, origin=recorded, snapshot=volume, origin_key=key, outcome=outcome)


def _left_by_merge(origin: Volume, volume: Volume, outcome: Outcome) -> bool:
    # LVM ends a thick merge in two commits: it detaches the drained store, then removes it. A host that is cut off in
    # between has a plain LV with the member's tags. (A merging snapshot cannot be split off by hand.)
    plain = not (volume.is_snapshot or volume.is_thin or "origin" in volume.roles or volume.open)
    return outcome.kind == "merging" and plain and not origin.merging


def _since_boot(host_state: HostState, origin: Volume, outcome: Outcome | None, state: MemberState) -> MemberState:
    # A thin origin that is active in a later boot than the request's was activated with its merge: what is left is
    # to take the snapshot out of the metadata, which LVM does when it is polled.
    requested_before = outcome is not None and outcome.boot_id not in ("", host_state.host.boot_id)
    if state == "merge_pending" and origin.is_thin and origin.active and requested_before:
        return "merging"
    return state


def _gone_member(origin: Volume, outcome: Outcome) -> Member:
    # Whether a thick member was still valid when it went is not recorded: removed by hand it looks like merged.
    state: MemberState = "merged"
    if outcome.kind == "rolled_back":
        state = "rolled_back"
    elif (thin_id := outcome.thin_id_of(origin.key)) is not None and thin_id != origin.thin_id:
        # The member went another way than into its origin: somebody removed it after the request was written down.
        state = "lost"
    return Member(state=state, origin=origin, origin_key=origin.key, outcome=outcome)


@dataclass(frozen=True)
class SnapsetLookup:
    """All takings of one name: the one that counts, leftovers of interrupted ones, and more than one sealed."""

    current: Instance | None
    leftovers: tuple[Instance, ...] = ()
    rivals: tuple[Instance, ...] = ()


def lookup(found: Iterable[Instance], name: str) -> SnapsetLookup:
    """What there is under ``name``.

    A sealed taking with living members counts first, then an unsealed one, then what origins remember of a rollback.
    """
    mine = [instance for instance in found if instance.name == name]
    sealed = [instance for instance in mine if instance.live and instance.sealed]
    unsealed = [instance for instance in mine if instance.live and not instance.sealed]
    remembered = [instance for instance in mine if not instance.live]
    if sealed:
        return SnapsetLookup(current=sealed[0], leftovers=tuple(unsealed), rivals=tuple(sealed[1:]))
    if unsealed:
        return SnapsetLookup(current=unsealed[0], leftovers=tuple(unsealed[1:]))
    # Old outcomes are deleted with each new taking; should several be there, the youngest is what happened last.
    remembered.sort(key=lambda instance: max((m.outcome.at for m in instance.members if m.outcome), default=0))
    return SnapsetLookup(current=remembered[-1] if remembered else None)


def single_instance(host_state: HostState, *, origin: Volume, name: str) -> Instance | None:
    """The snapshot ``name`` of ``origin`` (made by hand or by the module) as a taking of one, or None.

    Its id is the snapshot's LV UUID. When the snapshot is gone, the origin's outcome of that name is what is left.
    """
    outcome = next(
        (o for o in outcomes_of(origin.tags) if o.set_name == single_outcome_name(name)),
        None,
    )
    snapshot = host_state.volume(origin.vg, name)
    if snapshot is not None:
        state: MemberState = "detached"
        if host_state.origin_of(snapshot) == origin:
            state = _since_boot(host_state, origin, outcome, member_state(origin, snapshot))
        member = Member(
            state=state,
            origin=origin,
            snapshot=snapshot,
            origin_key=origin.key,
            outcome=outcome,
        )
        return _single(name, snapshot.uuid, member, snapshot.created)
    if outcome is not None:
        return _single(name, outcome.set_id, _gone_member(origin, outcome), None)
    return None


def _single(name: str, set_id: str, member: Member, created: int | None) -> Instance:
    return Instance(
        name=name,
        set_id=set_id,
        count=1,
        created=created,
        members=(member,),
        sealed=member.state != "detached",
        single=True,
    )
