# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as CSV (RFC 4180): one line for each host. Pure; private to this collection."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from .fleet import text_of
from .shapes import epoch
from .shown import fullest
from .text import harmless_cell

if TYPE_CHECKING:
    from .fleet import Fleet, Row

COLUMNS = (
    "host",
    "level",
    "outcome",
    "reasons",
    "snapsets",
    "states",
    "created",
    "age_seconds",
    "expires",
    "owners",
    "change_reasons",
    "series",
    "fullest_percent",
    "pending_merges",
    "unprotected",
    "timers",
    "boot_backups",
    "vg_free_bytes",
    "looked_at",
    "evidence",
)


def table(fleet: Fleet) -> str:
    """Return the CSV with a line of column names. Lists in a cell are separated by a comma and a blank."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in fleet.rows:
        values = _of_row(row) | (_of_look(row.look, fleet.made_at) if row.look else {})
        writer.writerow([harmless_cell(values.get(column, "")) for column in COLUMNS])
    return text.getvalue()


def _of_row(row: Row) -> dict[str, str]:
    return {
        "host": row.name,
        "level": row.level,
        "outcome": row.outcome,
        "reasons": ", ".join(text_of(one) for one in row.findings),
        "evidence": (row.outcome_fact or {}).get("evidence") or "",
    }


def _of_look(look: dict[str, Any], now: int) -> dict[str, str]:
    snapsets = look["snapsets"]
    created = min((one["created"] for one in snapsets if one["created"]), default="")
    used = fullest(look)
    merging = [
        f"{one['name']}:{part['vg']}/{part['origin']}" for one in snapsets for part in one["members"] if _merges(part)
    ]
    return {
        "snapsets": _list(snapsets, "name"),
        "states": _list(snapsets, "state"),
        "created": created,
        "age_seconds": str(max(0, now - epoch(created))) if created else "",
        "expires": min((one["expires"] for one in snapsets if one["expires"]), default=""),
        "owners": _list(snapsets, "owner"),
        "change_reasons": _list(snapsets, "reason"),
        "series": _list(snapsets, "series"),
        "fullest_percent": "" if used is None else f"{used:.1f}",
        "pending_merges": ", ".join(merging),
        "unprotected": _list(look["unprotected"], "mountpoint"),
        "timers": ", ".join(f"{one['name']} {one['state']}" for one in look["rollback_timers"]),
        "boot_backups": _list(look["boot_backups"], "name"),
        "vg_free_bytes": ", ".join(f"{one['name']} {one['free']}" for one in look["volume_groups"]),
        "looked_at": look["looked_at"] or "",
    }


def _merges(member: dict[str, Any]) -> bool:
    return member["state"] in ("merge_pending", "merging")


def _list(values: list[dict[str, Any]], key: str) -> str:
    return ", ".join(str(one[key]) for one in values if one[key])
