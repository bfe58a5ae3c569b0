# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: merged``: bring every origin of a set back, and know when it is. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..allocation import Demand, extension_demand, room_problems
from ..checks import doubts_about
from ..copies import copies_of
from ..instances import Named, takings
from ..result import MemberView, View, view_of
from ..sizes import AUTO, format_bytes, used_bytes
from ..state import Member, SetState, Taking, cannot_overflow, member_state
from ..steps import LvmStep, Merge, MergeOne, Poll, Remove, Start
from ..tags import parse_member
from .base import Plan, Request, common_problems, extensions, find, grown, not_the_same
from .losses import after, casualties_of, leave_behind
from .outcomes import origins_of, remember_merge, remember_rollback
from .removal import merge_failure, merge_in_the_way, open_problem, removal_problems, removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import Picture, Volume


def plan_merged(picture: Picture, request: Request) -> Plan:
    """The plan that brings the origins of the set of ``request`` further back; it never waits.

    Raises Refused with every reason that was found.
    """
    found = find(picture, request)
    current = _existing(picture, request, found)
    reasons = [
        *common_problems(picture, request, found, ()),
        *not_the_same(picture, request, current),
        *_standing_against(picture, request, current),
    ]
    reasons += [problem for taking in found.leftovers for problem in removal_problems(picture, taking)]
    accepting = leave_behind(picture, current) if _may_go_on_without(current) else ()
    prepared = (*removal_steps(found.leftovers), *accepting)
    picture = after(picture, prepared)
    current = find(picture, request).current or current
    request_now = current.those("active")
    for member in request_now:
        reasons += _losses(picture, request, member)
        reasons += _unknown_pvs(picture, member)
        problem = open_problem(picture, member)
        reasons += [problem] if problem else []
    demands = [d for member in request_now for d in _headroom(picture, request, member)]
    # The reserve is not asked for: a merge gives the store back, and what is kept for later would keep from going back.
    reasons += room_problems(picture, demands, None, less="min_headroom")
    if reasons:
        raise Refused(f"{request.title} cannot be merged", reasons)
    work = _work(picture, current)
    return Plan(
        steps=(
            *prepared,
            *extensions(demands),
            *_request_steps(picture, current),
            *_follow_steps(picture, current, work),
        ),
        after=_predicted(picture, request, current, work, demands),
        taking=current,
        must_start=tuple(member.origin_key for member in work.stale if member.origin_key),
    )


def _existing(picture: Picture, request: Request, found: Named) -> Taking:
    if found.current is not None and found.current.members:
        return found.current
    if request.single:
        raise Refused(
            f"{request.title} cannot be merged",
            [f"there is no such snapshot of {request.single.origin}"],
        )
    existing = sorted({taking.name for taking in takings(picture)})
    known = f"these exist: {', '.join(existing)}" if existing else "there is none on this host"
    reasons = [
        f"there is no such snapset; {known}",
        *doubts_about(picture, request.name),
        *copies_of(picture, request.name),
    ]
    raise Refused(f"{request.title} cannot be merged", reasons)


def _standing_against(picture: Picture, request: Request, current: Taking) -> Iterator[str]:
    if not current.sealed:
        yield (
            "its taking was interrupted, so it was never complete: remove it (state: absent), or take it again "
            "(state: present)"
        )
        yield from removal_problems(picture, current)
        return
    accepted = _may_go_on_without(current) and request.name in request.accept_loss_of
    if current.hopeless and not accepted:
        yield from _casualties(current)
    if current.hopeless:
        # What would stand against the way that is named is told together with it.
        yield from removal_problems(picture, casualties_of(current) if current.begun else current)
    yield from (problem for member in current.members for problem in _member_problem(member))


def _may_go_on_without(current: Taking) -> bool:
    # Before anything goes back, a set that is not whole is no way back; afterwards it may be the best that is left.
    return current.sealed and current.hopeless and current.begun


