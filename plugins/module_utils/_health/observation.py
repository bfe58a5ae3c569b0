# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the health program has observed, as a value. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

Fact = tuple[str, str]

_HEADER = "safepoint-health 1"
OK = "ok"


@dataclass(frozen=True)
class Observation:
    """``facts`` are values by probe and key, as words. ``ended`` is how each probe has ended: a status and a detail.

    It is not ``whole`` if its text was cut off.
    """

    facts: Mapping[Fact, str] = field(default_factory=dict)
    ended: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    whole: bool = True

    def of_probe(self, probe: str) -> dict[str, str]:
        """The values of one probe, or of one kind of the user's checks, by key."""
        return {key: value for (its, key), value in self.facts.items() if its == probe}

    def status(self, probe: str) -> str:
        """How a probe has ended; a hyphen if it is not there."""
        return self.ended.get(probe, (NOTHING, NOTHING))[0]


def parse_observation(text: str) -> Observation:
    """Parse what the program writes (docs/health.md). Of two facts with the same key the first one counts."""
    lines = text.rstrip("\n").split("\n")
    facts: dict[Fact, str] = {}
    ended: dict[str, tuple[str, str]] = {}
    for line in lines:
        kind, *words = line.split(" ", 3)
        if kind == "fact" and len(words) == len(("probe", "key", "value")):
            facts.setdefault((words[0], words[1]), words[2])
        elif kind == "probe" and len(words) == len(("probe", "status", "detail")):
            ended.setdefault(words[0], (words[1], words[2]))
    return Observation(facts, ended, whole=lines[0] == _HEADER and lines[-1] == "end")
