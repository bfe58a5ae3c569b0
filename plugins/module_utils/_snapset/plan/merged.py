# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: merged``: roll back all origins of a set, and record when that is done. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..allocation import CowAllocation, extension_allocation, room_problems
from ..checks import ambiguity_problems
from ..copies import copy_problems
from ..foreign import foreign_problems
from ..instances import SnapsetLookup, instances
from ..locks import reboot_warnings
from ..result import MemberView, View, view_of
from ..sizes import AUTO, format_bytes, used_bytes
from ..state import Instance, Member, SetState, cannot_overflow, member_state
from ..steps import LvmStep, MemberMerge, Merge, Remove, Wake
from ..tags import parse_member
from .base import Plan, Request, common_problems, extended, extension_steps, find, mismatch_problems
from .losses import accept_loss_steps, host_state_after, lost_members_of
from .outcomes import origins_of, record_merge, record_rollback
from .removal import merge_failure_problem, open_problem, removal_problems, removal_steps, running_merge_problem
from .shutdown import kexec_problems, steps_after, steps_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume


def plan_merged(host_state: HostState, request: Request) -> Plan:
    """The plan that starts or continues the rollback of the set in ``request``. It never waits.

    Raises Refused with every reason that was found.
    """
    found = find(host_state, request)
    current = _existing_instance(host_state, request, found)
    reasons = [
        *common_problems(host_state, request, found, ()),
        *mismatch_problems(host_state, request, current),
        *_blocking_problems(host_state, request, current),
    ]
    reasons += [problem for instance in found.leftovers for problem in removal_problems(host_state, instance)]
    accepting = accept_loss_steps(host_state, current) if _can_accept_loss(current) else ()
    prepared = (*removal_steps(found.leftovers), *accepting)
    host_state = host_state_after(host_state, prepared)
    current = find(host_state, request).current or current
    request_now = current.members_in("active")
    reasons += [problem for member in request_now for problem in _request_problems(host_state, request, member)]
    allocations = [d for member in request_now for d in _headroom(host_state, request, member)]
    # The reserve does not count here: a merge frees the whole store, and a reserve must not block a rollback.
    reasons += room_problems(host_state, allocations, None, parameters="min_headroom")
    if reasons:
        raise Refused(request.refusal, reasons)
    follow_up = _follow_up(host_state, current)
    after = _predicted(host_state, request, current, follow_up, allocations)
    return Plan(
        steps=(
            *prepared,
            *extension_steps(allocations),
            *steps_before(host_state, current, after),
            *_request_steps(host_state, current),
            *_follow_steps(host_state, current, follow_up),
            *steps_after(host_state, current, after),
        ),
        after=after,
        instance=current,
        must_start=tuple(member.origin_key for member in follow_up.stale if member.origin_key),
        warnings=reboot_warnings(host_state),
    )


def _request_problems(host_state: HostState, request: Request, member: Member) -> Iterator[str]:
    """Why the merge of ``member`` cannot be requested."""
    yield from _sibling_problems(host_state, request, member)
    yield from _unknown_pv_problems(host_state, member)
    if problem := open_problem(host_state, member):
        yield problem


def _existing_instance(host_state: HostState, request: Request, found: SnapsetLookup) -> Instance:
    if found.current is not None and found.current.members:
        return found.current
    if request.single:
        raise Refused(
            request.refusal,
            [f"there is no such snapshot of {request.single.vg}/{request.single.origin}"],
        )
    existing = sorted({instance.name for instance in instances(host_state)})
    known = f"these exist: {', '.join(existing)}" if existing else "there are no snapsets on this host"
    reasons = [
        f"it does not exist: check the name; {known}",
        *ambiguity_problems(host_state, request.name),
        *copy_problems(host_state, request.name),
        *foreign_problems(host_state, request.name),
    ]
    raise Refused(request.refusal, reasons)


def _blocking_problems(host_state: HostState, request: Request, current: Instance) -> Iterator[str]:
    if not current.sealed:
        yield (
            "its creation was interrupted, so it is incomplete: remove it (state: absent), or create it again "
            "(state: present)"
        )
        yield from removal_problems(host_state, current)
        return
    accepted = _can_accept_loss(current) and request.name in request.accept_loss_of
    if current.unrecoverable and not accepted:
        yield from _lost_member_problems(current)
    if current.unrecoverable:
        # Report also what blocks the way out that was just suggested.
        yield from removal_problems(host_state, lost_members_of(current) if current.rollback_started else current)
    yield from (problem for member in current.members for problem in _member_problems(member))
    yield from kexec_problems(host_state, current)


def _can_accept_loss(current: Instance) -> bool:
    # A rollback of the remaining members mixes two states of the host. So it may be finished, but not started.
    return current.sealed and current.unrecoverable and current.rollback_started


def _lost_member_problems(current: Instance) -> Iterator[str]:
    lost = current.members_in("lost")
    if lost:
        missing = ", ".join(member.origin.full_name for member in lost if member.origin)
        origins = f" ({missing})" if missing else ""
        yield f"{len(lost)} of its {current.count} members are missing and were not rolled back{origins}"
    for member in current.members_in("detached"):
        yield f"{member.label} is no longer a snapshot of its recorded origin"
    for member in current.members_in("invalid"):
        yield _overflow_problem(member)
    if current.rollback_started:
        yield (
            f"rolling back the rest would mix two states of the host: if that is better than leaving it as it is now, "
            f"use state: merged and accept_loss_of: [{current.name}]"
        )
    else:
        yield "rolling back the rest would mix two states of the host: remove the set (state: absent)"


