# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a health gate looks at, and for how long. Pure; private to this collection.

The package ``_health`` knows how the health of a host is observed and compared with an earlier one. It must not know
what a snapset is, or who asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .words import to_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Level = Literal["required", "warned", "ignored"]
Kind = Literal["names", "commands", "urls", "ports"]

REQUIRED: Level = "required"
WARNED: Level = "warned"
IGNORED: Level = "ignored"

DEFAULT_LEVELS: Mapping[str, Level] = {
    "boot": REQUIRED,
    "failed_units": REQUIRED,
    "restarts": REQUIRED,
    "listeners": REQUIRED,
    "mounts": REQUIRED,
    "routes": REQUIRED,
    # After a boot it takes minutes, and depends on other hosts.
    "time_sync": WARNED,
    "packages": REQUIRED,
}
"""The probes, in the order in which results show them, with their level unless the user says otherwise."""

KINDS: tuple[Kind, ...] = ("names", "commands", "urls", "ports")
"""The kinds of the user's own checks."""


@dataclass(frozen=True)
class Check:
    """One check of the user. ``key`` is its name as a word, ``text`` what the program needs to carry it out."""

    kind: Kind
    key: str
    text: str
    level: Level


@dataclass(frozen=True)
class Gate:
    """What is looked at: the level of each probe, and the checks of the user."""

    levels: Mapping[str, Level] = field(default_factory=lambda: dict(DEFAULT_LEVELS))
    checks: tuple[Check, ...] = ()

    @property
    def probes(self) -> tuple[str, ...]:
        """The probes that are run, in order."""
        return tuple(probe for probe in DEFAULT_LEVELS if self.levels[probe] != IGNORED)

    @property
    def run_checks(self) -> tuple[Check, ...]:
        """The checks of the user that are run, in order."""
        return tuple(check for check in self.checks if check.level != IGNORED)

    def subjects(self) -> Iterator[tuple[str, str, Level]]:
        """Yield everything that has a result of its own: probe or kind, key (empty for a probe), level."""
        yield from ((probe, "", self.levels[probe]) for probe in self.probes)
        yield from ((check.kind, check.key, check.level) for check in self.run_checks)

    def to_data(self) -> dict[str, Any]:
        """The gate for JSON."""
        checks = [{"kind": one.kind, "key": one.key, "text": one.text, "level": one.level} for one in self.checks]
        return {"levels": dict(self.levels), "checks": checks}


def gate_of(data: Mapping[str, Any]) -> Gate:
    """The gate that ``to_data`` has written. Raises KeyError, TypeError."""
    return Gate(
        {probe: data["levels"][probe] for probe in DEFAULT_LEVELS}, tuple(Check(**one) for one in data["checks"])
    )


def check_of(kind: Kind, given: Mapping[str, Any]) -> Check:
    """A check as the parameters of the module describe it."""
    if kind == "ports":
        text = f"{given['protocol']}/{given['port']}"
        return Check(kind, text, text, given["level"])
    name = given["url"] if kind == "urls" else given["name"]
    return Check(kind, to_word(name), given["command"] if kind == "commands" else name, given["level"])


@dataclass(frozen=True)
class Times:
    """How long to wait for what, in seconds.

    ``settle`` is the time from the end of the start of the host to the first look, ``stable`` how long the host must
    stay well, ``retry`` the time between two looks, ``deadline`` that for everything, ``limit`` that for one probe.
    """

    settle: int
    stable: int
    retry: int
    deadline: int
    limit: int

    def problem(self) -> str | None:
        """Why the gate could never say that the host is well; None if it could."""
        if self.settle + self.stable < self.deadline:
            return None
        return (
            f"deadline: {self.deadline} s must be longer than settle and stable together "
            f"({self.settle + self.stable} s), otherwise no host would be well in time"
        )
