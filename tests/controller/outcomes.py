# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the results of a call on all its hosts."""

from __future__ import annotations

import time
from typing import Any, Callable

Result = dict[str, Any]
Results = dict[str, Result]
# Small volumes roll back in a second; busy machines take longer.
MERGE_SECONDS = 120


def ok(results: Results, *, changed: bool) -> list[Result]:
    """The results of all hosts, if none has failed and all have changed something, or none has."""
    assert results
    assert [name for name, result in results.items() if result.get("failed")] == [], results
    assert {name: result["changed"] for name, result in results.items()} == dict.fromkeys(results, changed), results
    return list(results.values())


def same(values: list[Any]) -> Any:
    """The one value that all hosts have returned."""
    assert values == [values[0]] * len(values)
    return values[0]


def twice(once: Callable[[], Results]) -> list[Result]:
    """The results of all hosts, for a call that changes something the first time and nothing the second time."""
    first = ok(once(), changed=True)
    ok(once(), changed=False)
    return first


def rolled_back(merge: Callable[[], Results], what: str) -> None:
    """Request the merges repeatedly, as the role does, until every host reports that they have ended."""
    end = time.monotonic() + MERGE_SECONDS
    states: set[str] = set()
    while states != {"rolled_back"}:
        assert time.monotonic() < end, states
        results = merge()
        assert [result for result in results.values() if result.get("failed")] == []
        states = {result[what]["state"] for result in results.values()}
