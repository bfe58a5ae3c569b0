# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the three plans share: the request, the plan itself, and finding the set. Pure; private.

The package ``_snapset.plan`` knows which steps bring a set to a state, or all reasons why that is refused. It must not
know how a step is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..._errors import Refused
from ..checks import (
    ambiguity_problems,
    group_problems,
    kernel_problems,
    pool_failure_problems,
    same_name_problems,
    visibility_problems,
)
from ..instances import SnapsetLookup, instances, lookup, single_instance
from ..outcome_tags import outcomes_of
from ..selection import NOTHING_CHOSEN, select
from ..sizes import AUTO, Size
from ..state import Instance, single_outcome_name
from ..steps import Extend, Retag
from ..tags import SEALED, is_single_of, parse_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..._durations import Duration
    from ..._model import HostState, LvKey, Volume
    from ..._steps import Step
    from ..allocation import CowAllocation
    from ..result import MemberView, View
    from ..selection import Selection, Selector
    from ..steps import LvmStep

State = Literal["present", "merged", "absent"]


@dataclass(frozen=True)
class Single:
    """The snapshot ``name`` of one origin, for the module ``snapshot``."""

    vg: str
    origin: str
    name: str


@dataclass(frozen=True)
class Request:
    """What a user requests. ``name`` is the name of the snapset, or of the snapshot if ``single`` is given.

    ``set_id`` is the ID that the instance must have, because something else already belongs to it. ``max_age`` is the
    maximum age of an existing instance. ``adopt`` takes over a foreign set of the name. ``package_timeout`` is how many
    seconds to wait for a package manager.
    """

    name: str
    reserve: Size
    pool_reserve: Size
    state: State = "present"
    selector: Selector = NOTHING_CHOSEN
    size: Size = AUTO
    min_headroom: Size | None = None
    accept_loss_of: tuple[str, ...] = ()
    single: Single | None = None
    set_id: str | None = None
    max_age: Duration | None = None
    adopt: bool = False
    package_timeout: int = 0

    @property
    def title(self) -> str:
        """The set or snapshot, for messages."""
        return f"snapshot {self.name}" if self.single else f"snapset {self.name}"

    @property
    def refusal(self) -> str:
        """How the message begins when the request is refused."""
        verb = {"present": "create or keep", "merged": "merge", "absent": "remove"}[self.state]
        return f"cannot {verb} {self.title}"

    @property
    def outcome_name(self) -> str:
        """The name under which origins record what becomes of it."""
        return single_outcome_name(self.name) if self.single else self.name


