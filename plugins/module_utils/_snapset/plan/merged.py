# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: merged``: bring every origin of a set back, and know when it is. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..allocation import CowAllocation, extension_allocation, room_problems
from ..checks import ambiguity_problems
from ..copies import copies_of
from ..instances import SnapsetLookup, instances
from ..result import MemberView, View, view_of
from ..sizes import AUTO, format_bytes, used_bytes
from ..state import Instance, Member, SetState, cannot_overflow, member_state
from ..steps import LvmStep, Merge, MergeOne, Poll, Remove, Start
from ..tags import parse_member
from .base import Plan, Request, common_problems, extensions, find, grown, mismatch_problems
from .losses import after, leave_behind, lost_members_of
from .outcomes import origins_of, remember_merge, remember_rollback
from .removal import merge_failure, open_problem, removal_problems, removal_steps, running_merge_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume


def plan_merged(host_state: HostState, request: Request) -> Plan:
    """The plan that brings the origins of the set of ``request`` further back; it never waits.

    Raises Refused with every reason that was found.
    """
    found = find(host_state, request)
    current = _existing(host_state, request, found)
    reasons = [
        *common_problems(host_state, request, found, ()),
        *mismatch_problems(host_state, request, current),
        *_blocking_problems(host_state, request, current),
    ]
    reasons += [problem for instance in found.leftovers for problem in removal_problems(host_state, instance)]
    accepting = leave_behind(host_state, current) if _may_go_on_without(current) else ()
    prepared = (*removal_steps(found.leftovers), *accepting)
    host_state = after(host_state, prepared)
    current = find(host_state, request).current or current
    request_now = current.those("active")
    for member in request_now:
        reasons += _loss_problems(host_state, request, member)
        reasons += _unknown_pv_problems(host_state, member)
        problem = open_problem(host_state, member)
        reasons += [problem] if problem else []
    allocations = [d for member in request_now for d in _headroom(host_state, request, member)]
    # The reserve is not asked for: a merge gives the store back, and what is kept for later would keep from going back.
    reasons += room_problems(host_state, allocations, None, less="min_headroom")
    if reasons:
        raise Refused(f"{request.title} cannot be merged", reasons)
    work = _work(host_state, current)
    return Plan(
        steps=(
            *prepared,
            *extensions(allocations),
            *_request_steps(host_state, current),
            *_follow_steps(host_state, current, work),
        ),
        after=_predicted(host_state, request, current, work, allocations),
        instance=current,
        must_start=tuple(member.origin_key for member in work.stale if member.origin_key),
    )


def _existing(host_state: HostState, request: Request, found: SnapsetLookup) -> Instance:
    if found.current is not None and found.current.members:
        return found.current
    if request.single:
        raise Refused(
            f"{request.title} cannot be merged",
            [f"there is no such snapshot of {request.single.origin}"],
        )
    existing = sorted({instance.name for instance in instances(host_state)})
    known = f"these exist: {', '.join(existing)}" if existing else "there is none on this host"
    reasons = [
        f"there is no such snapset; {known}",
        *ambiguity_problems(host_state, request.name),
        *copies_of(host_state, request.name),
    ]
    raise Refused(f"{request.title} cannot be merged", reasons)


def _blocking_problems(host_state: HostState, request: Request, current: Instance) -> Iterator[str]:
    if not current.sealed:
        yield (
            "its taking was interrupted, so it was never complete: remove it (state: absent), or take it again "
            "(state: present)"
        )
        yield from removal_problems(host_state, current)
        return
    accepted = _may_go_on_without(current) and request.name in request.accept_loss_of
    if current.unrecoverable and not accepted:
        yield from _lost_member_problems(current)
    if current.unrecoverable:
        # What would stand against the way that is named is told together with it.
        yield from removal_problems(host_state, lost_members_of(current) if current.rollback_started else current)
    yield from (problem for member in current.members for problem in _member_problem(member))


def _may_go_on_without(current: Instance) -> bool:
    # Before anything goes back, a set that is not whole is no way back; afterwards it may be the best that is left.
    return current.sealed and current.unrecoverable and current.rollback_started


