# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes as a person writes them, and LVM's arithmetic of extents and COW stores. Pure; private.

Everything here is exact: integers and fractions, no floats. Bytes unless a name says extents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from .._errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

Unit = Literal["bytes", "ORIGIN", "USED", "FREE", "VG", "PERCENT", "auto"]

CHUNK_SIZE = 4096
"""Bytes in a chunk of every thick snapshot made here: what lvcreate(8) takes by default, given explicitly."""

_EXCEPTION_BYTES = 16
_MINIMUM_CHUNKS = 3
_DEFAULT_HEADROOM_BYTES = 256 * 1024**2
_WHOLE = 100
_PREFIXES = "KMGTP"
_POWERS = {
    "": 0,
    "B": 0,
    **{prefix: power for power, prefix in enumerate(_PREFIXES, start=1)},
    **{f"{prefix}IB": power for power, prefix in enumerate(_PREFIXES, start=1)},
}
# More digits than anybody needs, and few enough for every arithmetic.
_SIZE = re.compile(r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?) *(?P<unit>[A-Za-z%]*)")


@dataclass(frozen=True)
class Size:
    """A size expression: ``amount`` is bytes, or percent of what ``unit`` names; ``text`` is what the user wrote."""

    unit: Unit
    amount: Fraction
    text: str


AUTO = Size(unit="auto", amount=Fraction(0), text="auto")


def parse_size(text: str, *, parameter: str, units: Sequence[Unit]) -> Size:
    """The size that ``text`` expresses, if its unit is among ``units``.

    Absolute sizes are bytes, or K, M, G, T, P with or without "iB", all of them powers of 1024.

    Raises InvalidParameter, naming ``parameter`` and what it takes, for anything else.
    """
    stripped = text.strip()
    if stripped.lower() == "auto" and "auto" in units:
        return AUTO
    match = _SIZE.fullmatch(stripped)
    size = _from_match(match, stripped) if match else None
    if size is None or size.unit not in units:
        expected = f"{_expected(units)}, of at most 18 digits"
        raise InvalidParameter(f"{parameter}: {text!r} is not a size here: expected {expected}")
    if size.unit == "PERCENT" and size.amount >= _WHOLE:
        raise InvalidParameter(f"{parameter}: {text!r} leaves nothing over: expected less than {_WHOLE}%")
    if size.unit in ("FREE", "VG") and size.amount > _WHOLE:
        raise InvalidParameter(f"{parameter}: {text!r} is more than there can be: expected at most {_WHOLE}%")
    return size


def _from_match(match: re.Match[str], text: str) -> Size | None:
    number, unit = Fraction(match["number"]), match["unit"]
    if unit.startswith("%"):
        relative: dict[str, Unit] = {
            "%ORIGIN": "ORIGIN",
            "%USED": "USED",
            "%FREE": "FREE",
            "%VG": "VG",
            "%": "PERCENT",
        }
        known = relative.get(unit.upper())
        return None if known is None else Size(unit=known, amount=number, text=text)
    power = _POWERS.get(unit.upper())
    return None if power is None else Size(unit="bytes", amount=number * 1024**power, text=text)


def _expected(units: Sequence[Unit]) -> str:
    examples: dict[Unit, str] = {
        "auto": "auto",
        "bytes": "bytes or 10GiB (KiB, MiB, GiB, TiB, PiB)",
        "ORIGIN": "20%ORIGIN",
        "USED": "50%USED",
        "FREE": "30%FREE",
        "VG": "5%VG",
        "PERCENT": "20%",
    }
    return ", ".join(examples[unit] for unit in units)


