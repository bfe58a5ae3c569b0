# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps by which origins remember what becomes of a taking. Pure; private to this collection."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ..steps import Retag
from ..tags import Outcome, OutcomeKind, VgMarks, outcomes_of, vg_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState
    from ..state import Instance, Member


def remember_merge(host_state: HostState, instance: Instance, members: Sequence[Member]) -> Retag:
    """The step that is carried out before ``members`` are merged: the last of them that can tell their ids."""
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
        undo=tuple(_forget_again(outcome, members)),
    )


def _forget_again(outcome: Outcome, members: Sequence[Member]) -> Iterator[Retag]:
    # What an origin remembers of another set is still true when LVM refuses the merge.
    groups: dict[tuple[str, ...], list[Member]] = defaultdict(list)
    for member in members:
        known = outcomes_of(member.origin.tags) if member.origin else ()
        groups[tuple(other.to_tag() for other in known if other.set_id != outcome.set_id)].append(member)
    for others, mine in groups.items():
        yield Retag(purpose="forget", volumes=origins_of(mine), add=others, delete=(outcome.to_tag(),))


def remember_rollback(host_state: HostState, instance: Instance, members: Sequence[Member]) -> Retag:
    """The step that is carried out once ``members`` have gone into their origins."""
    return Retag(
        purpose="remember_rollback",
        volumes=origins_of(members),
        add=(_outcome(host_state, instance, "rolled_back", vg_marks(_vgs_of(members))).to_tag(),),
        delete=_old_outcomes(members),
    )


def origins_of(members: Sequence[Member]) -> tuple[str, ...]:
    """The origins of ``members`` that exist, as VG/LV."""
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
    )


def _vgs_of(members: Sequence[Member]) -> set[str]:
    return {member.origin.vg_uuid for member in members if member.origin}


def _old_outcomes(members: Sequence[Member]) -> tuple[str, ...]:
    # Whatever an origin remembers of another set is older than this merge: one outcome per origin, never a heap.
    tags = {o.to_tag() for member in members if member.origin for o in outcomes_of(member.origin.tags)}
    return tuple(sorted(tags))