def _lost_member_problems(current: Instance) -> Iterator[str]:
    lost = current.those("lost")
    if lost:
        missing = ", ".join(f"of {member.origin.full_name}" for member in lost if member.origin)
        yield f"{len(lost)} of its {current.count} members are gone without having been rolled back {missing}".rstrip()
    for member in current.those("detached"):
        yield f"{member.label} is no snapshot of its recorded origin any more"
    for member in current.those("invalid"):
        yield _invalid(member)
    if current.rollback_started:
        yield (
            f"going on with the rest would mix two states of the host: if that is better than what there is now, "
            f"say state: merged and accept_loss_of: [{current.name}]"
        )
    else:
        yield "going back with the rest would mix two states of the host: remove the set (state: absent)"


def _member_problem(member: Member) -> Iterator[str]:
    label = member.label
    origin = member.origin.full_name if member.origin else "its origin"
    if member.state == "unknown":
        yield (
            f"{label} is not active, so whether it is still valid cannot be known, and LVM would merge an invalid one: "
            f"lvchange -ay {origin}, then run again"
        )
    if member.state == "merge_pending" and member.origin and not member.origin.active:
        yield f"{label} is merged at the next activation of {origin}: lvchange -ay {origin}, then run again"
    if member.state == "merge_failed" and member.origin and member.snapshot:
        yield merge_failure(member.origin, member.snapshot)


def _invalid(member: Member) -> str:
    if member.snapshot and member.snapshot.merging:
        return (
            f"{member.label} overflowed while its merge was pending: the rollback is lost, "
            "its origin keeps its new content or comes up with it"
        )
    return f"{member.label} overflowed and is invalid: what it held is lost, so there is no way back by it"


def _loss_problems(host_state: HostState, request: Request, member: Member) -> Iterator[str]:
    """Why merging ``member`` would harm a sibling that nobody said may be harmed."""
    if member.origin is None or member.snapshot is None:
        return
    used = used_bytes(member.snapshot.size, member.snapshot.data_percent or Fraction(0))
    for sibling in host_state.snapshots_of(member.origin):
        owner = _owner(sibling)
        if sibling.merging and sibling != member.snapshot:
            yield _sibling_merge_problem(host_state, member.origin, sibling)
            continue
        if sibling == member.snapshot or owner in request.accept_loss_of or sibling.invalid:
            continue
        if sibling.is_thick_snapshot and cannot_overflow(host_state, member.origin, sibling):
            continue
        if sibling.is_thin_snapshot:
            yield (
                f"merging {member.label} would cut {sibling.full_name} ({owner}) off from its origin, so that it could "
                f"never be merged: remove it first, or list {owner} in accept_loss_of"
            )
        elif sibling.is_thick_snapshot and member.kind == "thick" and _room_in(sibling) < used:
            yield (
                f"merging {member.label} may write {format_bytes(used)} into {sibling.full_name} ({owner}) beside it, "
                f"which has {format_bytes(_room_in(sibling))} left and would overflow: extend or remove it first, "
                f"or list {owner} in accept_loss_of"
            )


def _sibling_merge_problem(host_state: HostState, origin: Volume, sibling: Volume) -> str:
    members = (member for instance in instances(host_state) for member in instance.live if member.snapshot == sibling)
    known = next(members, Member(state=member_state(origin, sibling), origin=origin, snapshot=sibling))
    return f"LVM merges one snapshot into an origin at a time, and {running_merge_problem(origin, known)}"


def _unknown_pv_problems(host_state: HostState, member: Member) -> Iterator[str]:
    """Why / would come back with a devices file that does not name all PVs of its VG.

    vgextend(8) adds a PV to the devices file as it is then, and the initramfs may hold a copy of the older one.
    """
    membership = parse_member(member.snapshot.tags) if member.snapshot else None
    group = host_state.group(member.origin.vg) if member.origin else None
    if group is None or membership is None or membership.pvs is None or not host_state.host.has_devices_file:
        return
    joined = [name for name, uuid in zip(group.pv_names, group.pv_uuids) if not uuid.startswith(tuple(membership.pvs))]
    if joined:
        yield (
            f"{', '.join(joined)} joined VG {group.name} after {member.label} was taken, and the devices file that "
            "comes back with / does not name it, so the host might not find / again: take it out of the VG (pvmove, "
            "vgreduce), or if LVM does not use that file (lvmconfig --typeconfig full devices/use_devicesfile), move "
            "/etc/lvm/devices/system.devices away"
        )


