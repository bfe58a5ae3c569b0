# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in a few lines for the console. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fleet import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .fleet import Fleet

_ROWS, _REASONS = 20, 10


def lines(fleet: Fleet, files: Iterable[str]) -> list[str]:
    """Return the counts, the reasons that several hosts have, the worst hosts, and where the files are."""
    counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in fleet.outcomes().items())
    return [
        f"{len(fleet.rows)} hosts: {counts}" if fleet.rows else "no hosts",
        *_reasons(fleet),
        *_hosts(fleet),
        *(f"report: {file}" for file in files),
    ]


def _reasons(fleet: Fleet) -> Iterator[str]:
    shared = [one for one in fleet.groups if one.level != "note" and len(one.places) > 1]
    yield from (f"{len(one.places)} hosts: {one.reason}" for one in shared[:_REASONS])


def _hosts(fleet: Fleet) -> Iterator[str]:
    rows = [row for row in fleet.rows if row.level != "good"]
    yield from (f"{row.name}: {sentence(row)}" for row in rows[:_ROWS])
    if len(rows) > _ROWS:
        yield f"and {len(rows) - _ROWS} more hosts that need attention"