def ceil_div(numerator: int, denominator: int) -> int:
    """The quotient of two whole numbers, rounded up."""
    return -(-numerator // denominator)


def ceil_fraction(value: Fraction) -> int:
    """The least whole number that is not less than ``value``."""
    return ceil_div(value.numerator, value.denominator)


def extents_for(size: int | Fraction, extent_size: int) -> int:
    """How many whole extents hold ``size`` bytes; LVM rounds every size up (lvcreate(8), -L)."""
    return ceil_fraction(Fraction(size) / extent_size)


def cow_maximum_extents(origin_size: int, extent_size: int, chunk_size: int = CHUNK_SIZE) -> int:
    """The extents of a COW store that can never overflow; LVM cuts anything larger down to it.

    From lib/metadata/snapshot_manip.c (cow_max_extents) of LVM 2.03: one chunk for the header, one for each chunk of
    the origin and one for each full or begun area of exceptions, an exception being 16 bytes. Valid for kernels whose
    snapshot target is 1.12 or newer, which is every kernel that LVM 2.03 runs on here.
    """
    origin_chunks = ceil_div(origin_size, chunk_size)
    per_area = chunk_size // _EXCEPTION_BYTES
    metadata_chunks = (origin_chunks + per_area) // per_area
    return extents_for((1 + origin_chunks + metadata_chunks) * chunk_size, extent_size)


def cow_minimum_extents(extent_size: int, chunk_size: int = CHUNK_SIZE) -> int:
    """The least extents that LVM accepts for a COW store: three chunks (lib/metadata/snapshot_manip.c)."""
    return extents_for(_MINIMUM_CHUNKS * chunk_size, extent_size)


def origin_percent_extents(percent: Fraction, origin_size: int, extent_size: int, chunk_size: int = CHUNK_SIZE) -> int:
    """What ``lvcreate -l P%ORIGIN`` allocates: P% of the origin and all of the metadata of a full store.

    From tools/lvcreate.c (_determine_snapshot_size) of LVM 2.03; ``lvextend`` means another size by the same words.
    """
    origin_extents = extents_for(origin_size, extent_size)
    maximum = cow_maximum_extents(origin_size, extent_size, chunk_size)
    overhead = maximum - origin_extents
    return min(maximum, overhead + ceil_fraction(percent * origin_extents / 100))


def percent_floor(percent: Fraction, extents: int) -> int:
    """Whole extents in a percentage of ``extents``; LVM rounds %FREE and %VG down (lvcreate(8))."""
    return int(percent * extents / 100)


def used_bytes(size: int, used_percent: Fraction) -> int:
    """The most that a store of ``size`` bytes can hold when LVM reports ``used_percent`` (two decimals, cut off)."""
    return min(size, ceil_fraction(size * (used_percent + Fraction(1, 100)) / 100))


def default_headroom(size: int) -> int:
    """What has to be free in a store of ``size`` bytes before a merge when nobody says otherwise: 10% or 256 MiB."""
    return min(ceil_div(size, 10), _DEFAULT_HEADROOM_BYTES)


def extents_with_headroom(used: int, headroom: Size | None, *, size: int, extent_size: int) -> int:
    """The extents of a store that has ``used`` bytes taken and ``headroom`` (bytes or PERCENT of it) free.

    ``size`` is what the store has now; without a ``headroom`` the default for that size counts.
    """
    if headroom is None:
        return extents_for(used + default_headroom(size), extent_size)
    if headroom.unit == "bytes":
        return extents_for(used + headroom.amount, extent_size)
    return extents_for(used / (1 - headroom.amount / 100), extent_size)


@dataclass(frozen=True)
class Share:
    """One automatic member's claim on the room of its VG, in extents: minimum <= estimate <= maximum."""

    minimum: int
    estimate: int
    maximum: int


def share_room(room: int, shares: Sequence[Share]) -> tuple[int, ...] | None:
    """Extents for each of ``shares`` out of ``room`` extents, or None when not even the minimums fit.

    All of them get their maximum when that fits. Otherwise each gets its estimate; if that does not fit either, what
    is left above the minimums is divided in proportion to what each would want above its own.
    """
    if sum(share.maximum for share in shares) <= room:
        return tuple(share.maximum for share in shares)
    minimums = sum(share.minimum for share in shares)
    if minimums > room:
        return None
    wanted = sum(share.estimate for share in shares) - minimums
    if wanted <= room - minimums:
        return tuple(share.estimate for share in shares)
    return tuple(share.minimum + (room - minimums) * (share.estimate - share.minimum) // wanted for share in shares)


def format_bytes(size: int) -> str:
    """``size`` for people: in the largest binary unit that it fills, with at most one decimal."""
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if size >= 1024**power:
            return f"{size / 1024**power:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"
