# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check data against a shape: types, sizes, and how much there is in total. Pure; private to this collection.

What does not fit is left out, and noted. Nothing of what a host sends can make this fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Union

from .text import visible

# Until the year 9999.
_LAST_MOMENT = 253402300799
_MOST = 2**63 - 1


@dataclass
class Notes:
    """What was wrong, and what was left out because it was too much. ``left`` is how many characters may follow."""

    left: int
    wrong: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)

    def refuse(self, path: str, expected: str) -> None:
        """Note a value of another type than expected."""
        self.wrong.append(f"{path or 'the data'} must be {expected}")


@dataclass(frozen=True)
class Text:
    """A text, and the number of characters that are kept."""

    most: int = 200

    def accept(self, value: Any, path: str, notes: Notes) -> str | None:
        """Return the text as it can be shown; None if it is missing or not a text."""
        if value is None:
            return None
        if not isinstance(value, str):
            notes.refuse(path, "text")
            return None
        text = visible(value, self.most)
        notes.left -= len(text)
        return text


@dataclass(frozen=True)
class Number:
    """A number that is not negative."""

    whole: bool = True

    def accept(self, value: Any, path: str, notes: Notes) -> int | float | None:
        """Return the number; None if it is missing or not one."""
        if value is None:
            return None
        kinds = (int,) if self.whole else (int, float)
        # This is also false for what is not a number, such as NaN.
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= _MOST:
            notes.refuse(path, "a whole number, 0 or more" if self.whole else "a number, 0 or more")
            return None
        notes.left -= 8
        return int(value) if isinstance(value, int) else float(value)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def accept(self, value: Any, path: str, notes: Notes) -> bool | None:
        """Return the value; None if it is missing or another one."""
        if value is None or isinstance(value, bool):
            return value
        notes.refuse(path, "true or false")
        return None


@dataclass(frozen=True)
class Moment:
    """A moment: in ISO 8601 with a time zone, or in seconds since the epoch."""

    def accept(self, value: Any, path: str, notes: Notes) -> str | None:
        """Return it in ISO 8601 in UTC; None if it is missing or not a moment."""
        if value is None:
            return None
        seconds = _epoch(value)
        if seconds is None:
            notes.refuse(path, "a time in ISO 8601 with its time zone, or in seconds since the epoch")
            return None
        notes.left -= 25
        return iso(seconds)


@dataclass(frozen=True)
class Each:
    """A list of values of one shape, and how many of them are kept."""

    shape: Shape
    most: int

    def accept(self, value: Any, path: str, notes: Notes) -> list[Any]:
        """Return the list without the values of another shape."""
        if value is None:
            return []
        if not isinstance(value, (list, tuple)):
            notes.refuse(path, "a list")
            return []
        found: list[Any] = []
        for number, one in enumerate(value):
            if number >= self.most or notes.left <= 0:
                notes.cut.append(f"{len(value) - number} of {len(value)} {path.rpartition('.')[2]} are left out")
                break
            clean = self.shape.accept(one, f"{path}[{number}]", notes)
            found += [] if clean is None else [clean]
        return found


@dataclass(frozen=True)
class Record:
    """A dictionary with known keys. Other keys are ignored; a key that is missing is null, or an empty list."""

    fields: Mapping[str, Shape]

    def accept(self, value: Any, path: str, notes: Notes) -> dict[str, Any] | None:
        """Return the dictionary; None if it is missing or not one."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            notes.refuse(path, "a dictionary")
            return None
        inside = f"{path}." if path else ""
        return {key: shape.accept(value.get(key), f"{inside}{key}", notes) for key, shape in self.fields.items()}


Shape = Union[Text, Number, Flag, Moment, Each, Record]


def iso(seconds: int) -> str:
    """Seconds since the epoch as an ISO 8601 date in UTC."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def epoch(text: str) -> int:
    """The seconds since the epoch of what ``iso`` has returned."""
    return int(datetime.fromisoformat(text).timestamp())


def _epoch(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) if 0 <= value <= _LAST_MOMENT else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(visible(value, 40).replace("Z", "+00:00"))
        seconds = int(moment.timestamp()) if moment.tzinfo else -1
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= _LAST_MOMENT else None
