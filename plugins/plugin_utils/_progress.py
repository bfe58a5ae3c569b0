# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Describe the progress of a rollback in one line. Pure; private to this collection.

It reads the result `snapset` of the module of that name. It knows nothing about LVM, hosts or connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MIB = 1024 * 1024
# In seconds: long enough to smooth the rate of a busy disk, short enough to notice that it slows down.
_WINDOW = 120


@dataclass(frozen=True)
class Sample:
    """The bytes left to merge at a moment, in seconds of a monotonic clock."""

    moment: float
    left: float


def left_to_merge(snapset: Mapping[str, Any]) -> float:
    """Return the number of bytes that running merges still have to copy.

    Only thick merges copy data. Their used percentage falls to 0 (lvs(8)), and `merge_percent` is 100 minus that.
    """
    running = [one for one in snapset["members"] if one["state"] == "merging" and one["merge_percent"] is not None]
    return float(sum((one["size"] or 0) * (100 - one["merge_percent"]) / 100 for one in running))


def rate(samples: Sequence[Sample]) -> float | None:
    """Return the bytes per second of the last two minutes; None if nothing was copied in that time."""
    if not samples:
        return None
    last = samples[-1]
    first = next(one for one in samples if last.moment - one.moment <= _WINDOW)
    copied, seconds = first.left - last.left, last.moment - first.moment
    return copied / seconds if copied > 0 and seconds > 0 else None


def describe(snapset: Mapping[str, Any], samples: Sequence[Sample], now: datetime) -> str:
    """Return the state of each member, the rate and the expected end, in the time zone of `now`."""
    parts = [", ".join(_member(one) for one in snapset["members"])]
    if speed := rate(samples):
        seconds = round(samples[-1].left / speed)
        parts.append(f"{speed / _MIB:.1f} MiB/s")
        parts.append(f"expected end {now + timedelta(seconds=seconds):%H:%M:%S} (in {duration(seconds)})")
    return "; ".join(parts)


def _member(member: Mapping[str, Any]) -> str:
    name = next(iter(member["mountpoints"]), f"{member['vg']}/{member['origin']}")
    percent = member["merge_percent"] if member["state"] == "merging" else None
    return f"{name} {member['state'].replace('_', ' ')}" + ("" if percent is None else f" {percent:.0f}%")


def duration(seconds: int) -> str:
    """Format a number of seconds for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 2 * 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def pause(*, elapsed: float, remaining: float, least: float, advised: float) -> float:
    """Return how many seconds to wait before the next poll.

    That is a quarter of the `elapsed` time, so that long merges are polled less often than short ones, but at most a
    minute. It is at least `least` and `advised`, the value from the module, but never longer than the `remaining` time.
    """
    seconds = max(least, advised, min(elapsed / 4, 60))
    return max(1, min(seconds, remaining))
