# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the cuts that were made, one row for each. A run makes only cuts that are not in the table."""

from __future__ import annotations

import csv
import fcntl
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = "right"


@dataclass(frozen=True)
class Row:
    """One cut: what was requested, what happened, what was found, and whether it ended correctly."""

    seed: str
    number: str
    suite: str
    layout: str
    moment: str
    volumes: str
    delay: str
    doing: str
    found: str
    runs: str
    end: str
    seconds: str
    verdict: str


def load(path: Path) -> list[Row]:
    """The rows of a table. Empty if the file does not exist."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(**line) for line in csv.DictReader(file)]


def done(rows: list[Row], seed: int) -> set[int]:
    """The numbers of a seed that ended correctly and need not be repeated."""
    return {int(row.number) for row in rows if row.seed == str(seed) and row.verdict == RIGHT}


def append(path: Path, row: Row) -> None:
    """Add a row. The table is created if needed. Several processes may do this at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        if os.fstat(file.fileno()).st_size == 0:
            writer.writeheader()
        writer.writerow(asdict(row))