@dataclass(frozen=True)
class Plan:
    """Ordered steps, and the set as it will be ``after`` them.

    ``instance`` is what the steps act on. ``must_start`` are the origins whose merge was requested before the last
    boot: it is an error if such a merge is still pending after the steps.
    """

    steps: tuple[Step, ...]
    after: View
    warnings: tuple[str, ...] = ()
    instance: Instance | None = None
    must_start: tuple[LvKey, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether any step changes the host."""
        return any(step.changes for step in self.steps)

    @property
    def subject(self) -> str:
        """The ID of the instance, for the journal."""
        return self.instance.set_id if self.instance else "(new)"


def find(host_state: HostState, request: Request) -> SnapsetLookup:
    """Find all instances with the name in ``request``.

    Raises Refused if a snapshot for the module ``snapshot`` cannot be looked up, or belongs to a set.
    """
    if request.single is None:
        return lookup(instances(host_state), request.name)
    single = request.single
    if host_state.group(single.vg) is None:
        raise Refused(
            request.refusal,
            [f"there is no VG {single.vg} here (LVM hides foreign VGs)", *visibility_problems(host_state)],
        )
    if problems := tuple(same_name_problems(host_state, {single.vg})):
        raise Refused(request.refusal, problems)
    origin, holder = (
        host_state.volume(single.vg, single.origin),
        host_state.volume(single.vg, single.name),
    )
    if holder is not None:
        reason = _foreign_snapshot_problem(host_state, holder, origin)
        if reason is not None:
            raise Refused(request.refusal, [reason])
    if origin is None:
        if request.state == "absent":
            return SnapsetLookup(current=None)
        raise Refused(request.refusal, [f"there is no LV {single.vg}/{single.origin}"])
    instance = single_instance(host_state, origin=origin, name=single.name)
    return SnapsetLookup(current=instance)


def _foreign_snapshot_problem(host_state: HostState, holder: Volume, origin: Volume | None) -> str | None:
    foreign, membership = parse_member(holder.foreign_tags), parse_member(holder.tags)
    if foreign is not None:
        return f"{holder.full_name} belongs to snapset {foreign.set_name} of another host, so it is not touched"
    if membership is not None:
        return f"{holder.full_name} belongs to snapset {membership.set_name}: use the module snapset for it"
    if origin is None or (host_state.origin_of(holder) != origin and not is_single_of(holder.tags, origin.uuid)):
        what = f"a snapshot of {holder.vg}/{holder.origin}" if holder.is_snapshot else "not a snapshot"
        return f"{holder.full_name} exists and is {what}, so it is not touched: choose another name"
    return None


def common_problems(
    host_state: HostState, request: Request, found: SnapsetLookup, volumes: Iterable[Volume]
) -> Iterator[str]:
    """What prevents all steps: unusable VGs and pools, VGs that LVM does not show, two complete sets of one name.

    ``volumes`` are the LVs that the request selects. Those of the instances in ``found`` are checked too.
    """
    concerned = list(volumes)
    for instance in (found.current, *found.leftovers, *found.rivals):
        if instance is not None:
            concerned += [v for m in instance.members for v in (m.origin, m.snapshot) if v is not None]
    yield from kernel_problems(host_state)
    groups = {volume.vg for volume in concerned}
    yield from same_name_problems(host_state, groups)
    for group in host_state.volume_groups:
        if group.name in groups:
            yield from group_problems(group)
    pools = {(volume.vg, volume.pool) for volume in concerned if volume.is_thin}
    for volume in host_state.volumes:
        if (volume.vg, volume.name) in pools:
            yield from pool_failure_problems(volume)
    # A single snapshot is in the VG of its origin, so it cannot be hidden in another VG.
    can_be_hidden = request.single is None and (found.current is None or bool(found.current.members_in("lost")))
    if can_be_hidden:
        yield from (f"members may be hidden: {problem}" for problem in visibility_problems(host_state))
    if request.single is None:
        yield from ambiguity_problems(host_state, request.name)
    if found.rivals and found.current is not None:
        ids = ", ".join(instance.set_id for instance in (found.current, *found.rivals))
        yield (
            f"two complete sets have this name (IDs {ids}): remove the members of one of them by hand, "
            "lvs -o lv_full_name,lv_tags shows their IDs"
        )


def mismatch_problem(current: Instance, selection: Selection) -> str | None:
    """How the selected LVs differ from the members of the set, or None if they do not."""
    chosen = {wanted.origin.key: wanted.origin.full_name for wanted in selection.wanted}
    has = {m.origin_key: m.origin.full_name if m.origin else m.label for m in current.members if m.origin_key}
    if chosen.keys() == has.keys():
        return None
    return (
        f"it protects {', '.join(sorted(has.values()))}, but {', '.join(sorted(chosen.values())) or 'nothing'} "
        "was requested"
    )


def mismatch_problems(host_state: HostState, request: Request, current: Instance) -> Iterator[str]:
    """How the LVs that ``request`` selects, if any, differ from the members of the set."""
    if not request.selector.given:
        return
    selection = select(host_state, request.selector)
    yield from selection.reasons
    difference = mismatch_problem(current, selection)
    if difference is not None and not selection.reasons:
        yield f"{difference}: a snapset is {request.state} as a whole, so leave out volumes, mountpoints and system"


def forget_steps(host_state: HostState, request: Request, *, but: str = "") -> tuple[LvmStep, ...]:
    """The step, if one is needed, that deletes what origins record under the name in ``request``.

    Outcomes of the instance with the ID ``but`` are kept. For a single snapshot, only its own origin counts.
    """
    single = request.single
    stale = {
        volume.full_name: [o.to_tag() for o in outcomes if o.set_name == request.outcome_name and o.set_id != but]
        for volume in host_state.volumes
        if single is None or (volume.vg, volume.name) == (single.vg, single.origin)
        if (outcomes := outcomes_of(volume.tags))
    }
    tags = {tag for found in stale.values() for tag in found}
    names = tuple(name for name, found in stale.items() if found)
    return (Retag(purpose="forget", volumes=names, delete=tuple(sorted(tags))),) if tags else ()


def seal_step(members: Iterable[str]) -> LvmStep:
    """The step that marks a set as complete. ``members`` are all its members, as VG/LV."""
    return Retag(purpose="seal", volumes=tuple(members), add=(SEALED,))


def extension_steps(allocations: Iterable[CowAllocation]) -> tuple[LvmStep, ...]:
    """The steps that extend existing snapshots to the sizes in ``allocations``."""
    return tuple(Extend(vg=d.vg, snapshot=d.snapshot, extents=d.extents, size=d.size) for d in allocations)


def extended(member: MemberView, allocations: Iterable[CowAllocation]) -> MemberView:
    """``member`` as it is after the extensions in ``allocations``."""
    sizes = {(allocation.vg, allocation.snapshot): allocation.size for allocation in allocations}
    return replace(member, size=sizes.get((member.vg, member.snapshot or ""), member.size))


def refusal_reasons(
    planner: Callable[[HostState, Request], Plan], host_state: HostState, request: Request
) -> tuple[str, ...]:
    """All reasons for which ``planner`` refuses ``request``; empty if it makes a plan."""
    try:
        planner(host_state, request)
    except Refused as refused:
        return refused.reasons
    return ()
