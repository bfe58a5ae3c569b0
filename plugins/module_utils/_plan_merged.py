# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: merged``: bring every origin of a set back, and know when it is. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ansible_collections.safepoint.lvm.plugins.module_utils import _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._plan import (
    Plan,
    Request,
    common_problems,
    differing,
    find,
    open_problem,
    removal_problems,
    removal_steps,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._selection import select
from ansible_collections.safepoint.lvm.plugins.module_utils._sizes import (
    AUTO,
    format_bytes,
    used_bytes,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._sizing import (
    Demand,
    cannot_overflow,
    extension_demand,
    room_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapsets import (
    Member,
    Named,
    SetState,
    Taking,
    takings,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import (
    Extend,
    Merge,
    Poll,
    Remove,
    Retag,
    Start,
    Step,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._view import (
    MemberView,
    View,
    view_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import (
        Picture,
        Volume,
    )


def plan_merged(picture: Picture, request: Request) -> Plan:
    """The plan that brings the origins of the set of ``request`` further back; it never waits.

    Raises Refused with every reason that was found.
    """
    found = find(picture, request)
    current = _existing(picture, request, found)
    reasons = [
        *common_problems(picture, found, ()),
        *_not_the_same(picture, request, current),
    ]
    reasons += _standing_against(current)
    reasons += [problem for taking in found.leftovers for problem in removal_problems(picture, taking)]
    request_now = current.those("active")
    for member in request_now:
        reasons += _losses(picture, request, member)
        problem = open_problem(picture, member)
        reasons += [problem] if problem else []
    demands = [d for member in request_now for d in _headroom(picture, request, member)]
    reasons += room_problems(picture, demands, request.reserve)
    if reasons:
        raise Refused(f"{request.title} cannot be merged", reasons)
    work = _work(picture, current)
    return Plan(
        steps=(
            *removal_steps(found.leftovers),
            *_request_steps(picture, current, demands),
            *_follow_steps(picture, current, work),
        ),
        after=_predicted(picture, request, current, work, demands),
        taking=current,
        must_start=tuple(member.origin_uuid for member in work.stale),
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
    raise Refused(f"{request.title} cannot be merged", [f"there is no such snapset; {known}"])


def _not_the_same(picture: Picture, request: Request, current: Taking) -> Iterator[str]:
    if not request.selector.given:
        return
    selection = select(picture, request.selector)
    yield from selection.reasons
    difference = differing(current, selection)
    if difference is not None and not selection.reasons:
        yield difference


def _standing_against(current: Taking) -> Iterator[str]:
    if not current.sealed:
        yield "its taking was interrupted, so it was never complete: take it again (state: present) or remove it"
        return
    lost = current.those("lost")
    if lost:
        missing = ", ".join(f"of {member.origin.full_name}" for member in lost if member.origin)
        yield (
            f"{len(lost)} of its {current.count} members are gone without having been rolled back {missing}".rstrip()
            + ": going back with the rest would mix two states of the host"
        )
    problems = (_member_problem(member) for member in current.members)
    yield from (problem for problem in problems if problem is not None)


def _member_problem(member: Member) -> str | None:
    label = member.label
    origin = member.origin.full_name if member.origin else "its origin"
    if member.state == "stray":
        return f"{label} is no snapshot of its recorded origin any more"
    if member.state == "invalid":
        return _invalid(member)
    if member.state == "unknown":
        return (
            f"{label} is not active, so whether it is still valid cannot be known, and LVM would merge an invalid one: "
            f"lvchange -ay {origin}, then run again"
        )
    if member.state == "merge_pending" and member.origin and not member.origin.active:
        return f"{label} is merged at the next activation of {origin}: lvchange -ay {origin}, then run again"
    if member.state == "merge_failed":
        return (
            f"the merge into {origin} failed, see the kernel's log: mend the device, then "
            f"lvchange -an {origin}; lvchange -ay {origin} goes on with it"
        )
    return None


def _invalid(member: Member) -> str:
    if member.snapshot and member.snapshot.merging:
        return (
            f"{member.label} overflowed while its merge was pending: the rollback is lost, "
            "the host keeps its new content or comes up with it; remove the set after the next reboot (state: absent)"
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
            yield (
                f"{sibling.full_name} ({owner}) is being merged into {member.origin.full_name} already, and LVM merges "
                "one snapshot into an origin at a time: wait until that has ended"
            )
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


def _owner(sibling: Volume) -> str:
    membership = _tags.parse_member(sibling.tags)
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


def _request_steps(picture: Picture, current: Taking, demands: Sequence[Demand]) -> Iterator[Step]:
    for demand in demands:
        yield Extend(
            vg=demand.vg,
            snapshot=demand.snapshot,
            extents=demand.extents,
            size=demand.size,
        )
    members = current.those("active")
    # Somebody may have requested a merge without us: its origin has to remember it before the member is gone.
    begun = tuple(member for member in current.those("merge_pending", "merging") if member.outcome is None)
    if members or begun:
        yield _remember(picture, current, (*members, *begun))
    if members:
        yield Merge(snapshots=tuple(member.label for member in members))


def _remember(picture: Picture, current: Taking, members: Sequence[Member]) -> Retag:
    thin_ids = {
        _tags.uuid_key(member.origin_uuid): member.snapshot.thin_id
        for member in members
        if member.snapshot and member.snapshot.thin_id is not None
    }
    outcome = _outcome(picture, current, "merging", boot_id=picture.host.boot_id, thin_ids=thin_ids)
    return Retag(
        purpose="remember_merge",
        volumes=_origins(members),
        add=(outcome.to_tag(),),
        delete=_old_outcomes(members),
    )


def _follow_steps(picture: Picture, current: Taking, work: _Work) -> Iterator[Step]:
    if work.start:
        yield Start(origins=_origins(work.start))
    if work.poll:
        yield Poll(origins=_origins(work.poll))
    stores = tuple(member.snapshot.full_name for member in work.conclude if member.snapshot)
    if stores:
        yield Remove(volumes=stores)
    if work.conclude:
        yield Retag(
            purpose="remember_rollback",
            volumes=_origins(work.conclude),
            add=(_outcome(picture, current, "rolled_back").to_tag(),),
            delete=_old_outcomes(work.conclude),
        )


def _outcome(
    picture: Picture,
    current: Taking,
    kind: _tags.OutcomeKind,
    *,
    boot_id: str = "",
    thin_ids: Mapping[str, int] | None = None,
) -> _tags.Outcome:
    return _tags.Outcome(
        kind=kind,
        set_name=current.outcome_name,
        set_id=current.set_id,
        count=current.count,
        at=picture.host.now,
        boot_id=boot_id,
        thin_ids=thin_ids or {},
    )


def _origins(members: Sequence[Member]) -> tuple[str, ...]:
    return tuple(member.origin.full_name for member in members if member.origin)


def _old_outcomes(members: Sequence[Member]) -> tuple[str, ...]:
    # Whatever an origin remembers of another set is older than this merge: one outcome per origin, never a heap.
    tags = {o.to_tag() for member in members if member.origin for o in _tags.outcomes_of(member.origin.tags)}
    return tuple(sorted(tags))


def _predicted(
    picture: Picture,
    request: Request,
    current: Taking,
    work: _Work,
    demands: Sequence[Demand],
) -> View:
    before = view_of(picture, current, name=request.name)
    started = {(m.origin.vg, m.origin.name) for m in work.start if m.origin}
    sizes = {(demand.vg, demand.snapshot): demand.size for demand in demands}
    members = tuple(_member_after(member, started, sizes) for member in before.members)
    return replace(before, members=members, state=_state_after(members))


def _member_after(
    member: MemberView,
    started: set[tuple[str, str]],
    sizes: Mapping[tuple[str, str], int],
) -> MemberView:
    requested = member.state == "active"
    if member.state == "merged":
        return replace(member, state="rolled_back", snapshot=None, size=None)
    if not requested and (member.vg, member.origin) not in started:
        return member
    size = sizes.get((member.vg, member.snapshot or ""), member.size)
    if requested and member.origin_open:
        return replace(member, state="merge_pending", size=size)
    if member.kind == "thin":
        return replace(member, state="merged", snapshot=None, size=None)
    return replace(member, state="merging", size=size)


def _state_after(members: Sequence[MemberView]) -> SetState:
    states = {member.public_state for member in members}
    if "merging" in states:
        return "merging"
    return "merge_pending" if "merge_pending" in states else "rolled_back"
