# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that record on origins what becomes of an instance. Pure; private to this collection."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ..outcome_tags import Outcome, OutcomeKind, VgMarks, outcomes_of, vg_marks
from ..steps import Retag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState
    from ..state import Instance, Member


def record_merge(host_state: HostState, instance: Instance, members: Sequence[Member]) -> Retag:
    """The step to carry out before ``members`` are merged. Later, nothing else can show their thin device IDs."""
    thin_ids = {
        member.origin.key: member.snapshot.thin_id
        for member in members
        if member.origin and member.snapshot and member.snapshot.thin_id is not None
    }
    vgs = vg_marks(_vgs_of(members), thin_ids)
    outcome = _outcome(host_state, instance, "merging", vgs, boot_id=host_state.host.boot_id)
    return Retag(
        purpose="remember_merge",
        volumes=origins_of(members),
        add=(outcome.to_tag(),),
        delete=_old_outcomes(members),
        undo=tuple(_undo_steps(outcome, members)),
    )


def _undo_steps(outcome: Outcome, members: Sequence[Member]) -> Iterator[Retag]:
    # If LVM refuses the merge, what an origin recorded about another set is still true.
    groups: dict[tuple[str, ...], list[Member]] = defaultdict(list)
    for member in members:
        known = outcomes_of(member.origin.tags) if member.origin else ()
        groups[tuple(other.to_tag() for other in known if other.set_id != outcome.set_id)].append(member)
    for others, mine in groups.items():
        yield Retag(purpose="forget", volumes=origins_of(mine), add=others, delete=(outcome.to_tag(),))


def record_rollback(host_state: HostState, instance: Instance, members: Sequence[Member]) -> Retag:
    """The step to carry out after ``members`` have been merged into their origins."""
    return Retag(
        purpose="remember_rollback",
        volumes=origins_of(members),
        add=(_outcome(host_state, instance, "rolled_back", vg_marks(_vgs_of(members))).to_tag(),),
        delete=_old_outcomes(members),
    )


def origins_of(members: Sequence[Member]) -> tuple[str, ...]:
    """The existing origins of ``members``, as VG/LV."""
    return tuple(member.origin.full_name for member in members if member.origin)


def _outcome(
    host_state: HostState, instance: Instance, kind: OutcomeKind, vgs: VgMarks, *, boot_id: str = ""
) -> Outcome:
    return Outcome(
        kind=kind,
        set_name=instance.outcome_name,
        set_id=instance.set_id,
        count=instance.count,
        at=host_state.host.now,
        boot_id=boot_id,
        vgs=vgs,
        host=instance.host,
    )


def _vgs_of(members: Sequence[Member]) -> set[str]:
    return {member.origin.vg_uuid for member in members if member.origin}


def _old_outcomes(members: Sequence[Member]) -> tuple[str, ...]:
    # An outcome of another set is older than this merge, so it is replaced: each origin has one outcome at most.
    tags = {o.to_tag() for member in members if member.origin for o in outcomes_of(member.origin.tags)}
    return tuple(sorted(tags))
