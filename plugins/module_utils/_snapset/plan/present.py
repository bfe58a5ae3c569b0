# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: present``: create a set, or keep it and extend snapshots that are too small. Pure; private."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..._durations import format_age
from ..._errors import Refused
from ..allocation import CowAllocation, extension_allocation, room_problems
from ..checks import thin_size_problem
from ..copies import copy_problems
from ..coverage import initramfs_volumes
from ..result import view_of
from ..selection import NOTHING_CHOSEN, RequestedOrigin, Selection, select
from ..sizes import AUTO
from ..timers import timer_warnings
from .absent import plan_absent
from .base import (
    Plan,
    Request,
    common_problems,
    extended,
    extension_steps,
    find,
    forget_steps,
    mismatch_problem,
    refusal_reasons,
    seal_step,
)
from .create import plan_creation, pools_of
from .merged import plan_merged
from .removal import FINISH, removal_problems, removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume
    from ..state import Instance


def plan_present(host_state: HostState, request: Request) -> Plan:
    """The plan after which the set in ``request`` exists, complete and large enough.

    Raises Refused with every reason that was found.
    """
    found = find(host_state, request)
    selection = _selection(host_state, request)
    wanted = [item.origin for item in selection.wanted]
    reasons = [*selection.reasons, *common_problems(host_state, request, found, wanted)]
    current = found.current
    if current is not None and _is_kept(current):
        return _plan_kept(host_state, request, current, found.leftovers, selection, reasons)
    leftovers = [instance for instance in (current, *found.leftovers) if instance is not None and instance.live]
    if request.adopt and not request.selector.given:
        raise Refused(request.refusal, [*reasons, *_missing_problems(host_state, request, leftovers)])
    return plan_creation(host_state, request, leftovers, selection, reasons)


def _missing_problems(host_state: HostState, request: Request, leftovers: Sequence[Instance]) -> Iterator[str]:
    """Why there is nothing to keep after an adoption, and nothing that could be created."""
    if leftovers:
        yield "its creation was interrupted, so it is incomplete: remove it (state: absent)"
    else:
        yield "there is none to take over: check the name, or choose volumes, mountpoints or system to create one"
    yield from copy_problems(host_state, request.name)


def depends_on_boot(host_state: HostState, request: Request) -> bool:
    """Whether the plan will snapshot what the initramfs activates, so that it needs to know how the host boots."""
    early = initramfs_volumes(host_state)
    return any(origin.key in early for origin in new_origins(host_state, request))


def pools_to_use(host_state: HostState, request: Request) -> Iterator[tuple[Volume, str]]:
    """The thin pools in which the plan will create snapshots, each with the name of its profile, or of its VG's."""
    for pool in pools_of(host_state, new_origins(host_state, request)):
        group = host_state.group(pool.vg)
        yield pool, pool.profile or (group.profile if group else "")


def new_origins(host_state: HostState, request: Request) -> tuple[Volume, ...]:
    """The LVs of which the plan will create snapshots."""
    current = find(host_state, request).current
    if current is not None and _is_kept(current):
        return ()
    return tuple(item.origin for item in _selection(host_state, request).wanted)


def _is_kept(current: Instance) -> bool:
    return current.sealed and (bool(current.live) or current.state == "merging")


def _selection(host_state: HostState, request: Request) -> Selection:
    if request.single is None:
        return select(host_state, request.selector)
    origin = host_state.volume(request.single.vg, request.single.origin)
    size = None if request.size == AUTO else request.size
    return Selection(wanted=(RequestedOrigin(origin=origin, size=size),) if origin else ())


def _plan_kept(
    host_state: HostState,
    request: Request,
    current: Instance,
    leftovers: Sequence[Instance],
    selection: Selection,
    reasons: list[str],
) -> Plan:
    reasons += _blocking_problems(host_state, request, current)
    reasons += _age_problems(host_state, request, current)
    is_chosen = request.selector.given or request.single is not None
    difference = mismatch_problem(current, selection) if is_chosen else None
    if difference is not None and not selection.reasons:
        reasons.append(f"{difference}: members cannot be added to a snapset or removed from it; choose another name")
    if request.set_id not in (None, current.set_id):
        reasons.append(
            f"its ID is {current.set_id}, but {request.set_id} was requested: it is another snapset of the same name"
        )
    reasons += [problem for instance in leftovers for problem in removal_problems(host_state, instance)]
    allocations = [] if reasons else list(_size_problems(host_state, request, current, selection, reasons))
    reasons += room_problems(host_state, allocations, request.reserve, parameters="size, min_headroom")
    if reasons:
        raise Refused(request.refusal, reasons)
    view = view_of(host_state, current, name=request.name)
    origins = [member.origin for member in current.members if member.origin]
    sealing = (seal_step(member.label for member in current.live),) if current.half_sealed else ()
    # If creation was interrupted after the seal, origins still record outcomes of an older instance.
    forgetting = forget_steps(host_state, request, but=current.set_id)
    return Plan(
        steps=(*removal_steps(leftovers), *sealing, *forgetting, *extension_steps(allocations)),
        after=replace(view, members=tuple(extended(member, allocations) for member in view.members)),
        warnings=(*_validity_warnings(current), *timer_warnings(host_state, request.outcome_name, origins)),
        instance=current,
    )


def _blocking_problems(host_state: HostState, request: Request, current: Instance) -> Iterator[str]:
    """Why the set cannot be kept as it is, how to get out of that, and what blocks the way out."""
    invalid = ", ".join(member.label for member in current.members_in("invalid"))
    if invalid:
        yield f"{invalid} overflowed and is invalid: its content is lost"
    missing = len(current.members_in("lost", "detached"))
    if missing:
        yield (
            f"{missing} of its {current.count} members are missing and were not rolled back: new snapshots would "
            "protect the wrong state"
        )
    other = replace(request, selector=NOTHING_CHOSEN)
    if current.unrecoverable:
        yield "remove the set (state: absent), then create a new one"
        yield from refusal_reasons(plan_absent, host_state, replace(other, state="absent"))
    elif current.rollback_started:
        yield f"it is being rolled back (state {current.state}): {FINISH}"
        yield from refusal_reasons(plan_merged, host_state, replace(other, state="merged"))


def _age_problems(host_state: HostState, request: Request, current: Instance) -> Iterator[str]:
    """Why an active set is too old: a rollback to it would lose more than the planned change."""
    if request.max_age is None or current.state != "active" or current.created is None:
        return
    age = host_state.host.now - current.created
    if age > request.max_age.seconds:
        yield (
            f"it already exists and is {format_age(age)} old, more than max_age ({request.max_age.text}) allows, so it "
            "was created for another change: use another name, or remove it with ansible-playbook safepoint.lvm.commit "
            f"-e snapset={request.name}"
        )


def _validity_warnings(current: Instance) -> Iterator[str]:
    for member in current.members_in("unknown"):
        yield f"{member.label} is not active, so it is unknown whether it is still valid"


def _size_problems(
    host_state: HostState,
    request: Request,
    current: Instance,
    selection: Selection,
    reasons: list[str],
) -> Iterator[CowAllocation]:
    sizes = {item.origin.key: item.size for item in selection.wanted}
    for member in current.members_in("active"):
        origin, snapshot = member.origin, member.snapshot
        if origin is None or snapshot is None:
            continue
        size = sizes.get(origin.key)
        if member.kind == "thick":
            yield from extension_allocation(
                host_state,
                origin=origin,
                snapshot=snapshot,
                size=size or request.size,
                headroom=request.min_headroom,
            )
        elif size is not None:
            reasons.append(thin_size_problem(origin))
