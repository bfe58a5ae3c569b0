# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fact of the baseline demands later: the rule of each probe. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gate import KINDS
from .observation import OK

if TYPE_CHECKING:
    from .observation import Observation

ANY = "*"
"""Stands for every value of a fact. A value is a word, which contains no asterisk."""

UNWANTED = ("failed_units", "packages")
"""Each fact of these probes is an illness."""
STEADY = ("restarts",)
"""Each fact of these probes is a counter that must not grow while the host is watched."""
NEEDED = ("boot", "listeners", "mounts", "routes", "time_sync", *KINDS)
"""Each fact of these must still be there, as far as ``accepted_pairs`` says."""

_HEALTHY_BOOT = ("running", "degraded")
_EVERY_ADDRESS = ".".join("0000")
# More digits than a counter of systemd can have.
_MOST_DIGITS = 10


def accepted_pairs(probe: str, key: str, value: str) -> tuple[tuple[str, str], ...]:
    """Pairs of key and value, one of which must be a fact later, because this was one. Empty if it demands nothing."""
    if probe == "boot":
        # What makes the difference between these two is the probe failed_units.
        return tuple((key, state) for state in _HEALTHY_BOOT) if value in _HEALTHY_BOOT else ()
    if probe == "listeners":
        return tuple((one, ANY) for one in (key, *_wider(key)))
    if probe == "mounts":
        return ((key, value if value == "rw" else ANY),)
    if probe == "routes":
        return ((key, ANY),)
    if probe == "time_sync":
        return ((key, value),) if value == "synchronised" else ()
    return ((key, value),) if value == OK else ()


def _wider(key: str) -> tuple[str, ...]:
    """The sockets that also accept what comes for the socket ``key``: those of all addresses (ipv6(7))."""
    protocol, _slash, address = key.partition("/")
    port = address.rpartition(":")[2]
    version4 = protocol.rstrip("6")
    wide = [f"{version4}6/[::]:{port}"]
    if protocol == version4:
        wide.insert(0, f"{version4}/{_EVERY_ADDRESS}:{port}")
    return tuple(one for one in wide if one != key)


def grown(before: str, now: str) -> bool:
    """Whether a counter has grown. What is not a number has not."""
    return _is_number(before) and _is_number(now) and int(now) > int(before)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def demanded(first: Observation, second: Observation, probe: str, key: str) -> tuple[tuple[str, str], ...]:
    """What a fact in two looks at a host demands later. Empty if it was ill, or came and went, between them."""
    values = [one.facts.get((probe, key)) for one in (first, second)]
    found = [accepted_pairs(probe, key, value) if value is not None else () for value in values]
    return tuple(dict.fromkeys([*found[0], *found[1]])) if all(found) else ()


def known_keys(first: Observation, second: Observation, probe: str) -> tuple[str, ...]:
    """The keys of ``probe`` that were ill in one of two looks: they are no failure later."""
    if probe in UNWANTED:
        return tuple(sorted({*first.of_probe(probe), *second.of_probe(probe)}))
    counters = first.of_probe(probe)
    return tuple(sorted(key for key, now in second.of_probe(probe).items() if grown(counters.get(key, "0"), now)))
