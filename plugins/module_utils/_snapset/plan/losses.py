# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Continue a rollback without its lost members, because a user has accepted the loss. Pure; private."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..state import LOST_MEMBERS, Instance, Member
from ..steps import LvmStep, Remove, Retag
from .outcomes import origins_of, record_merge
from .removal import removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume


def lost_members_of(instance: Instance) -> Instance:
    """An instance that has only the lost members of ``instance``."""
    return replace(instance, members=instance.members_in(*LOST_MEMBERS))


def accept_loss_steps(host_state: HostState, instance: Instance) -> tuple[LvmStep, ...]:
    """The steps that remove the lost members, so that ``instance`` is complete without them.

    Their origins' outcomes are deleted before the members: an origin that records a merge and has no member would look
    rolled back. The outcomes of the other origins get a lower count, so the loss need not be accepted again.
    """
    lost = lost_members_of(instance)
    kept = tuple(member for member in instance.members if member not in lost.members)
    rest = replace(instance, members=kept, count=len(kept))
    return (*_forget_steps(lost.members), *_recount_steps(host_state, rest), *removal_steps((lost,)))


def host_state_after(host_state: HostState, steps: Sequence[LvmStep]) -> HostState:
    """``host_state`` as it will be after ``steps``, of which only tagging and removing count."""
    volumes = host_state.volumes
    for step in steps:
        if isinstance(step, Retag):
            volumes = tuple(_retagged(volume, step) for volume in volumes)
        elif isinstance(step, Remove):
            volumes = tuple(volume for volume in volumes if volume.full_name not in step.volumes)
    return replace(host_state, volumes=volumes)


def _retagged(volume: Volume, step: Retag) -> Volume:
    if volume.full_name not in step.volumes:
        return volume
    kept = (tag for tag in volume.tags if tag not in step.delete)
    return replace(volume, tags=tuple(dict.fromkeys((*kept, *step.add))))


def _forget_steps(lost: Sequence[Member]) -> Iterator[LvmStep]:
    recorded = [member for member in lost if member.origin is not None and member.outcome is not None]
    tags = sorted({member.outcome.to_tag() for member in recorded if member.outcome})
    if recorded:
        yield Retag(purpose="forget", volumes=origins_of(recorded), delete=tuple(tags))


def _recount_steps(host_state: HostState, rest: Instance) -> Iterator[LvmStep]:
    # One command gives the same tags to all its LVs, so each outcome needs its own. Usually there is only one.
    recorded = {member.outcome.to_tag(): member.outcome for member in rest.members if member.outcome}
    for tag, outcome in recorded.items():
        if outcome.count != rest.count:
            members = [member for member in rest.members if member.outcome == outcome]
            counted = replace(outcome, count=rest.count).to_tag()
            yield Retag(purpose="accept_loss", volumes=origins_of(members), add=(counted,), delete=(tag,))
    # Somebody may have requested a merge by hand: its origin must record that before the member is gone.
    unrecorded = [member for member in rest.members_in("merge_pending", "merging") if member.outcome is None]
    if unrecorded:
        yield record_merge(host_state, rest, unrecorded)
