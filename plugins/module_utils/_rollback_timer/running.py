# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read whether systemd runs a rollback timer. Private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._errors import FilesFailed
from .._host.process import run_tool
from .timers import running_mark, unit_name

UNITS = Path("/etc/systemd/system")
WANTED_BY = "sysinit.target.wants"
SYSTEMD = Path("/run/systemd/system")
"""Exists if systemd booted the host (sd_booted(3))."""


def with_running(view: dict[str, Any]) -> dict[str, Any]:
    """Return the view of a timer with the key ``running``: whether its program is watching."""
    return {**view, "running": view["state"] == "armed" and is_running(view["name"])}


def is_running(name: str) -> bool:
    """Whether the program is watching, and will be started again at the next boot."""
    enabled = UNITS / WANTED_BY / unit_name(name)
    return enabled.exists() and Path(running_mark(name)).exists() and is_active(name)


def is_active(name: str) -> bool:
    """Whether the unit is active."""
    if not SYSTEMD.is_dir():
        return False
    try:
        run_tool("systemctl", "is-active", "--quiet", unit_name(name))
    except FilesFailed:
        return False
    return True