def _owner(sibling: Volume) -> str:
    membership = parse_member(sibling.tags)
    return membership.set_name if membership else sibling.full_name


def _room_in(sibling: Volume) -> int:
    return 0 if sibling.data_percent is None else sibling.size - used_bytes(sibling.size, sibling.data_percent)


def _headroom(host_state: HostState, request: Request, member: Member) -> Iterator[CowAllocation]:
    if member.kind == "thick" and member.origin and member.snapshot:
        yield from extension_allocation(
            host_state,
            origin=member.origin,
            snapshot=member.snapshot,
            size=AUTO,
            headroom=request.min_headroom,
            insist=True,
        )


@dataclass(frozen=True)
class _Work:
    """What has to be done for members whose merge was requested before.

    ``stale`` ones were requested before the last boot and have not begun: LVM is polled, then looked at again.
    """

    conclude: tuple[Member, ...]
    start: tuple[Member, ...]
    poll: tuple[Member, ...]
    stale: tuple[Member, ...]


def _work(host_state: HostState, current: Instance) -> _Work:
    pending = current.those("merge_pending")
    stale = tuple(m for m in pending if m.outcome and m.outcome.boot_id not in ("", host_state.host.boot_id))
    start = tuple(m for m in pending if m not in stale and m.origin and not m.origin.open)
    return _Work(
        conclude=current.those("merged"),
        start=start,
        poll=(*current.those("merging"), *stale),
        stale=stale,
    )


def _request_steps(host_state: HostState, current: Instance) -> Iterator[LvmStep]:
    members = current.those("active")
    # Somebody may have requested a merge without us: its origin has to remember it before the member is gone.
    started = tuple(member for member in current.those("merge_pending", "merging") if member.outcome is None)
    if members or started:
        yield remember_merge(host_state, current, (*members, *started))
    if members:
        yield Merge(members=tuple(_merge_one(m.origin, m.snapshot) for m in members if m.origin and m.snapshot))


def _merge_one(origin: Volume, snapshot: Volume) -> MergeOne:
    return MergeOne(snapshot=snapshot.full_name, origin=origin.full_name, key=snapshot.key, thin_id=snapshot.thin_id)


def _follow_steps(host_state: HostState, current: Instance, work: _Work) -> Iterator[LvmStep]:
    if work.start:
        yield Start(origins=origins_of(work.start))
    if work.poll:
        yield Poll(origins=origins_of(work.poll))
    stores = [member.snapshot for member in work.conclude if member.snapshot]
    if stores:
        yield Remove.of(stores)
    if work.conclude:
        yield remember_rollback(host_state, current, work.conclude)


def _predicted(
    host_state: HostState,
    request: Request,
    current: Instance,
    work: _Work,
    allocations: Sequence[CowAllocation],
) -> View:
    before = view_of(host_state, current, name=request.name)
    started = {(m.origin.vg, m.origin.name) for m in work.start if m.origin}
    members = tuple(_member_after(grown(member, allocations), started) for member in before.members)
    return replace(before, members=members, state=_state_after(members))


def _member_after(member: MemberView, started: set[tuple[str, str]]) -> MemberView:
    requested = member.state == "active"
    if member.state == "merged":
        return replace(member, state="rolled_back", snapshot=None, size=None)
    if not requested and (member.vg, member.origin) not in started:
        return member
    if requested and member.origin_open:
        return replace(member, state="merge_pending")
    if member.kind == "thin":
        return replace(member, state="merged", snapshot=None, size=None)
    return replace(member, state="merging")


def _state_after(members: Sequence[MemberView]) -> SetState:
    states = {member.public_state for member in members}
    if "merging" in states:
        return "merging"
    return "merge_pending" if "merge_pending" in states else "rolled_back"
