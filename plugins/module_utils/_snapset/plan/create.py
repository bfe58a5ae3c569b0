# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that creates a set. Pure; private to this collection."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..._names import COW_SUFFIX, fits_device_mapper, generated_names, lv_name_problem
from ..allocation import CowAllocation, freed_extents, size_snapshots
from ..checks import boot_problems, boot_warnings, origin_problems, pool_problems, thin_size_problem
from ..content import prober_warnings, several_problems, use_warnings
from ..coverage import boot_loader_problems, initramfs_volumes, ostree_problems, uncovered_problems
from ..foreign import foreign_problems
from ..instances import instances
from ..packages import package_databases, package_problems, package_warnings
from ..result import MemberView, View, mountpoints_of
from ..selection import named_mountpoints
from ..steps import CreateSnapshot, CreateThick, CreateThin
from ..tags import MemberTags, membership_tags, single_tags
from ..timers import timer_warnings
from .base import Plan, Request, forget_steps, seal_step
from .removal import removal_problems, removal_steps

# A tag has room for 1024 characters (validate_tag, lib/metadata/metadata.c of LVM 2.03).
_MOST_MARKS = 128

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume
    from ..selection import Selection
    from ..state import Instance


@dataclass(frozen=True)
class _NewMember:
    """A member to be created: its origin, its name, and the COW store of a thick one."""

    origin: Volume
    name: str
    store: CowAllocation | None

    def step(self, tags: tuple[str, ...]) -> CreateSnapshot:
        """The step that creates it, with ``tags`` from the first moment."""
        vg, origin = self.origin.vg, self.origin.name
        if self.store is None:
            return CreateThin(vg=vg, origin=origin, name=self.name, tags=tags)
        extents, size = self.store.extents, self.store.size
        return CreateThick(vg=vg, origin=origin, name=self.name, extents=extents, size=size, tags=tags)

    def view(self, host_state: HostState) -> MemberView:
        """The member as it will be."""
        return MemberView(
            vg=self.origin.vg,
            origin=self.origin.name,
            snapshot=self.name,
            kind=self.origin.snapshot_kind,
            state="active" if self.store is None or self.origin.active else "unknown",
            mountpoints=mountpoints_of(host_state, self.origin),
            size=self.store.size if self.store else self.origin.size,
        )


def plan_creation(
    host_state: HostState, request: Request, leftovers: Sequence[Instance], selection: Selection, reasons: Sequence[str]
) -> Plan:
    """The plan that removes ``leftovers`` of interrupted creations and creates the set.

    Raises Refused with ``reasons`` and all further reasons that are found.
    """
    removed = [member.snapshot for instance in leftovers for member in instance.live if member.snapshot]
    found = [*reasons, *(problem for instance in leftovers for problem in removal_problems(host_state, instance))]
    found += _protection_problems(host_state, request, selection, removed)
    found += _unknown_host_problems(host_state, request, selection)
    found += [
        f"id: {one.set_id} belongs to another snapset" for one in instances(host_state) if one.set_id == request.set_id
    ]
    stores, shortfalls = size_snapshots(
        host_state,
        [item for item in selection.wanted if not item.origin.is_thin],
        default=request.size,
        reserve=request.reserve,
        freed=freed_extents(host_state, removed),
    )
    found += shortfalls
    members = [_new_member(host_state, request, item.origin, stores, removed, found) for item in selection.wanted]
    if found:
        raise Refused(request.refusal, found)
    created = tuple(_create_steps(host_state, request, members))
    origins = [item.origin for item in selection.wanted]
    sealing = () if request.single else (seal_step(f"{step.vg}/{step.name}" for step in created),)
    return Plan(
        steps=(*removal_steps(leftovers), *created, *sealing, *forget_steps(host_state, request)),
        after=View(name=request.name, state="active", members=tuple(member.view(host_state) for member in members)),
        warnings=(
            *boot_warnings(host_state.host),
            *prober_warnings(host_state, origins),
            *use_warnings(host_state, origins),
            *package_warnings(package_databases(host_state, origins)),
            *timer_warnings(host_state, request.outcome_name, origins),
            *_foreign_warnings(host_state, request, selection),
        ),
    )


def _foreign_warnings(host_state: HostState, request: Request, selection: Selection) -> Iterator[str]:
    """That the same VGs have a foreign set of that name, which may be the one that the user means."""
    vgs = {item.origin.vg for item in selection.wanted}
    return foreign_problems(host_state, request.name, vgs=vgs) if request.single is None else iter(())


