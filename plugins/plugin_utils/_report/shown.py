# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report shows of a host: the cells of its row, and the tables of its details. Pure; private.

Everything is text that is ready to be shown. How it is shown is for the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .findings import spaced
from .fleet import sentence, text_of
from .shapes import epoch
from .words import moment, moment_with_age, percent, size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .fleet import Row

COLUMNS = (
    "Host",
    "Outcome",
    "Why",
    "Snapsets",
    "Oldest",
    "Expires",
    "Fullest",
    "Not protected",
    "Timer",
    "Looked at",
)

# The tables of the details: title, and names of the columns. A column without any value is not shown.
TABLES = (
    ("Found", ("Level", "What")),
    ("Change", ("", "")),
    ("Snapsets", ("Name", "State", "Created", "Expires", "Owner", "Reason", "Series", "Rolled back")),
    ("Snapshots", ("Snapset", "Volume", "Mounted on", "Kind", "State", "Size", "Used", "Merged", "Can overflow")),
    ("Rollback timers", ("Snapset", "State", "Runs", "Phase", "Rolls back at", "Started", "Why")),
    ("Saved boot files", ("Snapset", "State", "Volume", "Size")),
    ("Boot entries", ("Snapset", "Kernel", "Next boot")),
    ("Not protected", ("Mounted on", "Type", "Volume", "Why")),
    ("Room in VGs", ("VG", "Size", "Free", "Free of it", "Complete")),
    ("Thin pools", ("Pool", "Size", "Data", "Metadata")),
    ("Other snapshots", ("Snapshot", "Of", "Kind", "State", "Size", "Used")),
    ("Of other hosts or copied disks", ("What", "Name", "VG", "Host")),
)
_TITLES = [title for title, _columns in TABLES]

Cells = list[list[str]]


@dataclass(frozen=True)
class Cell:
    """A cell of a row: its text, and the number by which its column is sorted, if that is not the text."""

    text: str
    number: float | None = None


def cells(row: Row, now: int) -> list[Cell]:
    """Return the cells of a host, one for each of ``COLUMNS``. ``now`` is in seconds since the epoch."""
    why = sentence(row).partition(": ")[2]
    first = [Cell(row.name), Cell(row.outcome.replace("_", " ")), Cell(why)]
    look = row.look
    if look is None:
        return [*first, *(Cell("") for _column in COLUMNS[3:])]
    snapsets = look["snapsets"]
    created = [epoch(one["created"]) for one in snapsets if one["created"]]
    expires = [one["expires"] for one in snapsets if one["expires"]]
    used, unprotected = fullest(look), len(look["unprotected"])
    return [
        *first,
        Cell(", ".join(f"{one['name']} {spaced(one['state'])}" for one in snapsets)),
        Cell(span(now - min(created)), now - min(created)) if created else Cell(""),
        _moment(min(expires), now) if expires else Cell(""),
        Cell("" if used is None else f"{used:.0f} %", used),
        Cell(str(unprotected) if unprotected else "", unprotected),
        Cell(", ".join(_timer(one) for one in look["rollback_timers"])),
        _moment(look["looked_at"], now),
    ]


def fullest(look: dict[str, Any]) -> float | None:
    """Return the percentage of the fullest COW store or thin pool of a host; None if it has none."""
    stores = [
        one["used_percent"] for snapset in look["snapsets"] for one in snapset["members"] if one["kind"] == "thick"
    ]
    pools = [one[key] for one in look["thin_pools"] for key in ("data_percent", "metadata_percent")]
    return max((float(one) for one in (*stores, *pools) if one is not None), default=None)


def details(row: Row, now: int) -> Iterator[tuple[int, Cells]]:
    """Yield the tables that have rows: the index in ``TABLES``, and the rows."""
    parts: dict[str, Cells] = {"Found": [[one.level, text_of(one)] for one in row.findings], "Change": _change(row)}
    if row.look is not None:
        parts.update({title: make(row.look, now) for title, make in _PARTS.items()})
    for title, found in parts.items():
        if found:
            yield _TITLES.index(title), found


def _moment(iso: str | None, now: int) -> Cell:
    return Cell(moment_with_age(iso, now), epoch(iso)) if iso else Cell("")


def _timer(timer: dict[str, Any]) -> str:
    if timer["state"] == "armed":
        return f"rolls back at {moment(timer['deadline'])}" if timer["running"] else "armed, does not run"
    return spaced(timer["state"])


