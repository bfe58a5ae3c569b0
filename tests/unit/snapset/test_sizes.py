# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from fractions import Fraction
from typing import Any

import builders as b
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import InvalidParameter
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import sizes as _sizes
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.sizes import AUTO, Share, Unit, parse_size

BYTES = st.integers(1, 2**50)
# LVM accepts powers of two from 1 KiB, and chunks from 4 to 512 KiB.
EXTENT_SIZES = st.integers(12, 30).map(lambda power: 2**power)
CHUNK_SIZES = st.integers(12, 19).map(lambda power: 2**power)
PERCENTS = st.fractions(0, 200, max_denominator=100)

# Sizes as users write them


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("10GiB", "bytes", 10 * b.GIB),
        ("10 GiB", "bytes", 10 * b.GIB),
        ("10g", "bytes", 10 * b.GIB),
        ("1.5M", "bytes", b.MIB + b.MIB // 2),
        ("4096", "bytes", 4096),
        ("4096B", "bytes", 4096),
        ("2TiB", "bytes", 2 * 1024 * b.GIB),
        ("1PiB", "bytes", 1024**5),
        ("8kib", "bytes", 8192),
        ("20%ORIGIN", "ORIGIN", 20),
        ("150%origin", "ORIGIN", 150),
        ("50%USED", "USED", 50),
        ("30%FREE", "FREE", 30),
        ("100%VG", "VG", 100),
        ("12.5%", "PERCENT", 12.5),
        ("99.99%", "PERCENT", Fraction("99.99")),
    ],
)
def test_parse(text: str, unit: Unit, amount: Any) -> None:
    size = parse_size(text, parameter="size", units=b.EVERY_UNIT)
    assert (size.unit, size.amount, size.text) == (unit, amount, text)


@pytest.mark.parametrize("text", ["auto", " AUTO "])
def test_auto(text: str) -> None:
    assert parse_size(text, parameter="size", units=("auto", "bytes")) is AUTO


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GiB",
        "-1GiB",
        "1GB",
        "10KB",
        "1.GiB",
        "1,5GiB",
        "1e3",
        "10XiB",
        "5%PV",
        "5%%",
        "10 G i B",
        "+10%",
        "101%FREE",
        "100%",
    ],
)
def test_invalid_sizes(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^min_headroom: '") as caught:
        parse_size(text, parameter="min_headroom", units=b.EVERY_UNIT)
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("5%VG", ("bytes", "PERCENT"), "use bytes or 10GiB (KiB, MiB, GiB, TiB, PiB), 20%"),
        ("20%", ("bytes", "VG"), "use bytes or 10GiB (KiB, MiB, GiB, TiB, PiB), 5%VG"),
        ("auto", ("bytes", "VG"), "use bytes or"),
        ("10GiB", ("auto", "USED", "FREE", "ORIGIN"), "use auto, 50%USED, 30%FREE, 20%ORIGIN"),
    ],
)
def test_units_that_a_parameter_does_not_accept(text: str, units: tuple[Unit, ...], expected: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_size(text, parameter="reserve", units=units)
    assert expected in caught.value.message


@given(st.text("0123456789.,eE+-% kKmMgGtTpPiIbBauto%ORIGINUSEDFREEVG\n٣", max_size=12))
def test_any_text_is_a_size_or_an_error(text: str) -> None:
    try:
        size = parse_size(text, parameter="size", units=b.EVERY_UNIT)
    except InvalidParameter:
        return
    assert size.amount >= 0
    assert size.text == text.strip() or size is AUTO


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (40 * b.MIB, "40 MiB"),
        (1000 * b.GIB, "1000 GiB"),
        (3 * 1024**5, "3072 TiB"),
    ],
)
def test_format(size: int, text: str) -> None:
    assert _sizes.format_bytes(size) == text


@given(BYTES)
def test_formatted_sizes_can_be_parsed(size: int) -> None:
    text = _sizes.format_bytes(size).replace(" bytes", "")
    parsed = parse_size(text, parameter="size", units=("bytes",)).amount
    # With one decimal, the error is at most 5%.
    assert abs(parsed - size) <= size / 20


# LVM's arithmetic


@pytest.mark.parametrize(
    ("percent", "extents"),
    # Seen with lvcreate -l P%ORIGIN on an origin of 200 MiB in extents of 4 MiB; its store is at most 204 MiB.
    [(100, 51), (50, 26), (150, 51), (25, 14), (0, 1)],
)
def test_percent_of_origin_is_that_of_lvcreate(percent: int, extents: int) -> None:
    assert _sizes.origin_percent_extents(Fraction(percent), 200 * b.MIB, b.EXTENT) == extents


@pytest.mark.parametrize(
    ("origin", "chunk", "extents"),
    [
        (200 * b.MIB, 4096, 51),
        (4 * b.MIB, 4096, 2),
        # 256 chunks of 16 KiB and one area of 1024 exceptions: 1 + 256 + 1 chunks.
        (4 * b.MIB, 16384, 2),
        # (1 + 262144 + 1025) chunks of 4 KiB are 1 GiB and 4.0078 MiB.
        (1 * b.GIB, 4096, 258),
        (1 * b.GIB, 512 * 1024, 257),
    ],
)
def test_cow_maximum(origin: int, chunk: int, extents: int) -> None:
    assert _sizes.cow_maximum_extents(origin, b.EXTENT, chunk) == extents


