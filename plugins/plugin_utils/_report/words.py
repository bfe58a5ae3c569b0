# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes, times and percentages as people read them. Pure; private to this collection."""

from __future__ import annotations

from .shapes import epoch

_STEP = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_MANY_DAYS = 10


def size(count: int | None) -> str:
    """Return a number of bytes as `2.5 GiB`; empty for None."""
    if count is None:
        return ""
    value, units = float(count), list(_UNITS)
    while value >= _STEP and len(units) > 1:
        value, units = value / _STEP, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def percent(value: float | None) -> str:
    """Return a percentage as `12.5 %`; empty for None."""
    return "" if value is None else f"{value:.1f} %"


def span(seconds: int) -> str:
    """Return a number of seconds in its largest unit, and in two if that is less than ten days: `2 d 3 h`."""
    days, rest = divmod(max(0, seconds), _DAY)
    hours, minutes = rest // _HOUR, rest % _HOUR // _MINUTE
    if days:
        return f"{days} d" if days >= _MANY_DAYS or not hours else f"{days} d {hours} h"
    if hours:
        return f"{hours} h" if not minutes else f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{max(0, seconds)} s"


def moment(iso: str | None) -> str:
    """Return a moment in UTC as `2026-11-28 13:22`; empty for None."""
    return "" if iso is None else iso[:16].replace("T", " ")


def moment_with_age(iso: str | None, now: int) -> str:
    """Return a moment and how far it is from ``now``, in seconds since the epoch: `2026-11-28 13:22 (3 h ago)`."""
    if iso is None:
        return ""
    passed = now - epoch(iso)
    return f"{moment(iso)} ({span(passed)} ago)" if passed >= 0 else f"{moment(iso)} (in {span(-passed)})"
