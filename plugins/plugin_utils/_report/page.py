# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML page that needs nothing else. Pure but for two files beside it; private to this collection.

The rows are HTML, so that the page is a sorted table also without JavaScript. The details of the hosts are JSON in a
script element, from which page.js makes text nodes when somebody opens them. The policy in the page lets a browser run
and apply only these two texts, by their hashes, and load nothing (https://www.w3.org/TR/CSP3/).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .findings import level_of
from .shown import COLUMNS, TABLES, cells, details
from .words import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fleet import Fleet, Group
    from .shown import Cell

SIGNS = {"bad": "✕", "attention": "▲", "good": "✓", "note": "○"}
"""What marks a level beside its colour and its word."""

_STYLE = Path(__file__).with_name("page.css")
_SCRIPT = Path(__file__).with_name("page.js")
_OPTIONAL = (COLUMNS.index("Expires"), COLUMNS.index("Timer"))
# How many reasons are listed, and how many of them at first; how many hosts are named for each.
_GROUPS, _FIRST, _NAMED = 60, 8, 6
# What could end the script element, or begin a comment in it (HTML, 13.2.5.15 and following).
_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def page(fleet: Fleet) -> str:
    """Return the page as text."""
    style, script = (path.read_text(encoding="utf-8") for path in (_STYLE, _SCRIPT))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(fleet.title)}</title>",
        f"<style>{style}</style>",
        *_header(fleet),
        *_reasons(fleet),
        *_table(fleet),
        f'<script type="application/json" id="data">{script_json(_data(fleet))}</script>',
        f"<script>{script}</script>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def script_json(value: Any) -> str:
    """Return a value as JSON that can stand in a script element: in ASCII, and without the characters of markup."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPT)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _header(fleet: Fleet) -> Iterator[str]:
    looked = [row.look["looked_at"] for row in fleet.rows if row.look and row.look["looked_at"]]
    oldest = f", oldest look {moment(min(looked))}" if looked else ""
    yield f"<header><h1>{html.escape(fleet.title)}</h1>"
    yield f"<p>{_count(len(fleet.rows), 'host')}, {moment(fleet.made)} UTC{oldest}. All times are in UTC.</p>"
    yield '<ul class="outcomes" id="outcomes" aria-label="Hosts by outcome">'
    for outcome, count in fleet.outcomes().items():
        level = level_of(outcome)
        word = html.escape(outcome.replace("_", " "))
        yield f'<li class="{level}"><span><b>{count}</b> <i aria-hidden="true">{SIGNS[level]}</i> {word}</span></li>'
    yield "</ul></header>"


def _reasons(fleet: Fleet) -> Iterator[str]:
    groups = fleet.groups[:_GROUPS]
    if groups:
        yield f'<details class="reasons" open><summary>{_count(len(fleet.groups), "reason")}, the worst first</summary>'
        yield from _reason_table(fleet, groups[:_FIRST])
        if groups[_FIRST:]:
            yield f"<details><summary>{_count(len(fleet.groups) - _FIRST, 'more reason')}</summary>"
            yield from _reason_table(fleet, groups[_FIRST:])
            yield f"<p>{len(fleet.groups) - _GROUPS} are not listed here.</p>" if fleet.groups[_GROUPS:] else ""
            yield "</details>"
        yield "</details>"


def _reason_table(fleet: Fleet, groups: list[Group]) -> Iterator[str]:
    yield '<table><thead><tr><th scope="col">Hosts<th scope="col">Reason<th scope="col">Which<tbody>'
    yield from (_reason(fleet, group) for group in groups)
    yield "</table>"


def _reason(fleet: Fleet, group: Group) -> str:
    count = len(group.places)
    names = ", ".join(fleet.rows[place].name for place in group.places[:_NAMED])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    sign = f'<i aria-hidden="true">{SIGNS[group.level]}</i> <span class="level">{group.level}</span>'
    cells = f"<td>{count}<td>{sign} <span>{html.escape(group.reason)}</span><td>{html.escape(names)}{more}"
    return f'<tr class="{group.level}">{cells}'


def _table(fleet: Fleet) -> Iterator[str]:
    rows = [cells(row, fleet.made_at) for row in fleet.rows]
    # Columns that are often empty.
    without = [f"without{column + 1}" for column in _OPTIONAL if not any(row[column].text for row in rows)]
    yield '<main><div id="controls" hidden></div><p id="shown" role="status"></p>'
    yield f'<table id="hosts" class="{" ".join(without)}">'
    yield "<caption>The hosts, the worst first</caption>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{name}' for name in COLUMNS) + "<tbody>"
    for row, (name, outcome, *others) in zip(fleet.rows, rows):
        sign = f'<i aria-hidden="true">{SIGNS[row.level]}</i> {html.escape(outcome.text)}'
        rest = "".join(map(_cell, others))
        yield f"<tr class={row.level}><th scope=row>{html.escape(name.text)}<td>{sign}{rest}</tr>"
    yield "</table></main>"


def _cell(cell: Cell) -> str:
    number = "" if cell.number is None else f" data-n={cell.number:.0f}"
    return f"<td{number}>{html.escape(cell.text)}"


def _data(fleet: Fleet) -> dict[str, Any]:
    return {
        "tables": [[title, list(columns)] for title, columns in TABLES],
        "groups": [list(group.places) for group in fleet.groups[:_GROUPS]],
        "outcomes": [_indexes(fleet, outcome) for outcome in fleet.outcomes()],
        "hosts": [list(details(row, fleet.made_at)) for row in fleet.rows],
    }


def _indexes(fleet: Fleet, outcome: str) -> list[int]:
    return [index for index, row in enumerate(fleet.rows) if row.outcome == outcome]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
