# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as JSON; docs/fleets.schema.json is its schema. Pure; private to this collection."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .host import LOOK, LOOK_FACT, OUTCOME, OUTCOME_FACT, SCHEMA
from .shapes import Each, Flag, Moment, Number, Record

if TYPE_CHECKING:
    from .fleet import Fleet, Row
    from .shapes import Shape


def document(fleet: Fleet) -> str:
    """Return the JSON, in ASCII."""
    value = {
        "schema": SCHEMA,
        "title": fleet.title,
        "made_at": fleet.made,
        "hosts_total": len(fleet.rows),
        "outcomes": fleet.outcomes(),
        "levels": fleet.levels(),
        "reasons": [
            {
                "level": one.level,
                "reason": one.reason,
                "count": len(one.places),
                "hosts": [fleet.rows[place].name for place in one.places],
            }
            for one in fleet.groups
        ],
        "hosts": [_host(row) for row in fleet.rows],
    }
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _host(row: Row) -> dict[str, Any]:
    return {
        "host": row.name,
        "level": row.level,
        "outcome": row.outcome,
        "findings": [asdict(one) for one in row.findings],
        LOOK_FACT: row.look,
        OUTCOME_FACT: row.outcome_fact,
    }


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the report, made of the shapes of the facts."""
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    counts = {"type": "object", "additionalProperties": count}
    finding = _object({"level": {"enum": ["bad", "attention", "note"]}, "reason": text, "detail": text})
    reason = _object(
        {"level": {"enum": ["bad", "attention", "note"]}, "reason": text, "count": count, "hosts": _list(text)}
    )
    host = _object(
        {
            "host": text,
            "level": {"enum": ["bad", "attention", "good"]},
            "outcome": text,
            "findings": _list(finding),
            LOOK_FACT: {"$ref": f"#/$defs/{LOOK_FACT}"},
            OUTCOME_FACT: {"$ref": f"#/$defs/{OUTCOME_FACT}"},
        }
    )
    whole = {
        "schema": {"const": SCHEMA},
        "title": text,
        "made_at": {"type": "string", "format": "date-time"},
        "hosts_total": count,
        "outcomes": counts,
        "levels": counts,
        "reasons": _list(reason),
        "hosts": _list(host),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The report of safepoint.lvm.report, and the two facts of a host that it is made of",
        **_object(whole),
        "$defs": {LOOK_FACT: _of(LOOK), OUTCOME_FACT: _of(OUTCOME)},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _of(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, Record):
        made = _object({key: _of(one) for key, one in shape.fields.items()})
        return {**made, "type": ["object", "null"]}
    if isinstance(shape, Each):
        return {"type": "array", "maxItems": shape.most, "items": _of(shape.shape)}
    if isinstance(shape, Moment):
        return {"type": ["string", "null"], "format": "date-time"}
    if isinstance(shape, Flag):
        return {"type": ["boolean", "null"]}
    if isinstance(shape, Number):
        return {"type": ["integer" if shape.whole else "number", "null"], "minimum": 0}
    return {"type": ["string", "null"]}
