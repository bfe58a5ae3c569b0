# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the health of a host with a baseline. Pure; private to this collection.

The function ``judge`` of the health program comes to the same verdict by the assertions that are made from the
baseline (``assertions``). A test gives both the same observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .baseline import is_compared
from .gate import IGNORED, REQUIRED
from .observation import OK
from .rules import ANY, NEEDED, STEADY, UNWANTED, demanded, grown, known_keys
from .words import NOTHING, is_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .baseline import Baseline
    from .gate import Level
    from .observation import Observation

Verdict = Literal["failure", "warning", "accepted", "note"]
GATE = "gate"
"""Stands for the gate itself, where a probe is named."""


@dataclass(frozen=True)
class Difference:
    """One difference: probe and key, the value before and now. A hyphen is the value of what is not there."""

    probe: str
    key: str
    before: str
    now: str
    verdict: Verdict

    def to_result(self) -> dict[str, str]:
        """The difference as results show it."""
        about = {"check": self.probe, "key": self.key, "before": self.before, "now": self.now}
        return {**about, "verdict": self.verdict}

    def __str__(self) -> str:
        return f"{self.probe} {self.key}: was {self.before}, is {self.now}"


def is_accepted(accept: Sequence[str], probe: str, key: str) -> bool:
    """Whether a difference is in the list of the user: ``PROBE KEY``, or the beginning of that and an asterisk."""
    text = f"{probe} {key}"
    return any(text.startswith(one[:-1]) if one.endswith(ANY) else text == one for one in accept)


def accept_problem(text: str) -> str | None:
    """Why ``text`` cannot be an item of that list; None if it can."""
    probe, _blank, key = text.partition(" ")
    if probe in (*NEEDED, *UNWANTED, *STEADY) and (key == ANY or is_word(key.removesuffix(ANY))):
        return None
    return (
        f"{text!r} is not a difference: use the check and the key as a comparison shows them, with a blank between "
        "them, for example 'failed_units foo.service' or 'listeners udp/*'"
    )


def differences(
    baseline: Baseline, accept: Sequence[str], first: Observation, now: Observation
) -> tuple[Difference, ...]:
    """Everything that differs now from the baseline. ``first`` is the look with which this time of rest began."""
    if not now.whole:
        return (Difference(GATE, "observation", "whole", "cut_off", "failure"),)
    found = list(_judged(baseline, accept, first, now))
    named = {(one.probe, one.key) for one in found}
    return (*found, *(one for one in _notes(baseline, now) if (one.probe, one.key) not in named))


def _judged(baseline: Baseline, accept: Sequence[str], first: Observation, now: Observation) -> Iterator[Difference]:
    looks = baseline.looks
    for probe, check, level in baseline.gate.subjects():
        if not check and not is_compared(baseline, probe):
            continue
        rule = _needs if probe in NEEDED else _unwanted if probe in UNWANTED else _counters
        found: Iterator[Difference]
        if check:
            found = _need(looks, now, probe, check, level)
        elif now.status(probe) != OK:
            found = iter([Difference(probe, NOTHING, OK, now.status(probe), _verdict(level))])
        else:
            found = rule(looks, first, now, probe, level)
        for one in found:
            yield _with_accepted(one, accept)


def _with_accepted(one: Difference, accept: Sequence[str]) -> Difference:
    if not is_accepted(accept, one.probe, one.key):
        return one
    return Difference(one.probe, one.key, one.before, one.now, "accepted")


def _verdict(level: Level) -> Verdict:
    return "failure" if level == REQUIRED else "warning"


def _needs(
    looks: tuple[Observation, Observation], _first: Observation, now: Observation, probe: str, level: Level
) -> Iterator[Difference]:
    for key in sorted(looks[1].of_probe(probe)):
        yield from _need(looks, now, probe, key, level)


def _need(
    looks: tuple[Observation, Observation], now: Observation, probe: str, key: str, level: Level
) -> Iterator[Difference]:
    pairs = demanded(*looks, probe, key)
    found = [(now.facts.get((probe, one)), value) for one, value in pairs]
    if pairs and not any(there is not None and value in (ANY, there) for there, value in found):
        before, after = looks[1].facts[probe, key], now.facts.get((probe, key), NOTHING)
        yield Difference(probe, key, before, after, _verdict(level))


def _unwanted(
    looks: tuple[Observation, Observation], _first: Observation, now: Observation, probe: str, level: Level
) -> Iterator[Difference]:
    known = known_keys(*looks, probe)
    for key, value in sorted(now.of_probe(probe).items()):
        if key not in known:
            yield Difference(probe, key, NOTHING, value, _verdict(level))


def _counters(
    looks: tuple[Observation, Observation], first: Observation, now: Observation, probe: str, level: Level
) -> Iterator[Difference]:
    known = known_keys(*looks, probe)
    for key, value in sorted(now.of_probe(probe).items()):
        before = first.facts.get((probe, key), "0")
        if key not in known and grown(before, value):
            yield Difference(probe, key, before, value, _verdict(level))


def _notes(baseline: Baseline, now: Observation) -> Iterator[Difference]:
    """Yield what differs without being worse, for people who want to know what the change has changed."""
    before = baseline.looks[1].facts
    for probe, key in sorted({*before, *now.facts}):
        values = [one.get((probe, key), NOTHING) for one in (before, now.facts)]
        if probe not in STEADY and values[0] != values[1] and baseline.gate.levels.get(probe) != IGNORED:
            yield Difference(probe, key, values[0], values[1], "note")


def outcomes(baseline: Baseline, found: Sequence[Difference]) -> list[dict[str, Any]]:
    """The outcome of each probe and of each check of the user, with what differs there."""
    return [
        {"check": probe, "key": key, "level": level, **_outcome(baseline, found, probe, key)}
        for probe, key, level in baseline.gate.subjects()
    ]


def _outcome(baseline: Baseline, found: Sequence[Difference], probe: str, key: str) -> Mapping[str, Any]:
    mine = [one for one in found if one.probe == probe and (not key or one.key == key)]
    bad = [one for one in mine if one.verdict in ("failure", "warning")]
    if bad:
        outcome = "failed" if bad[0].verdict == "failure" else "warned"
    elif not _was_compared(baseline, probe, key):
        outcome = "not_compared"
    else:
        outcome = "passed"
    return {"outcome": outcome, "differences": [str(one) for one in mine if one.verdict != "note"]}


def _was_compared(baseline: Baseline, probe: str, key: str) -> bool:
    return bool(demanded(*baseline.looks, probe, key)) if key else is_compared(baseline, probe)
