# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go on with a rollback without the members that are gone for good, because somebody accepted that. Pure; private."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..state import LOST_MEMBERS, Instance, Member
from ..steps import LvmStep, Remove, Retag
from .outcomes import origins_of, remember_merge
from .removal import removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume


def lost_members_of(instance: Instance) -> Instance:
    """The members of ``instance`` that are gone for good, as a taking of their own."""
    return replace(instance, members=instance.those(*LOST_MEMBERS))


def leave_behind(host_state: HostState, instance: Instance) -> tuple[LvmStep, ...]:
    """The steps after which ``instance`` is whole without its casualties.

    They are forgotten before they are removed: an origin that remembers a merge but has no member would tell of a
    rollback. The loss is kept as a lower count in what the other origins remember, and need not be accepted again.
    """
    lost = lost_members_of(instance)
    kept = tuple(member for member in instance.members if member not in lost.members)
    rest = replace(instance, members=kept, count=len(kept))
    return (*_forget(lost.members), *_count_again(host_state, rest), *removal_steps((lost,)))


def after(host_state: HostState, steps: Sequence[LvmStep]) -> HostState:
    """``host_state`` as it will be after ``steps`` that tag and remove."""
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


def _forget(lost: Sequence[Member]) -> Iterator[LvmStep]:
    told = [member for member in lost if member.origin is not None and member.outcome is not None]
    tags = sorted({member.outcome.to_tag() for member in told if member.outcome})
    if told:
        yield Retag(purpose="forget", volumes=origins_of(told), delete=tuple(tags))


def _count_again(host_state: HostState, rest: Instance) -> Iterator[LvmStep]:
    # One command gives the same tags to all of its LVs, so there is one for each outcome; as a rule that is one.
    told = {member.outcome.to_tag(): member.outcome for member in rest.members if member.outcome}
    for tag, outcome in told.items():
        if outcome.count != rest.count:
            members = [member for member in rest.members if member.outcome == outcome]
            counted = replace(outcome, count=rest.count).to_tag()
            yield Retag(purpose="accept_loss", volumes=origins_of(members), add=(counted,), delete=(tag,))
    # Somebody may have requested a merge without us: that origin has to remember it before its member is gone.
    unheard_of = [member for member in rest.those("merge_pending", "merging") if member.outcome is None]
    if unheard_of:
        yield remember_merge(host_state, rest, unheard_of)
