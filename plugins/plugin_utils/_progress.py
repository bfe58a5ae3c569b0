# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a rollback is, in one line for people. Pure; private to this collection.

It reads the result `snapset` of the module of that name, and knows nothing of LVM, hosts or connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MIB = 1024 * 1024
# Long enough to even out a busy disk, short enough to notice that it is slower now. In seconds.
_WINDOW = 120


@dataclass(frozen=True)
class Sample:
    """What was left to be merged, in bytes, at a moment in seconds of any clock that does not jump."""

    moment: float
    left: float


def left_to_merge(snapset: Mapping[str, Any]) -> float:
    """The bytes that running merges still have to copy.

    Only thick merges copy anything. Their used percentage falls to 0 (lvs(8)), and `merge_percent` is 100 minus that.
    """
    running = [one for one in snapset["members"] if one["state"] == "merging" and one["merge_percent"] is not None]
    return float(sum((one["size"] or 0) * (100 - one["merge_percent"]) / 100 for one in running))


def rate(samples: Sequence[Sample]) -> float | None:
    """Bytes per second in the last two minutes; None when nothing was copied in that time."""
    if not samples:
        return None
    last = samples[-1]
    first = next(one for one in samples if last.moment - one.moment <= _WINDOW)
    copied, seconds = first.left - last.left, last.moment - first.moment
    return copied / seconds if copied > 0 and seconds > 0 else None


def describe(snapset: Mapping[str, Any], samples: Sequence[Sample], now: datetime) -> str:
    """The state of each member, then how fast it goes and when it should end, in the time zone of `now`."""
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
    """A time for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 2 * 60:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def pause(*, elapsed: float, remaining: float, least: float, advised: float) -> float:
    """How many seconds to wait before the next look.

    A quarter of the time that has passed, so that a long merge is looked at rarely and a short one often; at most a
    minute, at least `least` and what the module advised, but not longer than what is left.
    """
    wanted = max(least, advised, min(elapsed / 4, 60))
    return max(1, min(wanted, remaining))
