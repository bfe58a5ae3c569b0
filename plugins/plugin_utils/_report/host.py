# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report knows of one host: the facts `safepoint_report` and `safepoint_outcome`. Pure; private.

The shapes below are the schema of both facts and of the JSON report, and docs/fleets.schema.json says the same. If a
field changes its meaning, the number of the schema grows. New fields do not change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .shapes import Each, Flag, Moment, Notes, Number, Record, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
"""The version of the facts and of the JSON report."""

LOOK_FACT = "safepoint_report"
OUTCOME_FACT = "safepoint_outcome"

# In characters, for all that is known of a host. A usual host has about a thousand.
_BUDGET = 24_000
_SENTENCE = Text(400)
_REMARKS = Each(_SENTENCE, 20)
_WORD = Text(40)
_PERCENT = Number(whole=False)
_SIZE = Number()

_MEMBER = Record(
    {
        "vg": Text(),
        "origin": Text(),
        "snapshot": Text(),
        "kind": _WORD,
        "state": _WORD,
        "mountpoints": Each(Text(), 8),
        "size": _SIZE,
        "used_percent": _PERCENT,
        "merge_percent": _PERCENT,
        "auto_basis": _WORD,
    }
)
_SNAPSET = Record(
    {
        "name": Text(),
        "id": _WORD,
        "state": _WORD,
        "created": Moment(),
        "rolled_back_at": Moment(),
        "expires": Moment(),
        "owner": Text(),
        "reason": Text(),
        "series": Text(),
        "members": Each(_MEMBER, 64),
    }
)
_TIMER = Record(
    {
        "name": Text(),
        "state": _WORD,
        "running": Flag(),
        "phase": _WORD,
        "reason": _SENTENCE,
        "deadline": Moment(),
        "fired_at": Moment(),
    }
)
_UNPROTECTED = Record(
    {
        "mountpoint": Text(),
        "fstype": _WORD,
        "vg": Text(),
        "lv": Text(),
        "protectable": Flag(),
        "reason": _SENTENCE,
        "system": Flag(),
        "boot": Flag(),
    }
)
_UNMANAGED = Record(
    {
        "vg": Text(),
        "snapshot": Text(),
        "origin": Text(),
        "kind": _WORD,
        "size": _SIZE,
        "used_percent": _PERCENT,
        "state": _WORD,
    }
)

LOOK = Record(
    {
        "schema": Number(),
        "looked_at": Moment(),
        "host_id": _WORD,
        "warnings": Each(_SENTENCE, 30),
        "snapsets": Each(_SNAPSET, 40),
        "rollback_timers": Each(_TIMER, 20),
        "boot_backups": Each(
            Record({"name": Text(), "state": _WORD, "vg": Text(), "volume": Text(), "size": _SIZE}), 20
        ),
        "boot_entries": Each(Record({"name": Text(), "kernel": Text(), "next_boot": Flag()}), 20),
        "booted_from": Record({"name": Text(), "id": _WORD}),
        "volume_groups": Each(Record({"name": Text(), "size": _SIZE, "free": _SIZE, "partial": Flag()}), 40),
        "thin_pools": Each(
            Record(
                {"vg": Text(), "pool": Text(), "size": _SIZE, "data_percent": _PERCENT, "metadata_percent": _PERCENT}
            ),
            40,
        ),
        "protected": Number(),
        "unprotected": Each(_UNPROTECTED, 60),
        "unmanaged_snapshots": Each(_UNMANAGED, 40),
        "foreign": Each(Record({"name": Text(), "host": _WORD, "vgs": Each(Text(), 8)}), 20),
        "copies": Each(Record({"vg": Text(), "original": Text(), "snapsets": Each(Text(), 8)}), 20),
        "left_out": _REMARKS,
        "wrong": _REMARKS,
    }
)
_DIFFERENCE = Record({"check": Text(), "required": Flag(), "difference": _SENTENCE})
OUTCOME = Record(
    {
        "schema": Number(),
        "outcome": _WORD,
        "reason": _SENTENCE,
        "run": Text(),
        "wave": Text(),
        "step": Text(),
        "began": Moment(),
        "ended": Moment(),
        "gate": Each(_DIFFERENCE, 30),
        "evidence": Text(400),
    }
)


@dataclass(frozen=True)
class Known:
    """A checked fact: None if the host has none of this schema. ``problem`` says why it could not be used."""

    fact: dict[str, Any] | None
    problem: str | None = None


def condense(info: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Make the fact of a host from a result of snapset_info. ``now`` is in seconds since the epoch."""
    coverage = _coverage(info.get("coverage"))
    unprotected = [one for one in coverage if not one.get("snapsets")]
    return _accept_look(
        {
            **info,
            "schema": SCHEMA,
            "looked_at": now,
            "warnings": info.get("remarks"),
            "protected": len(coverage) - len(unprotected),
            "unprotected": unprotected,
            "left_out": None,
            "wrong": None,
        }
    )


def known_look(fact: Any) -> Known:
    """Check the fact `safepoint_report`, as it comes from the host or from a cache."""
    return _known(fact, LOOK_FACT)


def known_outcome(fact: Any) -> Known:
    """Check the fact `safepoint_outcome`."""
    return _known(fact, OUTCOME_FACT)


def _known(fact: Any, name: str) -> Known:
    if fact is None:
        return Known(None)
    if not isinstance(fact, dict) or fact.get("schema") is None:
        return Known(None, f"the fact {name} is not what this collection writes")
    if fact["schema"] != SCHEMA:
        return Known(None, f"the fact {name} has another schema than {SCHEMA}: look at the host again")
    if name == LOOK_FACT:
        return Known(_accept_look(fact))
    notes = Notes(_BUDGET)
    return Known(OUTCOME.accept(fact, "", notes), f"in {name}, {notes.wrong[0]}" if notes.wrong else None)


def _accept_look(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check a look. A checked one stays as it is: its remarks do not count for the budget."""
    notes = Notes(_BUDGET)
    clean: dict[str, Any] = LOOK.accept({**raw, "left_out": None, "wrong": None}, "", notes) or {}
    for name, new in (("left_out", notes.cut), ("wrong", notes.wrong)):
        earlier = _REMARKS.accept(raw.get(name), name, Notes(_BUDGET))
        clean[name] = _REMARKS.accept([*earlier, *new], name, Notes(_BUDGET))
    return clean


def _coverage(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, (list, tuple)) else []