def _protection_problems(
    host_state: HostState, request: Request, selection: Selection, removed: Sequence[Volume]
) -> Iterator[str]:
    origins = [item.origin for item in selection.wanted]
    remaining = replace(host_state, volumes=tuple(volume for volume in host_state.volumes if volume not in removed))
    for item in selection.wanted:
        yield from origin_problems(remaining, item.origin)
        if item.origin.is_thin and item.size is not None:
            yield thin_size_problem(item.origin)
    for pool in pools_of(host_state, origins):
        yield from pool_problems(pool, request.pool_reserve)
    ignore, named = request.selector.ignore_uncovered, named_mountpoints(host_state, request.selector)
    yield from several_problems(host_state, origins)
    yield from ostree_problems(host_state, origins, named)
    yield from uncovered_problems(host_state, origins, ignore, named)
    yield from boot_loader_problems(host_state, origins, ignore)
    yield from boot_problems(host_state, origins)
    yield from package_problems(package_databases(host_state, origins))


def _unknown_host_problems(host_state: HostState, request: Request, selection: Selection) -> Iterator[str]:
    """Why the new set would not be known as this host's own."""
    active = [item for item in selection.wanted if item.origin.active is not False]
    if selection.wanted and not active and request.single is None and not host_state.host.host_id:
        names = " ".join(item.origin.full_name for item in selection.wanted)
        yield (
            "this host has no machine-id, and none of these LVs is active, so nothing would show to which host the "
            f"snapset belongs: initialise it (systemd-machine-id-setup), or activate one of them (lvchange -ay {names})"
        )


def pools_of(host_state: HostState, origins: Sequence[Volume]) -> tuple[Volume, ...]:
    """The pools of those of ``origins`` that are thin."""
    names = dict.fromkeys((origin.vg, origin.pool) for origin in origins if origin.is_thin)
    pools = (host_state.volume(vg, pool) for vg, pool in names)
    return tuple(pool for pool in pools if pool is not None)


def _new_member(
    host_state: HostState,
    request: Request,
    origin: Volume,
    stores: Sequence[CowAllocation],
    removed: Sequence[Volume],
    reasons: list[str],
) -> _NewMember:
    candidates = (request.name,) if request.single else generated_names(origin.name, request.name)
    name, problem = _free_name(host_state, origin, candidates, removed)
    if problem is not None:
        reasons.append(problem)
    store = next((store for store in stores if (store.vg, store.origin) == (origin.vg, origin.name)), None)
    return _NewMember(origin=origin, name=name, store=store)


def _free_name(
    host_state: HostState, origin: Volume, candidates: Sequence[str], removed: Sequence[Volume]
) -> tuple[str, str | None]:
    """The first of ``candidates`` that is valid and free, and None; or the last one, and why it cannot be used."""
    problem: str | None = None
    for name in candidates:
        holder = host_state.volume(origin.vg, name)
        if holder is not None and holder not in removed:
            problem = (
                f"the name {holder.full_name} is needed but belongs to another LV: rename that LV, or use another name"
            )
            if not membership_tags(holder.all_tags):
                break
            continue
        problem = _name_problem(origin, name)
        if problem is None:
            return name, None
    return candidates[-1], problem


def _name_problem(origin: Volume, name: str) -> str | None:
    suffix = "" if origin.is_thin else COW_SUFFIX
    if not fits_device_mapper(origin.vg, name, suffix):
        return f"the name {origin.vg}/{name} is too long: device-mapper allows 127 bytes, hyphens count twice"
    return lv_name_problem(name)


def _create_steps(host_state: HostState, request: Request, members: Sequence[_NewMember]) -> Iterator[CreateSnapshot]:
    set_id = request.set_id or uuid.uuid4().hex
    for member in members:
        if request.single:
            yield member.step(single_tags(member.origin.uuid))
        else:
            tags = MemberTags(
                set_name=request.name,
                set_id=set_id,
                count=len(members),
                origin_uuid=member.origin.uuid,
                taken=host_state.host.now,
                pvs=_pvs(host_state, member.origin),
                vg=member.origin.vg_uuid,
                host=host_state.host.host_id,
            )
            yield member.step(tags.to_tags())


def _pvs(host_state: HostState, origin: Volume) -> tuple[str, ...] | None:
    group = host_state.group(origin.vg)
    if group is None or origin.key not in initramfs_volumes(host_state) or len(group.pv_marks) > _MOST_MARKS:
        return None
    return group.pv_marks
