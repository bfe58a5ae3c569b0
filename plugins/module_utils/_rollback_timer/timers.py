# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the rollback timers of a host by their tags. Pure; private to this collection.

A timer is an auxiliary LV with a small filesystem, and a systemd unit. The filesystem contains a program and a toolbox
that needs nothing of the host but its kernel. The unit starts the program at every boot.

The package ``_rollback_timer`` knows the program that rolls a host back if nobody confirms a change, and what that
program needs. It must not know how a backup of /boot is made, or what a boot entry is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from .._paths import RUN_DIRECTORY
from .._snapset.tags import parse_timer

if TYPE_CHECKING:
    from .._model import HostState, Volume
    from .._snapset.tags import TimerTags

ROOM = 4 * 1024 * 1024
"""How many bytes LVM's settings, the log and the program need at most. The toolbox is not included."""

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


def timer_view(timer: Timer) -> dict[str, Any]:
    """Return a timer as results show it."""
    return {
        "name": timer.tags.set_name,
        "id": timer.tags.set_id,
        "state": timer.state,
        "after": timer.tags.after,
        "deadline": iso_date(timer.tags.deadline),
        "failed_boots": timer.tags.boots,
        "fired_at": None if timer.tags.fired is None else iso_date(timer.tags.fired),
        "vg": timer.volume.vg,
        "volume": timer.volume.name,
    }


def iso_date(seconds: int) -> str:
    """Return seconds since the epoch as an ISO 8601 date in UTC."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def unit_name(set_name: str) -> str:
    """Return the name of the unit that runs the timer of a snapset."""
    return f"safepoint-lvm-timer-{set_name}.service"


def running_mark(set_name: str) -> str:
    """Return the path of a file that the program creates at each boot, after its checks have succeeded."""
    return f"{RUN_DIRECTORY}/timer-{set_name}"
