# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollback timer as results show it, and the names of what it uses. Pure; private to this collection.

A timer is an auxiliary LV with a small filesystem, and a systemd unit. The filesystem contains a program and a toolbox
that needs nothing of the host but its kernel. The unit starts the program at every boot. docs/timer.md describes its
states.

The package ``_rollback_timer`` knows what the program that rolls a host back needs, and how it is armed. It must not
know how a backup of /boot is made, or what a boot entry is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._durations import iso_date
from .._paths import RUN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._snapset.timers import Timer

ROOM = 4 * 1024 * 1024
"""How many bytes LVM's settings, the log and the program need at most. The toolbox is not included."""


@dataclass(frozen=True)
class TimerStatus:
    """What the program says of itself in the present boot.

    ``term`` identifies the request that it carries out. ``deadline`` is in seconds since the epoch, the times are in
    seconds. ``reason`` is empty unless the phase needs one.
    """

    term: str
    phase: str
    deadline: int
    after: int
    spread: int
    boots: int
    reason: str = ""


def parse_status(text: str) -> TimerStatus | None:
    """Parse the file that the program writes. None if ``text`` is not such a file."""
    line, _line_feed, reason = text.partition("\n")
    try:
        term, phase, *numbers = line.split(" ")
        deadline, after, spread, boots = map(int, numbers)
    except ValueError:
        return None
    return TimerStatus(term, phase, deadline, after, spread, boots, reason.strip())


def timer_view(timer: Timer) -> dict[str, Any]:
    """Return a timer as results show it, without what its program says."""
    return {
        "name": timer.tags.set_name,
        "id": timer.tags.set_id,
        "state": timer.state,
        "phase": None,
        "reason": None,
        "after": timer.tags.after,
        "spread": timer.tags.spread,
        "deadline": iso_date(timer.tags.deadline),
        "failed_boots": timer.tags.boots,
        "fired_at": None if timer.tags.fired is None else iso_date(timer.tags.fired),
        "vg": timer.volume.vg,
        "volume": timer.volume.name,
    }


def with_status(view: Mapping[str, Any], status: TimerStatus | None, *, runs: bool) -> dict[str, Any]:
    """Return the view of a timer with what its program says. ``runs`` says whether the program is running."""
    running = view["state"] == "armed" and runs and status is not None
    shown = {**view, "running": running}
    if status is None or view["state"] != "armed" or not (running or status.phase == "spent"):
        return shown
    deadline = iso_date(status.deadline) if status.deadline > 0 else view["deadline"]
    return {**shown, "phase": status.phase, "reason": status.reason or None, "deadline": deadline}


def warnings_about(view: Mapping[str, Any]) -> Iterator[str]:
    """What users of the host must know of a timer, given as ``with_status`` returns it."""
    name, reason = view["name"], view["reason"]
    commit = f"ansible-playbook safepoint.lvm.commit -e snapset={name}"
    rollback = f"ansible-playbook safepoint.lvm.rollback -e snapset={name}"
    timer = f"the rollback timer of {name}"
    if view["state"] == "fired":
        yield f"{timer} has started the rollback of the host: complete it with {rollback}"
    elif view["state"] == "armed":
        sentences = {
            "watching": f"the host rolls back to {name} by itself at {view['deadline']} or a little later, unless the "
            f"change is accepted: {commit}",
            "postponed": f"{timer} rolls back as soon as it can: {reason}; to prevent it: {commit}",
            "firing": f"the host is rolling back to {name} by itself and will reboot",
            "stale": f"{timer} does nothing until somebody decides: {reason}: {commit}, or {rollback}",
            "spent": f"{timer} can no longer roll back: {reason}",
        }
        yield sentences.get(view["phase"], f"{timer} is armed but does not run, so it will not roll back: arm it again")


def unit_name(set_name: str) -> str:
    """Return the name of the unit that runs the timer of a snapset."""
    return f"safepoint-lvm-timer-{set_name}.service"


def status_path(set_name: str) -> str:
    """Return the path of the file in which the program says what it does in the present boot."""
    return f"{RUN_DIRECTORY}/timer-{set_name}"


def motd_path(set_name: str) -> str:
    """Return the path of the message of the day while a timer is armed (pam_motd(8))."""
    return f"/run/motd.d/safepoint-lvm-{set_name}"