def _member_problems(member: Member) -> Iterator[str]:
    label = member.label
    origin = member.origin.full_name if member.origin else "its origin"
    if member.state == "unknown":
        yield (
            f"{label} is not active, so it is unknown whether it is valid, and LVM would merge even an invalid one: "
            f"type lvchange -ay {origin}, then run again"
        )
    if member.state == "merge_pending" and member.origin and not member.origin.active:
        yield f"{label} will be merged when {origin} is next activated: type lvchange -ay {origin}, then run again"
    if member.state == "merge_failed" and member.origin and member.snapshot:
        yield merge_failure_problem(member.origin, member.snapshot)


def _overflow_problem(member: Member) -> str:
    if member.snapshot and member.snapshot.merging:
        return (
            f"{member.label} overflowed while its merge was pending: the rollback is lost, "
            "and its origin keeps its new content"
        )
    return f"{member.label} overflowed and is invalid: its content is lost, so its origin cannot be rolled back"


def _sibling_problems(host_state: HostState, request: Request, member: Member) -> Iterator[str]:
    """Why merging ``member`` would harm another snapshot of its origin whose loss is not accepted."""
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
                f"never be merged: remove {sibling.full_name} first, or list {owner} in accept_loss_of"
            )
        elif sibling.is_thick_snapshot and member.kind == "thick" and _room_in(sibling) < used:
            yield (
                f"merging {member.label} may write {format_bytes(used)} into {sibling.full_name} ({owner}), "
                f"which has {format_bytes(_room_in(sibling))} left and would overflow: {_instead(sibling)}, "
                f"or list {owner} in accept_loss_of"
            )


def _instead(sibling: Volume) -> str:
    """What to do so that a sibling is not lost. e2scrub(8) removes its snapshot when it has checked the filesystem."""
    if sibling.name.endswith(".e2scrub"):
        return "it is one of e2scrub and goes away by itself: wait some minutes, then run again"
    return "extend or remove it first"


def _sibling_merge_problem(host_state: HostState, origin: Volume, sibling: Volume) -> str:
    members = (member for instance in instances(host_state) for member in instance.live if member.snapshot == sibling)
    known = next(members, Member(state=member_state(origin, sibling), origin=origin, snapshot=sibling))
    return f"LVM merges only one snapshot at a time into an origin, and {running_merge_problem(origin, known)}"


def _unknown_pv_problems(host_state: HostState, member: Member) -> Iterator[str]:
    """Why the rollback would restore a devices file that does not list all PVs of the VG of /.

    vgextend(8) adds the new PV only to the present devices file, and the initramfs may have a copy of the older one.
    """
    membership = parse_member(member.snapshot.tags) if member.snapshot else None
    group = host_state.group(member.origin.vg) if member.origin else None
    if group is None or membership is None or membership.pvs is None or not host_state.host.has_devices_file:
        return
    added = [name for name, uuid in zip(group.pv_names, group.pv_uuids) if not uuid.startswith(tuple(membership.pvs))]
    if added:
        yield (
            f"{', '.join(added)} was added to VG {group.name} after {member.label} was created, and the devices file "
            "that is restored with / does not list it, so the host might not find /: remove it from the VG (pvmove, "
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
            require_headroom=True,
        )


@dataclass(frozen=True)
class _FollowUp:
    """What is to be done with members whose merge was requested before.

    ``conclude`` are merged: their origins must record that. ``start`` are pending and can start, ``poll`` must be
    polled. ``stale`` were requested before the last boot and have not started: LVM is polled, then observed again.
    """

    conclude: tuple[Member, ...]
    start: tuple[Member, ...]
    poll: tuple[Member, ...]
    stale: tuple[Member, ...]


def _follow_up(host_state: HostState, current: Instance) -> _FollowUp:
    pending = current.members_in("merge_pending")
    stale = tuple(m for m in pending if m.outcome and m.outcome.boot_id not in ("", host_state.host.boot_id))
    start = tuple(m for m in pending if m not in stale and m.origin and not m.origin.open)
    return _FollowUp(
        conclude=current.members_in("merged"),
        start=start,
        poll=(*current.members_in("merging"), *stale),
        stale=stale,
    )


def _request_steps(host_state: HostState, current: Instance) -> Iterator[LvmStep]:
    members = current.members_in("active")
    # Somebody may have requested a merge by hand: its origin must record that before the member is gone.
    started = tuple(member for member in current.members_in("merge_pending", "merging") if member.outcome is None)
    if members or started:
        yield record_merge(host_state, current, (*members, *started))
    if members:
        yield Merge(members=tuple(_member_merge(m.origin, m.snapshot) for m in members if m.origin and m.snapshot))


def _member_merge(origin: Volume, snapshot: Volume) -> MemberMerge:
    return MemberMerge(snapshot=snapshot.full_name, origin=origin.full_name, key=snapshot.key, thin_id=snapshot.thin_id)


def _follow_steps(host_state: HostState, current: Instance, follow_up: _FollowUp) -> Iterator[LvmStep]:
    if follow_up.start:
        yield Wake(origins_of(follow_up.start), "start")
    if follow_up.poll:
        yield Wake(origins_of(follow_up.poll), "poll")
    stores = [member.snapshot for member in follow_up.conclude if member.snapshot]
    if stores:
        yield Remove.of(stores)
    if follow_up.conclude:
        yield record_rollback(host_state, current, follow_up.conclude)


def _predicted(
    host_state: HostState,
    request: Request,
    current: Instance,
    follow_up: _FollowUp,
    allocations: Sequence[CowAllocation],
) -> View:
    before = view_of(host_state, current, name=request.name)
    started = {(m.origin.vg, m.origin.name) for m in follow_up.start if m.origin}
    members = tuple(_member_after(extended(member, allocations), started) for member in before.members)
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