def _change(row: Row) -> Cells:
    known = row.outcome_fact
    if known is None:
        return []
    lines = [
        ["Outcome", spaced(known["outcome"])],
        ["Reason", known["reason"]],
        ["Run", known["run"]],
        ["Wave", known["wave"]],
        ["Step", known["step"]],
        ["Began", moment(known["began"])],
        ["Ended", moment(known["ended"])],
        ["Evidence", known["evidence"]],
    ]
    return [[name, value] for name, value in lines if value]


def _snapsets(look: dict[str, Any], now: int) -> Cells:
    return [
        [
            one["name"] or "",
            spaced(one["state"]),
            moment_with_age(one["created"], now),
            moment_with_age(one["expires"], now),
            one["owner"] or "",
            one["reason"] or "",
            one["series"] or "",
            moment(one["rolled_back_at"]),
        ]
        for one in look["snapsets"]
    ]


def _snapshots(look: dict[str, Any], _now: int) -> Cells:
    return [
        [
            snapset["name"] or "",
            f"{one['vg']}/{one['origin']}",
            ", ".join(one["mountpoints"]),
            one["kind"] or "",
            spaced(one["state"]),
            size(one["size"]),
            percent(one["used_percent"]),
            percent(one["merge_percent"]),
            {"estimate": "yes", "cannot_overflow": "no"}.get(one["auto_basis"] or "", ""),
        ]
        for snapset in look["snapsets"]
        for one in snapset["members"]
    ]


def _timers(look: dict[str, Any], _now: int) -> Cells:
    return [
        [
            one["name"] or "",
            spaced(one["state"]),
            "yes" if one["running"] else "no",
            one["phase"] or "",
            moment(one["deadline"]),
            moment(one["fired_at"]),
            one["reason"] or "",
        ]
        for one in look["rollback_timers"]
    ]


def _backups(look: dict[str, Any], _now: int) -> Cells:
    return [
        [one["name"] or "", spaced(one["state"]), f"{one['vg']}/{one['volume']}", size(one["size"])]
        for one in look["boot_backups"]
    ]


def _entries(look: dict[str, Any], _now: int) -> Cells:
    return [
        [one["name"] or "", one["kernel"] or "", "yes" if one["next_boot"] else "no"] for one in look["boot_entries"]
    ]


def _unprotected(look: dict[str, Any], _now: int) -> Cells:
    return [
        [
            one["mountpoint"] or "",
            one["fstype"] or "",
            f"{one['vg']}/{one['lv']}" if one["lv"] else "",
            one["reason"] or "",
        ]
        for one in look["unprotected"]
    ]


def _groups(look: dict[str, Any], _now: int) -> Cells:
    return [
        [
            one["name"] or "",
            size(one["size"]),
            size(one["free"]),
            percent(100 * one["free"] / one["size"]) if one["size"] and one["free"] is not None else "",
            "a PV is missing" if one["partial"] else "",
        ]
        for one in look["volume_groups"]
    ]


def _pools(look: dict[str, Any], _now: int) -> Cells:
    return [
        [
            f"{one['vg']}/{one['pool']}",
            size(one["size"]),
            percent(one["data_percent"]),
            percent(one["metadata_percent"]),
        ]
        for one in look["thin_pools"]
    ]


def _unmanaged(look: dict[str, Any], _now: int) -> Cells:
    return [
        [
            f"{one['vg']}/{one['snapshot']}",
            one["origin"] or "",
            one["kind"] or "",
            spaced(one["state"]),
            size(one["size"]),
            percent(one["used_percent"]),
        ]
        for one in look["unmanaged_snapshots"]
    ]


def _elsewhere(look: dict[str, Any], _now: int) -> Cells:
    foreign = [
        ["of another host", one["name"] or "", ", ".join(one["vgs"]), one["host"] or ""] for one in look["foreign"]
    ]
    copies = [["copy", ", ".join(one["snapsets"]), one["vg"] or "", ""] for one in look["copies"]]
    return foreign + copies


_PARTS: dict[str, Callable[[dict[str, Any], int], Cells]] = {
    "Snapsets": _snapsets,
    "Snapshots": _snapshots,
    "Rollback timers": _timers,
    "Saved boot files": _backups,
    "Boot entries": _entries,
    "Not protected": _unprotected,
    "Room in VGs": _groups,
    "Thin pools": _pools,
    "Other snapshots": _unmanaged,
    "Of other hosts or copied disks": _elsewhere,
}
