# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All hosts of a report: one row for each, the worst first, and what they have in common. Pure; private."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .findings import (
    FINDING_LEVELS,
    LEVELS,
    NOT_LOOKED,
    OUTCOMES,
    Finding,
    findings,
    findings_of_outcome,
    level_of,
    outcome_of_look,
    rank_of,
)
from .host import known_look, known_outcome
from .shapes import iso
from .text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME, SENTENCE = 200, 400
"""How many characters of a host's name and of an error are shown."""

FAIL_ON = ("not_looked", "bad", "attention", *OUTCOMES)
"""What `fail_on` can name: hosts of which nothing new is known, hosts of a level, or hosts with an outcome."""


@dataclass(frozen=True)
class Visit:
    """What a run has of a host: its two facts, and the result of looking at it, if it did. Nothing of it is checked.

    ``looked`` is a registered result: a dictionary with `failed`, `unreachable`, `skipped` and `msg`.
    """

    name: str
    look: Any = None
    outcome: Any = None
    looked: Any = None


@dataclass(frozen=True)
class Row:
    """A host in the report. ``look`` and ``outcome_fact`` are checked facts; ``name`` is as it is shown."""

    host: str
    name: str
    outcome: str
    findings: tuple[Finding, ...]
    look: dict[str, Any] | None
    outcome_fact: dict[str, Any] | None

    @property
    def level(self) -> str:
        """How bad it is: `bad`, `attention` or `good`."""
        levels = [level_of(self.outcome), *(one.level for one in self.findings if one.level != "note")]
        return min(levels, key=LEVELS.index)

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """The findings that make it as bad as it is, or all of them if none does."""
        worst = tuple(one for one in self.findings if one.level == self.level)
        return worst or self.findings


@dataclass(frozen=True)
class Group:
    """A reason that several hosts have: its level, the text of the first of them, and their places in the report."""

    level: str
    reason: str
    places: tuple[int, ...]


@dataclass(frozen=True)
class Fleet:
    """The hosts, the worst first. ``made_at`` is in seconds since the epoch."""

    title: str
    made_at: int
    rows: tuple[Row, ...]

    @property
    def made(self) -> str:
        """When the report was made, in ISO 8601 and UTC."""
        return iso(self.made_at)

    def outcomes(self) -> dict[str, int]:
        """Return how many hosts have each outcome, the worst first."""
        counts = Counter(row.outcome for row in self.rows)
        return dict(sorted(counts.items(), key=lambda item: (rank_of(item[0]), item[0])))

    def levels(self) -> dict[str, int]:
        """Return how many hosts have each level, the worst first."""
        counts = Counter(row.level for row in self.rows)
        return {level: counts[level] for level in LEVELS}

    @cached_property
    def groups(self) -> list[Group]:
        """The reasons, the worst first, then those that the most hosts have. Texts may differ in numbers."""
        found: dict[tuple[str, str], tuple[str, dict[int, None]]] = {}
        for place, row in enumerate(self.rows):
            for one in row.findings:
                key = (one.level, re.sub(r"\d+", "#", one.reason))
                found.setdefault(key, (one.reason, {}))[1][place] = None
        groups = [Group(level, text, tuple(places)) for (level, _key), (text, places) in found.items()]
        return sorted(groups, key=lambda group: (FINDING_LEVELS.index(group.level), -len(group.places), group.reason))

    def not_as_wanted(self, fail_on: Sequence[str]) -> dict[str, str]:
        """Return the hosts that ``fail_on`` names, each with the reason in one sentence. The names are unchanged."""
        return {row.host: sentence(row) for row in self.rows if _is_named(row, fail_on)}


def make_fleet(title: str, visits: Iterable[Visit], now: int) -> Fleet:
    """Make the report at a moment in seconds since the epoch. Nothing that a host has sent makes this fail."""
    rows = [_row(visit, now) for visit in visits]
    return Fleet(visible(title, NAME), now, tuple(sorted(rows, key=_order)))


def sentence(row: Row) -> str:
    """Return the outcome of a host and the worst that was found, in one line."""
    words = [row.outcome.replace("_", " "), *(text_of(one) for one in row.reasons[:1])]
    more = len(row.reasons) - 1
    return ": ".join(words) + (f" (and {more} more)" if more > 0 else "")


def text_of(finding: Finding) -> str:
    """Return a finding with its details."""
    return f"{finding.reason} ({finding.detail})" if finding.detail else finding.reason


def _row(visit: Visit, now: int) -> Row:
    look, outcome = known_look(visit.look), known_outcome(visit.outcome)
    not_looked = _not_looked(visit, known=bool(look.fact or outcome.fact))
    problems = [Finding("bad", problem) for problem in (look.problem, outcome.problem) if problem]
    candidates = [not_looked[0]] if not_looked else []
    found = [not_looked[1], *problems] if not_looked else problems
    if outcome.fact:
        candidates.append(outcome.fact["outcome"] or "unknown")
        found += findings_of_outcome(outcome.fact)
    if look.fact:
        found += findings(look.fact, now)
        state = outcome_of_look(look.fact, now)
        # What a change has reported says more than the state of the snapsets, unless that is worse.
        if not outcome.fact or level_of(state) == "bad":
            candidates.append(state)
    word = min(candidates, key=rank_of, default="unknown")
    found.sort(key=lambda one: FINDING_LEVELS.index(one.level))
    return Row(visit.name, visible(visit.name, NAME), word, tuple(found), look.fact, outcome.fact)


def _not_looked(visit: Visit, *, known: bool) -> tuple[str, Finding] | None:
    """Return the outcome and the finding of a host that this run could not look at, or of which nothing is known."""
    looked = visit.looked if isinstance(visit.looked, dict) else {}
    message = looked.get("msg")
    why = visible(message, SENTENCE) if isinstance(message, str) else ""
    if looked.get("unreachable") is True:
        return "unreachable", Finding("bad", "the host cannot be reached", why)
    if looked.get("failed") is True:
        return "look_failed", Finding("bad", "cannot look at the host", why)
    if known:
        return None
    return "unknown", Finding("bad", "nothing is known: no run has looked at this host")


def _is_named(row: Row, fail_on: Sequence[str]) -> bool:
    names = {row.outcome, row.level, *(["not_looked"] if row.outcome in NOT_LOOKED else [])}
    # Who asks for hosts that need attention does not want to miss those that are bad.
    names |= {"attention"} if row.level == "bad" else set()
    return bool(names & set(fail_on))


def _order(row: Row) -> tuple[Any, ...]:
    # The same name with other numbers is in the order of the numbers: web2 before web10.
    parts = re.split(r"(\d+)", row.name.casefold())
    natural = [
        (len(part.lstrip("0")), part.lstrip("0")) if index % 2 else (0, part) for index, part in enumerate(parts)
    ]
    return (LEVELS.index(row.level), rank_of(row.outcome), natural, row.name, row.host)
