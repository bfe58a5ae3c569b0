# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rollback timers exist, by their tags, and what they mean for snapsets. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._durations import iso_date
from .instances import instances
from .tags import parse_timer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from .._model import HostState, Volume
    from .tags import TimerTags

TimerState = Literal["incomplete", "armed", "fired"]


@dataclass(frozen=True)
class Timer:
    """A timer: its LV and its parsed tags."""

    volume: Volume
    tags: TimerTags

    @property
    def state(self) -> TimerState:
        """The state of the timer, by its tags."""
        if self.tags.fired is not None:
            return "fired"
        return "armed" if self.tags.ready else "incomplete"


def timers_in(host_state: HostState) -> tuple[Timer, ...]:
    """Return the timers on the host, the newest last."""
    found = [Timer(one, tags) for one in host_state.volumes if (tags := parse_timer(one.tags)) is not None]
    return tuple(sorted(found, key=lambda timer: timer.tags.armed))


def armed_timers(host_state: HostState, origins: Collection[Volume]) -> Iterator[tuple[Timer, str]]:
    """Yield each armed timer that would roll back one of ``origins``, with the names of these (VG/LV) as text."""
    protected = {one.set_id: {m.origin.key for m in one.members if m.origin} for one in instances(host_state)}
    for timer in timers_in(host_state):
        shared = [one.full_name for one in origins if one.key in protected.get(timer.tags.set_id, ())]
        if timer.state == "armed" and shared:
            yield timer, ", ".join(sorted(shared))


def timer_warnings(host_state: HostState, name: str, origins: Iterable[Volume]) -> Iterator[str]:
    """What users must know who take or keep the snapset ``name`` of ``origins`` while a timer is armed."""
    for timer, shared in armed_timers(host_state, tuple(origins)):
        other, end = timer.tags.set_name, f"at {iso_date(timer.tags.deadline)} or a little later"
        commit = f"ansible-playbook safepoint.lvm.commit -e snapset={other}"
        if other == name:
            yield (
                f"the rollback timer of {name} is armed: unless the change is accepted ({commit}), the host rolls back "
                f"{end}"
            )
        else:
            yield (
                f"the rollback timer of another snapset, {other}, is armed for {shared}: {end} it rolls back past "
                f"{name}, which can overflow thick snapshots and cuts thin ones off from their origin: accept that "
                f"change first ({commit})"
            )
