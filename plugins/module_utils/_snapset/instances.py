# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the snapsets of a host. LVM tags identify them, LV names do not. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .outcome_tags import outcomes_of
from .state import Instance, Member, MemberState, is_single_name, member_state, single_outcome_name
from .tags import parse_member

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._model import HostState, LvKey, Volume
    from .outcome_tags import Outcome
    from .tags import MemberTags


def instances(host_state: HostState) -> tuple[Instance, ...]:
    """All snapset instances on the host, sorted by name and ID."""
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
    # Some of its origins were rolled back again later, and now record only that rollback.
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
    existing = [_existing_member(host_state, volume, tags, by_origin) for volume, tags in tagged]
    known = {member.origin_key for member in existing}
    gone = [_gone_member(volume, outcome) for volume, outcome in outcomes if volume.key not in known]
    # The count in outcomes leaves out members whose loss a user has accepted.
    count = min((outcome.count for _volume, outcome in outcomes), default=0) or max(t.count for _volume, t in tagged)
    sealed_ones = [tags.sealed for _volume, tags in tagged]
    lost = [Member(state="lost")] * max(0, count - len(existing) - len(gone))
    members = sorted(existing + gone, key=lambda member: member.label)
    return Instance(
        name=name,
        set_id=tagged[0][1].set_id if tagged else outcomes[0][1].set_id,
        count=count,
        created=min((tags.taken for _volume, tags in tagged), default=None),
        members=(*members, *lost),
        sealed=any(sealed_ones) or bool(gone),
        half_sealed=any(sealed_ones) and not all(sealed_ones),
        host=outcomes[0][1].host if outcomes else tagged[0][1].host,
    )


def _existing_member(
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
        state = _state_since_boot(host_state, recorded, outcome, member_state(recorded, volume))
    elif recorded is not None and outcome is not None and _is_merge_leftover(recorded, volume, outcome):
        state = "merged"
    return Member(state=state, origin=recorded, snapshot=volume, origin_key=key, outcome=outcome)


def _is_merge_leftover(origin: Volume, volume: Volume, outcome: Outcome) -> bool:
    # LVM ends a thick merge in two commits: it detaches the empty COW store, then removes it. If the host loses power
    # in between, the store is left as a plain LV with the member's tags. (Nobody can split off a merging snapshot.)
    plain = not (volume.is_snapshot or volume.is_thin or "origin" in volume.roles or volume.open)
    return outcome.kind == "merging" and plain and not origin.merging


def _state_since_boot(
    host_state: HostState, origin: Volume, outcome: Outcome | None, state: MemberState
) -> MemberState:
    # A thin origin that is active in a later boot than that of the request was activated with its merge. Only the
    # snapshot is still in the metadata, and LVM removes it when it is polled.
    requested_before = outcome is not None and outcome.boot_id not in ("", host_state.host.boot_id)
    if state == "merge_pending" and origin.is_thin and origin.active and requested_before:
        return "merging"
    return state


def _gone_member(origin: Volume, outcome: Outcome) -> Member:
    # Nothing records whether a thick member was merged or removed by hand: both count as merged.
    state: MemberState = "merged"
    if outcome.kind == "rolled_back":
        state = "rolled_back"
    elif (thin_id := outcome.thin_id_of(origin.key)) is not None and thin_id != origin.thin_id:
        # The origin does not have the member's device ID, so the member was removed by hand, not merged.
        state = "lost"
    return Member(state=state, origin=origin, origin_key=origin.key, outcome=outcome)


@dataclass(frozen=True)
class SnapsetLookup:
    """All instances of one name: the current one, leftovers of interrupted ones, and further sealed ones (rivals)."""

    current: Instance | None
    leftovers: tuple[Instance, ...] = ()
    rivals: tuple[Instance, ...] = ()


def lookup(found: Iterable[Instance], name: str) -> SnapsetLookup:
    """All instances with this ``name``.

    The current one is a sealed instance with existing members, else an unsealed one, else the rollback that origins
    record.
    """
    mine = [instance for instance in found if instance.name == name]
    sealed = [instance for instance in mine if instance.live and instance.sealed]
    unsealed = [instance for instance in mine if instance.live and not instance.sealed]
    recorded = [instance for instance in mine if not instance.live]
    if sealed:
        return SnapsetLookup(current=sealed[0], leftovers=tuple(unsealed), rivals=tuple(sealed[1:]))
    if unsealed:
        return SnapsetLookup(current=unsealed[0], leftovers=tuple(unsealed[1:]))
    # A new instance deletes old outcomes. If there are several all the same, the newest one is what happened last.
    recorded.sort(key=lambda instance: max((m.outcome.at for m in instance.members if m.outcome), default=0))
    return SnapsetLookup(current=recorded[-1] if recorded else None)


def single_instance(host_state: HostState, *, origin: Volume, name: str) -> Instance | None:
    """The snapshot ``name`` of ``origin`` as an instance with one member, or None. It may have been created by hand.

    Its ID is the snapshot's LV UUID. If the snapshot is gone, the outcome that the origin records is used.
    """
    outcome = next(
        (o for o in outcomes_of(origin.tags) if o.set_name == single_outcome_name(name)),
        None,
    )
    snapshot = host_state.volume(origin.vg, name)
    if snapshot is not None:
        state: MemberState = "detached"
        if host_state.origin_of(snapshot) == origin:
            state = _state_since_boot(host_state, origin, outcome, member_state(origin, snapshot))
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