@given(origin=BYTES, more=BYTES, extent=EXTENT_SIZES, chunk=CHUNK_SIZES)
def test_cow_maximum_holds_all_of_the_origin(origin: int, more: int, extent: int, chunk: int) -> None:
    maximum = _sizes.cow_maximum_extents(origin, extent, chunk)
    chunks = -(-origin // chunk)
    # A header, each chunk, and 16 bytes for each; and not more than one area and one extent in addition.
    least = chunk * (1 + chunks) + 16 * chunks
    assert least <= maximum * extent <= least + 2 * chunk + extent
    assert maximum <= _sizes.cow_maximum_extents(origin + more, extent, chunk)


@given(origin=BYTES, extent=EXTENT_SIZES, percent=PERCENTS, more=PERCENTS)
def test_percent_of_origin(origin: int, extent: int, percent: Fraction, more: Fraction) -> None:
    maximum = _sizes.cow_maximum_extents(origin, extent)
    extents = _sizes.origin_percent_extents(percent, origin, extent)
    assert extents <= _sizes.origin_percent_extents(percent + more, origin, extent) <= maximum
    assert _sizes.origin_percent_extents(Fraction(100), origin, extent) == maximum


@given(extent=EXTENT_SIZES, chunk=CHUNK_SIZES)
def test_cow_minimum_is_three_chunks(extent: int, chunk: int) -> None:
    minimum = _sizes.cow_minimum_extents(extent, chunk)
    assert (minimum - 1) * extent < 3 * chunk <= minimum * extent


@given(size=BYTES, extent=EXTENT_SIZES)
def test_sizes_are_rounded_up_to_extents(size: int, extent: int) -> None:
    extents = _sizes.extents_for(size, extent)
    assert (extents - 1) * extent < size <= extents * extent


@given(percent=st.fractions(0, 100), extents=st.integers(0, 10**6))
def test_percents_of_a_group_are_rounded_down(percent: Fraction, extents: int) -> None:
    found = _sizes.percent_floor(percent, extents)
    assert found <= percent * extents / 100 < found + 1


# Used space and headroom


@given(size=BYTES, used=st.integers(0, 10000))
def test_used_bytes_cover_the_decimals_that_lvm_cuts_off(size: int, used: int) -> None:
    reported = Fraction(used, 100)
    found = _sizes.used_bytes(size, reported)
    assert found <= size
    assert found == size or found >= size * (used + 1) / 10000 - 1


@pytest.mark.parametrize(
    ("size", "headroom"), [(100, 10), (101, 11), (40 * b.MIB, 4 * b.MIB), (100 * b.GIB, 256 * b.MIB)]
)
def test_default_headroom(size: int, headroom: int) -> None:
    assert _sizes.default_headroom(size) == headroom


@given(
    size=BYTES,
    part=st.fractions(0, 1),
    extent=EXTENT_SIZES,
    headroom=st.sampled_from([None, "10%", "50%", "99.99%", "1MiB", "10GiB"]),
)
def test_the_new_size_has_the_headroom(size: int, part: Fraction, extent: int, headroom: str | None) -> None:
    used = int(part * size)
    wanted = None if headroom is None else b.size(headroom)
    store = _sizes.extents_with_headroom(used, wanted, size=size, extent_size=extent) * extent
    if wanted is None:
        least = Fraction(_sizes.default_headroom(size))
    else:
        least = wanted.amount if wanted.unit == "bytes" else store * wanted.amount / 100
    assert store - used >= least
    # One extent less would not be enough.
    assert store - extent - used < (least if wanted is None or wanted.unit == "bytes" else least + extent)


# Space for members with automatic sizes


@st.composite
def shares(draw: st.DrawFn) -> Share:
    minimum, estimate, maximum = sorted(draw(st.tuples(*[st.integers(1, 1000)] * 3)))
    return Share(minimum=minimum, estimate=estimate, maximum=maximum)


SHARES = st.lists(shares(), min_size=1, max_size=6)


@given(room=st.integers(-10, 4000), claims=SHARES)
def test_room_is_never_exceeded(room: int, claims: list[Share]) -> None:
    found = _sizes.share_room(room, claims)
    if found is None:
        assert sum(claim.minimum for claim in claims) > room
        return
    assert sum(found) <= room
    assert all(claim.minimum <= extents <= claim.maximum for claim, extents in zip(claims, found))


@given(claims=SHARES, more=st.integers(0, 100))
def test_all_get_the_maximum_if_it_fits(claims: list[Share], more: int) -> None:
    maximums = tuple(claim.maximum for claim in claims)
    assert _sizes.share_room(sum(maximums) + more, claims) == maximums


@given(claims=SHARES)
def test_all_get_the_estimate_if_it_fits(claims: list[Share]) -> None:
    estimates = tuple(claim.estimate for claim in claims)
    assume(estimates != tuple(claim.maximum for claim in claims))
    assert _sizes.share_room(sum(estimates), claims) == estimates


@given(room=st.integers(0, 4000), claims=SHARES)
def test_the_shortage_is_shared_fairly(room: int, claims: list[Share]) -> None:
    found = _sizes.share_room(room, claims)
    assume(found is not None)
    assert found is not None
    wanted = [claim.estimate - claim.minimum for claim in claims]
    given_ = [extents - claim.minimum for extents, claim in zip(found, claims)]
    if sum(claim.estimate for claim in claims) > room:
        # Each gets the same part of what it wants, within one extent, and only little is left.
        assert all(
            abs(got * sum(wanted) - want * sum(given_)) <= len(claims) * sum(wanted)
            for got, want in zip(given_, wanted)
        )
        assert room - sum(found) < len(claims)