def _casualties(current: Taking) -> Iterator[str]:
    lost = current.those("lost")
    if lost:
        missing = ", ".join(f"of {member.origin.full_name}" for member in lost if member.origin)
        yield f"{len(lost)} of its {current.count} members are gone without having been rolled back {missing}".rstrip()
    for member in current.those("stray"):
        yield f"{member.label} is no snapshot of its recorded origin any more"
    for member in current.those("invalid"):
        yield _invalid(member)
    if current.begun:
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


def _losses(picture: Picture, request: Request, member: Member) -> Iterator[str]:
    """Why merging ``member`` would harm a sibling that nobody said may be harmed."""
    if member.origin is None or member.snapshot is None:
        return
    used = used_bytes(member.snapshot.size, member.snapshot.data_percent or Fraction(0))
    for sibling in picture.snapshots_of(member.origin):
        owner = _owner(sibling)
        if sibling.merging and sibling != member.snapshot:
            yield _in_the_way(picture, member.origin, sibling)
            continue
        if sibling == member.snapshot or owner in request.accept_loss_of or sibling.invalid:
            continue
        if sibling.is_thick_snapshot and cannot_overflow(picture, member.origin, sibling):
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


def _in_the_way(picture: Picture, origin: Volume, sibling: Volume) -> str:
    members = (member for taking in takings(picture) for member in taking.live if member.snapshot == sibling)
    known = next(members, Member(state=member_state(origin, sibling), origin=origin, snapshot=sibling))
    return f"LVM merges one snapshot into an origin at a time, and {merge_in_the_way(origin, known)}"


def _unknown_pvs(picture: Picture, member: Member) -> Iterator[str]:
    """Why / would come back with a devices file that does not name all PVs of its VG.

    vgextend(8) adds a PV to the devices file as it is then, and the initramfs may hold a copy of the older one.
    """
    membership = parse_member(member.snapshot.tags) if member.snapshot else None
    group = picture.group(member.origin.vg) if member.origin else None
    if group is None or membership is None or membership.pvs is None or not picture.host.has_devices_file:
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


def _headroom(picture: Picture, request: Request, member: Member) -> Iterator[Demand]:
    if member.kind == "thick" and member.origin and member.snapshot:
        yield from extension_demand(
            picture,
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


def _work(picture: Picture, current: Taking) -> _Work:
    pending = current.those("merge_pending")
    stale = tuple(m for m in pending if m.outcome and m.outcome.boot_id not in ("", picture.host.boot_id))
    start = tuple(m for m in pending if m not in stale and m.origin and not m.origin.open)
    return _Work(
        conclude=current.those("merged"),
        start=start,
        poll=(*current.those("merging"), *stale),
        stale=stale,
    )


def _request_steps(picture: Picture, current: Taking) -> Iterator[LvmStep]:
    members = current.those("active")
    # Somebody may have requested a merge without us: its origin has to remember it before the member is gone.
    begun = tuple(member for member in current.those("merge_pending", "merging") if member.outcome is None)
    if members or begun:
        yield remember_merge(picture, current, (*members, *begun))
    if members:
        yield Merge(members=tuple(_merge_one(m.origin, m.snapshot) for m in members if m.origin and m.snapshot))


def _merge_one(origin: Volume, snapshot: Volume) -> MergeOne:
    return MergeOne(snapshot=snapshot.full_name, origin=origin.full_name, key=snapshot.key, thin_id=snapshot.thin_id)


def _follow_steps(picture: Picture, current: Taking, work: _Work) -> Iterator[LvmStep]:
    if work.start:
        yield Start(origins=origins_of(work.start))
    if work.poll:
        yield Poll(origins=origins_of(work.poll))
    stores = [member.snapshot for member in work.conclude if member.snapshot]
    if stores:
        yield Remove.of(stores)
    if work.conclude:
        yield remember_rollback(picture, current, work.conclude)


def _predicted(
    picture: Picture,
    request: Request,
    current: Taking,
    work: _Work,
    demands: Sequence[Demand],
) -> View:
    before = view_of(picture, current, name=request.name)
    started = {(m.origin.vg, m.origin.name) for m in work.start if m.origin}
    members = tuple(_member_after(grown(member, demands), started) for member in before.members)
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
