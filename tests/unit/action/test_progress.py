# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress line of a rollback."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.safepoint.lvm.plugins.plugin_utils import _progress
from ansible_collections.safepoint.lvm.plugins.plugin_utils._progress import Sample

MIB = 1024 * 1024
# Two hours east of UTC: the line uses the time zone of the controller.
NOW = datetime(2026, 11, 27, 14, 30, 0, tzinfo=timezone(timedelta(hours=2)))


def member(state: str, percent: float | None = None, *, mounted: str = "/", size: int = 1000 * MIB) -> dict[str, Any]:
    mountpoints = [mounted] if mounted else []
    return {
        "vg": "data",
        "origin": "db",
        "mountpoints": mountpoints,
        "state": state,
        "merge_percent": percent,
        "size": size,
    }


def snapset(*members: dict[str, Any]) -> dict[str, Any]:
    return {"members": list(members)}


def test_only_merges_that_run_have_something_left() -> None:
    found = snapset(member("merging", 75), member("merging"), member("merge_pending", None), member("rolled_back"))
    assert _progress.left_to_merge(found) == 250 * MIB


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], None),
        ([Sample(0, 100)], None),
        ([Sample(0, 100), Sample(10, 50)], 5),
        ([Sample(0, 100), Sample(10, 100)], None),
        # The sum can grow: a merge that starts is added to it.
        ([Sample(0, 100), Sample(10, 300)], None),
        # A merge that was fast at first and is slow now ends late.
        ([Sample(0, 10_000), Sample(10, 2_000), Sample(100, 1_100), Sample(200, 100)], 10),
    ],
)
def test_the_rate_is_that_of_the_last_two_minutes(samples: list[Sample], expected: float | None) -> None:
    assert _progress.rate(samples) == expected


def test_a_line_has_state_percent_rate_and_end() -> None:
    found = snapset(member("merging", 43.4), member("merge_pending", mounted="/var"), member("rolled_back", mounted=""))
    samples = [Sample(0, 600 * MIB), Sample(10, 500 * MIB)]
    assert _progress.describe(found, samples, NOW) == (
        "/ merging 43%, /var merge pending, data/db rolled back; 10.0 MiB/s; expected end 14:30:50 (in 50 s)"
    )


def test_a_line_without_a_rate_promises_nothing() -> None:
    assert _progress.describe(snapset(member("merging", 0.2)), [Sample(0, 5)], NOW) == "/ merging 0%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (3569, "59 min"), (3600, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_durations(seconds: int, text: str) -> None:
    assert _progress.duration(seconds) == text


@pytest.mark.parametrize(
    ("elapsed", "remaining", "least", "advised", "expected"),
    [
        (0, 100, 5, 0, 5),
        (0, 100, 5, 20, 20),
        (80, 100, 5, 2, 20),
        (4000, 3000, 5, 2, 60),
        (4000, 3000, 90, 2, 90),
        (80, 7, 5, 30, 7),
        (80, 0.2, 0, 0, 1),
    ],
)
def test_pauses(elapsed: float, remaining: float, least: float, advised: float, expected: float) -> None:
    assert _progress.pause(elapsed=elapsed, remaining=remaining, least=least, advised=advised) == expected
