# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: present``: create a set, or keep it and extend what is too small. Pure; private."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.safepoint.lvm.plugins.module_utils import _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._model import (
    Kind,
    Picture,
    Volume,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._names import (
    COW_SUFFIX,
    fits_device_mapper,
    generated_names,
    lv_name_problem,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._plan import (
    Plan,
    Request,
    common_problems,
    differing,
    find,
    forget,
    remembering,
    removal_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._rules import (
    boot_problems,
    origin_problems,
    pool_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._selection import (
    Selection,
    Wanted,
    select,
    uncovered_with_root,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._sizing import (
    Demand,
    extension_demand,
    freed_extents,
    room_problems,
    size_snapshots,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapsets import (
    Named,
    Taking,
    single_outcome_name,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import (
    Create,
    CreateThick,
    CreateThin,
    Extend,
    Remove,
    Retag,
    Step,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._view import (
    MemberView,
    View,
    mountpoints_of,
    view_of,
)


def plan_present(picture: Picture, request: Request) -> Plan:
    """The plan that makes the set of ``request`` exist, whole and large enough.

    Raises Refused with every reason that was found.
    """
    found = find(picture, request)
    selection = _selection(picture, request)
    wanted = [item.origin for item in selection.wanted]
    reasons = [*selection.reasons, *common_problems(picture, found, wanted)]
    current = found.current
    if current is not None and current.sealed and (current.live or current.state == "merging"):
        return _keep(picture, request, current, found.leftovers, selection, reasons)
    return _create(picture, request, found, selection, reasons)


def _selection(picture: Picture, request: Request) -> Selection:
    if request.single is None:
        return select(picture, request.selector)
    origin = picture.volume(request.single.vg, request.single.origin)
    return Selection(wanted=(Wanted(origin=origin),) if origin else ())


# A set that is there


def _keep(
    picture: Picture,
    request: Request,
    current: Taking,
    leftovers: Sequence[Taking],
    selection: Selection,
    reasons: list[str],
) -> Plan:
    reasons += _standing_against(picture, current)
    difference = differing(current, selection)
    if difference is not None and not selection.reasons:
        reasons.append(difference)
    reasons += [problem for taking in leftovers for problem in removal_problems(picture, taking)]
    demands = [] if reasons else list(_extensions(picture, request, current, selection, reasons))
    reasons += room_problems(picture, demands, request.reserve)
    if reasons:
        raise Refused(f"{request.title} cannot be present", reasons)
    after = _extended(view_of(picture, current, name=request.name), demands)
    return Plan(
        steps=(*_remove(leftovers), *_seal(current), *_extend_steps(demands)),
        after=after,
        warnings=tuple(_unknown_validity(current)),
        taking=current,
    )


def _standing_against(picture: Picture, current: Taking) -> Iterator[str]:
    names = {state: ", ".join(member.label for member in current.those(state)) for state in ("invalid", "merge_failed")}
    if names["invalid"]:
        yield (
            f"{names['invalid']} overflowed and is invalid: what it held is lost; "
            "remove the set (state: absent), then take a new one"
        )
    if names["merge_failed"]:
        yield f"the merge of {names['merge_failed']} failed: see state merged of this set"
    if current.state in ("partly_merged", "merging", "merge_pending"):
        yield f"it is being rolled back (state {current.state}): finish that with state: merged"
    if current.state == "damaged":
        missing = current.count - len(current.those("active", "unknown", "invalid"))
        yield (
            f"{missing} of its {current.count} members are gone without having been rolled back: taking them again "
            "now would protect the wrong state; remove the set (state: absent), then take a new one"
        )


def _unknown_validity(current: Taking) -> Iterator[str]:
    for member in current.those("unknown"):
        yield f"{member.label} is not active, so whether it is still valid cannot be known"


def _seal(current: Taking) -> tuple[Step, ...]:
    if not current.half_sealed:
        return ()
    volumes = tuple(member.label for member in current.live)
    return (Retag(purpose="seal", volumes=volumes, add=(_tags.SEALED,)),)


def _remove(leftovers: Sequence[Taking]) -> tuple[Step, ...]:
    volumes = tuple(member.label for taking in leftovers for member in taking.live)
    return (Remove(volumes=volumes),) if volumes else ()


def _extensions(
    picture: Picture,
    request: Request,
    current: Taking,
    selection: Selection,
    reasons: list[str],
) -> Iterator[Demand]:
    sizes = {item.origin.uuid: item.size for item in selection.wanted}
    for member in current.those("active"):
        size = sizes.get(member.origin_uuid)
        if member.kind == "thin":
            if size is not None:
                reasons.append(_thin_size(member.label))
        elif member.origin and member.snapshot:
            yield from extension_demand(
                picture,
                origin=member.origin,
                snapshot=member.snapshot,
                size=size or request.size,
                headroom=request.min_headroom,
            )


def _extend_steps(demands: Sequence[Demand]) -> Iterator[Extend]:
    for demand in demands:
        yield Extend(
            vg=demand.vg,
            snapshot=demand.snapshot,
            extents=demand.extents,
            size=demand.size,
        )


def _extended(view: View, demands: Sequence[Demand]) -> View:
    grown = {(demand.vg, demand.snapshot): demand.size for demand in demands}
    return replace(
        view,
        members=tuple(replace(m, size=grown.get((m.vg, m.snapshot or ""), m.size)) for m in view.members),
    )


def _thin_size(name: str) -> str:
    return f"{name} is thin: its snapshots have no size of their own, so leave size out for it"


# A set that is to be made


def _create(
    picture: Picture,
    request: Request,
    found: Named,
    selection: Selection,
    reasons: list[str],
) -> Plan:
    leftovers = [t for t in (found.current, *found.leftovers) if t is not None and t.live]
    removed = [member.snapshot for taking in leftovers for member in taking.live if member.snapshot]
    reasons += [problem for taking in leftovers for problem in removal_problems(picture, taking)]
    reasons += _cannot_protect(picture, request, selection, removed)
    thick = [item for item in selection.wanted if not item.origin.is_thin]
    demands, shortfalls = size_snapshots(
        picture,
        thick,
        default=request.size,
        reserve=request.reserve,
        freed=freed_extents(picture, removed),
    )
    reasons += shortfalls
    names = _names(picture, request, [item.origin for item in selection.wanted], removed, reasons)
    if reasons:
        raise Refused(f"{request.title} cannot be present", reasons)
    sizes = {(demand.vg, demand.origin): demand for demand in demands}
    created = tuple(_create_steps(picture, request, [item.origin for item in selection.wanted], names, sizes))
    sealing = () if request.single else (_seal_new(created),)
    return Plan(
        steps=(*_remove(leftovers), *created, *sealing, *_forget_old(picture, request)),
        after=_created_view(picture, request, [item.origin for item in selection.wanted], names, sizes),
    )


def _cannot_protect(
    picture: Picture, request: Request, selection: Selection, removed: Sequence[Volume]
) -> Iterator[str]:
    origins = [item.origin for item in selection.wanted]
    staying = replace(
        picture,
        volumes=tuple(volume for volume in picture.volumes if volume not in removed),
    )
    for item in selection.wanted:
        yield from origin_problems(staying, item.origin)
        if item.origin.is_thin and item.size is not None:
            yield _thin_size(item.origin.full_name)
    for pool in _pools_of(picture, origins):
        yield from pool_problems(pool, request.pool_reserve)
    yield from uncovered_with_root(picture, origins, request.selector.ignore_uncovered)
    yield from boot_problems(picture.host, thick=_root_is_thick(picture, origins))


def _pools_of(picture: Picture, origins: Sequence[Volume]) -> tuple[Volume, ...]:
    names = dict.fromkeys((origin.vg, origin.pool) for origin in origins if origin.is_thin)
    pools = (picture.volume(vg, pool) for vg, pool in names)
    return tuple(pool for pool in pools if pool is not None)


def _root_is_thick(picture: Picture, origins: Sequence[Volume]) -> bool:
    return any("/" in mountpoints_of(picture, origin) for origin in origins if not origin.is_thin)


def _names(
    picture: Picture,
    request: Request,
    origins: Sequence[Volume],
    removed: Sequence[Volume],
    reasons: list[str],
) -> dict[str, str]:
    names: dict[str, str] = {}
    for origin in origins:
        candidates = (request.name,) if request.single else generated_names(origin.name, request.name)
        name, problem = _free_name(picture, origin, candidates, removed)
        names[origin.uuid] = name
        if problem is not None:
            reasons.append(problem)
    return names


def _free_name(
    picture: Picture,
    origin: Volume,
    candidates: Sequence[str],
    removed: Sequence[Volume],
) -> tuple[str, str | None]:
    """The first of ``candidates`` that a snapshot of ``origin`` can have, or the last one and why it cannot."""
    suffix = "" if origin.is_thin else COW_SUFFIX
    problem: str | None = None
    for name in candidates:
        holder = picture.volume(origin.vg, name)
        if holder in removed:
            holder = None
        problem = lv_name_problem(name)
        if problem is None and not fits_device_mapper(origin.vg, name, suffix):
            problem = f"{origin.vg}/{name} is too long a name: device-mapper holds 127 bytes, hyphens count twice"
        if problem is None and holder is None:
            return name, None
        if holder is not None:
            problem = f"the name {holder.full_name} is needed and belongs to another LV: rename that, or this set"
            if not _tags.ours(holder.tags):
                break
    return candidates[-1], problem


def _create_steps(
    picture: Picture,
    request: Request,
    origins: Sequence[Volume],
    names: Mapping[str, str],
    sizes: Mapping[tuple[str, str], Demand],
) -> Iterator[Create]:
    set_id = uuid.uuid4().hex
    for origin in origins:
        tags = _tags_for(picture, request, origin, set_id=set_id, count=len(origins))
        name, demand = names[origin.uuid], sizes.get((origin.vg, origin.name))
        if demand is None:
            yield CreateThin(vg=origin.vg, origin=origin.name, name=name, tags=tags)
        else:
            yield CreateThick(
                vg=origin.vg,
                origin=origin.name,
                name=name,
                extents=demand.extents,
                size=demand.size,
                tags=tags,
            )


def _tags_for(picture: Picture, request: Request, origin: Volume, *, set_id: str, count: int) -> tuple[str, ...]:
    if request.single:
        return _tags.single_tags(origin.uuid)
    return _tags.MemberTags(
        set_name=request.name,
        set_id=set_id,
        count=count,
        origin_uuid=origin.uuid,
        taken=picture.host.now,
        pv_set=_pv_set(picture, origin),
    ).to_tags()


def _pv_set(picture: Picture, origin: Volume) -> str | None:
    # A PV that joins the VG of / after the taking is unknown to what a rollback brings back (the devices file).
    group = picture.group(origin.vg)
    if group is None or "/" not in mountpoints_of(picture, origin):
        return None
    return hashlib.sha256(" ".join(group.pv_uuids).encode()).hexdigest()[:16]


def _seal_new(created: Sequence[Create]) -> Retag:
    return Retag(
        purpose="seal",
        volumes=tuple(f"{step.vg}/{step.name}" for step in created),
        add=(_tags.SEALED,),
    )


def _forget_old(picture: Picture, request: Request) -> tuple[Step, ...]:
    name = single_outcome_name(request.name) if request.single else request.name
    return forget(remembering(picture, name), name)


def _created_view(
    picture: Picture,
    request: Request,
    origins: Sequence[Volume],
    names: Mapping[str, str],
    sizes: Mapping[tuple[str, str], Demand],
) -> View:
    def member(origin: Volume) -> MemberView:
        demand = sizes.get((origin.vg, origin.name))
        kind: Kind = origin.snapshot_kind
        return MemberView(
            vg=origin.vg,
            origin=origin.name,
            snapshot=names[origin.uuid],
            kind=kind,
            state="active",
            mountpoints=mountpoints_of(picture, origin),
            size=demand.size if demand else origin.size,
        )

    return View(
        name=request.name,
        state="active",
        members=tuple(member(origin) for origin in origins),
    )
