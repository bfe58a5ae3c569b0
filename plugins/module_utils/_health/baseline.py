# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of a host before a change, as it is recorded. Pure; private to this collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._durations import iso_date
from .gate import REQUIRED, Gate, gate_of
from .observation import OK, Observation, parse_observation
from .rules import NEEDED, STEADY, accepted_pairs, known_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = 1


@dataclass(frozen=True)
class Baseline:
    """What was seen in two looks, ``first`` and ``second``, each as the program has written it.

    ``recorded`` is the time in seconds since the epoch, ``boot`` the ID of the boot.
    """

    name: str
    recorded: int
    boot: str
    gate: Gate
    first: str
    second: str

    @property
    def looks(self) -> tuple[Observation, Observation]:
        """Both looks."""
        return parse_observation(self.first), parse_observation(self.second)

    def to_json(self) -> str:
        """The baseline as the text of its file."""
        looks = {"first": self.first, "second": self.second}
        about = {"version": _VERSION, "name": self.name, "recorded": self.recorded, "boot": self.boot}
        return json.dumps({**about, "gate": self.gate.to_data(), **looks}, indent=1) + "\n"

    def to_result(self, path: str) -> dict[str, Any]:
        """The baseline as results show it."""
        ill = [f"{probe} {key}".rstrip() for probe, key, _why in ill_before(self)]
        return {
            "name": self.name,
            "state": "recorded",
            "path": path,
            "recorded_at": iso_date(self.recorded),
            "boot_id": self.boot,
            "not_compared": ill,
            "facts": shown_facts(self.looks[1]),
        }


def shown_facts(observation: Observation) -> list[str]:
    """The facts of a look as lines: probe, key, value. Counters of restarts belong to a boot, and are left out."""
    facts = observation.facts.items()
    return sorted(f"{probe} {key} {value}" for (probe, key), value in facts if probe not in STEADY)


def baseline_of(text: str) -> Baseline | None:
    """The baseline in the text of a file, or None if it is not one, or not of this version."""
    try:
        data = json.loads(text)
        if data["version"] != _VERSION:
            return None
        texts = {key: str(data[key]) for key in ("name", "boot", "first", "second")}
        return Baseline(recorded=int(data["recorded"]), gate=gate_of(data["gate"]), **texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def is_compared(baseline: Baseline, probe: str) -> bool:
    """Whether the baseline has what is needed to compare a probe."""
    return all(look.status(probe) == OK for look in baseline.looks)


def ill_before(baseline: Baseline) -> Iterator[tuple[str, str, str]]:
    """Yield what is ill in the baseline, and therefore no failure later: probe, key (empty for a probe), why."""
    first, second = baseline.looks
    for probe, key, _level in baseline.gate.subjects():
        if not key and not is_compared(baseline, probe):
            yield probe, "", second.status(probe) if first.status(probe) == OK else first.status(probe)
        elif not key and probe not in NEEDED:
            yield from ((probe, one, second.facts.get((probe, one), OK)) for one in known_keys(first, second, probe))
        else:
            for look in (first, second):
                found = {key: look.facts.get((probe, key), "-")} if key else look.of_probe(probe)
                ill = {one: value for one, value in found.items() if not accepted_pairs(probe, one, value)}
                yield from ((probe, one, value) for one, value in ill.items())
                if ill:
                    break


def recording_problems(baseline: Baseline) -> Iterator[str]:
    """Yield why the baseline must not be used: a required probe or check could not be run at all."""
    first, second = baseline.looks
    if not (first.whole and second.whole):
        yield "the health program was cut off: run this again"
    for probe in baseline.gate.probes:
        if baseline.gate.levels[probe] == REQUIRED:
            failed = [look.ended[probe] for look in (first, second) if look.status(probe) != OK and probe in look.ended]
            yield from (_problem(probe, *ended) for ended in dict.fromkeys(failed))
    for check in baseline.gate.run_checks:
        if check.level == REQUIRED and "missing" in [
            look.facts.get((check.kind, check.key)) for look in (first, second)
        ]:
            yield (
                f"{check.kind} {check.key}: a program that it needs is missing. Install it, correct the check, or "
                "set its level to warned"
            )
    if second.facts.get(("boot", "system")) in ("initializing", "starting", "stopping"):
        yield "the host has not finished starting: wait, or raise deadline"


def _problem(probe: str, status: str, detail: str) -> str:
    why = {
        "missing": f"{detail} is missing: install it",
        "timeout": f"it has not ended within {detail} s: raise probe_timeout",
        "too_much": f"it wrote more than {detail} bytes: clean up what it looks at",
    }.get(status, f"it failed with exit code {detail}: correct what it looks at")
    return f"{probe}: {why}, or list {probe} in warned or ignored".replace("\\x20", " ")
