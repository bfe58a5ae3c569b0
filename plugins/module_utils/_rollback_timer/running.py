# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read whether systemd runs a rollback timer, and what its program says. Private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import FilesFailed
from .._host.process import run_tool
from .._host.reading import read
from .._paths import SYSTEMD
from .timers import parse_status, status_path, unit_name, with_status

if TYPE_CHECKING:
    from .timers import TimerStatus

UNITS = Path("/etc/systemd/system")
WANTED_BY = "sysinit.target.wants"


def with_program(view: dict[str, Any]) -> dict[str, Any]:
    """Return the view of a timer with what its program says, and whether it is running."""
    return with_status(view, read_status(view["name"]), runs=runs(view["name"]))


def read_status(name: str) -> TimerStatus | None:
    """Return what the program says in the present boot; None if it has not started or is of an older release."""
    return parse_status(read(status_path(name)))


def runs(name: str) -> bool:
    """Whether the unit is active, and will be started again at the next boot."""
    return (UNITS / WANTED_BY / unit_name(name)).exists() and is_active(name)


def is_active(name: str) -> bool:
    """Whether the unit is active."""
    if not SYSTEMD.is_dir():
        return False
    try:
        run_tool("systemctl", "is-active", "--quiet", unit_name(name))
    except FilesFailed:
        return False
    return True
