# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes as users write them, and LVM's arithmetic of extents and COW stores. Pure; private.

All arithmetic is exact, with integers and fractions. Sizes are in bytes unless a name says extents.
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
"""The chunk size, in bytes, of every thick snapshot that this collection creates: the default of lvcreate(8)."""

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
# More digits than anybody needs, and few enough for fast arithmetic.
_SIZE = re.compile(r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?) *(?P<unit>[A-Za-z%]*)")


@dataclass(frozen=True)
class Size:
    """A size: ``amount`` is in bytes, or in percent of what ``unit`` names. ``text`` is what the user wrote."""

    unit: Unit
    amount: Fraction
    text: str


AUTO = Size(unit="auto", amount=Fraction(0), text="auto")


def parse_size(text: str, *, parameter: str, units: Sequence[Unit]) -> Size:
    """Parse ``text`` as a size with one of ``units``.

    Absolute sizes are in bytes, or in K, M, G, T or P, with or without "iB"; all are powers of 1024.

    Raises InvalidParameter, with ``parameter`` and what it accepts, if ``text`` is anything else.
    """
    stripped = text.strip()
    if stripped.lower() == "auto" and "auto" in units:
        return AUTO
    match = _SIZE.fullmatch(stripped)
    size = _from_match(match, stripped) if match else None
    if size is None or size.unit not in units:
        accepted = f"{_examples(units)}, with at most 18 digits"
        raise InvalidParameter(f"{parameter}: {text!r} is not a valid size: use {accepted}")
    if size.unit == "PERCENT" and size.amount >= _WHOLE:
        raise InvalidParameter(f"{parameter}: {text!r} would leave no space: use less than {_WHOLE}%")
    if size.unit in ("FREE", "VG") and size.amount > _WHOLE:
        raise InvalidParameter(f"{parameter}: {text!r} is too much: use at most {_WHOLE}%")
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


def _examples(units: Sequence[Unit]) -> str:
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
    """The quotient of two integers, rounded up."""
    return -(-numerator // denominator)


def ceil_fraction(value: Fraction) -> int:
    """The smallest integer that is not less than ``value``."""
    return ceil_div(value.numerator, value.denominator)


def extents_for(size: int | Fraction, extent_size: int) -> int:
    """The number of whole extents that hold ``size`` bytes. LVM rounds sizes up (lvcreate(8), -L)."""
    return ceil_fraction(Fraction(size) / extent_size)


def cow_maximum_extents(origin_size: int, extent_size: int, chunk_size: int = CHUNK_SIZE) -> int:
    """The extents of a COW store that cannot overflow. LVM reduces larger sizes to this maximum.

    From lib/metadata/snapshot_manip.c (cow_max_extents) of LVM 2.03: one chunk for the header, one for each chunk of
    the origin, and one for each area of exceptions, even if it is only partly used. An exception has 16 bytes. This is
    valid for kernels with snapshot target 1.12 or newer, as are all on which this collection runs LVM 2.03.
    """
    origin_chunks = ceil_div(origin_size, chunk_size)
    per_area = chunk_size // _EXCEPTION_BYTES
    metadata_chunks = (origin_chunks + per_area) // per_area
    return extents_for((1 + origin_chunks + metadata_chunks) * chunk_size, extent_size)


def cow_minimum_extents(extent_size: int, chunk_size: int = CHUNK_SIZE) -> int:
    """The smallest number of extents that LVM accepts for a COW store: three chunks (lib/metadata/snapshot_manip.c)."""
    return extents_for(_MINIMUM_CHUNKS * chunk_size, extent_size)


def origin_percent_extents(percent: Fraction, origin_size: int, extent_size: int, chunk_size: int = CHUNK_SIZE) -> int:
    """The extents that ``lvcreate -l P%ORIGIN`` allocates: P% of the origin, and the metadata of a full store.

    From tools/lvcreate.c (_determine_snapshot_size) of LVM 2.03. ``lvextend`` computes %ORIGIN differently.
    """
    origin_extents = extents_for(origin_size, extent_size)
    maximum = cow_maximum_extents(origin_size, extent_size, chunk_size)
    overhead = maximum - origin_extents
    return min(maximum, overhead + ceil_fraction(percent * origin_extents / 100))


def percent_floor(percent: Fraction, extents: int) -> int:
    """A percentage of ``extents`` in whole extents. LVM rounds %FREE and %VG down (lvcreate(8))."""
    return int(percent * extents / 100)


def used_bytes(size: int, used_percent: Fraction) -> int:
    """The most bytes that can be in use in a store of ``size`` bytes. LVM cuts ``used_percent`` to two decimals."""
    return min(size, ceil_fraction(size * (used_percent + Fraction(1, 100)) / 100))


def default_headroom(size: int) -> int:
    """The bytes that must by default be free in a store of ``size`` bytes before a merge: 10%, at most 256 MiB."""
    return min(ceil_div(size, 10), _DEFAULT_HEADROOM_BYTES)


def extents_with_headroom(used: int, headroom: Size | None, *, size: int, extent_size: int) -> int:
    """The extents of a store with ``used`` bytes in use and ``headroom`` free (bytes, or PERCENT of the store).

    ``size`` is the present size of the store. Without ``headroom``, the default for that size applies.
    """
    if headroom is None:
        return extents_for(used + default_headroom(size), extent_size)
    if headroom.unit == "bytes":
        return extents_for(used + headroom.amount, extent_size)
    return extents_for(used / (1 - headroom.amount / 100), extent_size)


@dataclass(frozen=True)
class Share:
    """The space that one member with automatic size wants, in extents: minimum <= estimate <= maximum."""

    minimum: int
    estimate: int
    maximum: int


def share_room(room: int, shares: Sequence[Share]) -> tuple[int, ...] | None:
    """Divide ``room`` extents among ``shares``; None if not even the minimums fit.

    If they fit, all get their maximums, or else their estimates. Otherwise each gets its minimum, and the rest is
    divided in proportion to the difference between estimate and minimum.
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
    """``size`` in bytes as text for users: in the largest binary unit not above it, with at most one decimal."""
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if size >= 1024**power:
            return f"{size / 1024**power:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"
