# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and dates, as users write and read them. Values only; private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

_FORM = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Duration:
    """A duration in seconds, and the text that the user wrote."""

    seconds: int
    text: str


def parse_duration(text: str) -> Duration | None:
    """Parse a number of seconds, or a number with s, m, h or d. None if ``text`` is not a valid duration."""
    match = _FORM.fullmatch(text)
    return Duration(int(match[1]) * _SECONDS[match[2]], text) if match else None


def format_age(seconds: int) -> str:
    """An age in hours and minutes, for messages."""
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def iso_date(seconds: int) -> str:
    """Seconds since the epoch as an ISO 8601 date in UTC."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()
