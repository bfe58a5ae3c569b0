# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations, as users write and read them."""

from __future__ import annotations

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._durations import Duration, format_age, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == Duration(seconds, text)


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5h", "1 h", "1w", "1H", "30m\n", "\u0661m", "1" * 10])
def test_invalid_durations(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 h 0 min"), (3599, "0 h 59 min"), (90000, "25 h 0 min")])
def test_ages(seconds: int, words: str) -> None:
    assert format_age(seconds) == words
