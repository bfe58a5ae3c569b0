# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sizes of the COW stores of a new set."""

from __future__ import annotations

from typing import Any

import builders as b
import driver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.allocation import (
    CowAllocation,
    freed_extents,
    room_problems,
    size_snapshots,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateThick

# 200 MiB are 50 extents. The store has at most 51 extents, and at least 5 if its size is automatic.
A = b.volume("vg/a")
B = b.volume("vg/b")


def _stores(
    *volumes: str, free: int = 500, used: int | None = None, mounted: bool = True, **wish: Any
) -> dict[str, int]:
    """The extents of each store of a new set. In vg/a and vg/b, ``used`` MiB are in use."""
    mounts = {"/a": A, "/b": B} if mounted else {}
    bytes_used = None if used is None else used * b.MIB
    host_state = b.host_state([A, B], groups=[b.group(free=free)], mounts=mounts, used=bytes_used)
    steps = driver.plan(host_state, b.request(*volumes, **wish)).steps
    return {step.origin: step.extents for step in steps if isinstance(step, CreateThick)}


@pytest.mark.parametrize(
    ("text", "extents"),
    [
        ("40MiB", 10),
        ("41MiB", 11),
        ("1GiB", 51),
        ("12KiB", 1),
        ("100%ORIGIN", 51),
        ("50%ORIGIN", 26),
        ("150%ORIGIN", 51),
        ("1%FREE", 5),
        ("2%VG", 20),
        ("50%USED", 8),
        ("100%USED", 15),
    ],
)
def test_explicit_sizes(text: str, extents: int) -> None:
    assert _stores(f"vg/a={text}", used=60) == {"a": extents}
    assert _stores("vg/a", used=60, size=text) == {"a": extents}


def test_the_size_of_one_lv_overrides_the_size_of_the_set() -> None:
    assert _stores("vg/a=40MiB", "vg/b", size="80MiB") == {"a": 10, "b": 20}


@pytest.mark.parametrize(
    ("case", "stores"),
    [
        # The maximum of both, if it fits.
        ({"free": 102}, {"a": 51, "b": 51}),
        # Then the used space, at least 10% of the origin.
        ({"free": 101, "used": 60}, {"a": 15, "b": 15}),
        ({"free": 101, "used": 1}, {"a": 5, "b": 5}),
        ({"free": 30, "used": 60}, {"a": 15, "b": 15}),
        # Then as much of that as is free.
        ({"free": 29, "used": 60}, {"a": 14, "b": 14}),
        ({"free": 10, "used": 60}, {"a": 5, "b": 5}),
        # The used space of an LV that is not mounted is unknown.
        ({"free": 101, "mounted": False}, {"a": 50, "b": 50}),
        # Explicit sizes are allocated first.
        ({"free": 91, "size_of_b": "=160MiB"}, {"a": 51, "b": 40}),
    ],
)
def test_automatic_sizes(case: dict[str, Any], stores: dict[str, int]) -> None:
    own = case.pop("size_of_b", "")
    assert _stores("vg/a", f"vg/b{own}", **case) == stores


def test_reserve_stays_free() -> None:
    assert _stores("vg/a", free=61, reserve="40MiB") == {"a": 51}
    assert _stores("vg/a", free=60, reserve="40MiB", used=20) == {"a": 5}
    assert _stores("vg/a", free=101, reserve="5%VG") == {"a": 51}
    assert _stores("vg/a", free=100, reserve="5%VG", used=20) == {"a": 5}


def test_too_little_space_is_reported_once_for_each_group() -> None:
    volumes = [A, B, b.volume("other/c")]
    host_state = b.host_state(volumes, groups=[b.group(free=60), b.group("other", free=0)])
    reasons = driver.reasons(host_state, b.request("vg/a", "vg/b", "other/c", size="160MiB", reserve="1%VG"))
    first, second = reasons
    assert first == (
        "VG vg has too little space: 320 MiB (80 extents) are needed for a, b, but 200 MiB (50 extents) can be used "
        "(240 MiB (60 extents) free, reserve 1%VG): add a PV, lower reserve, or request less (size)"
    )
    assert second == (
        "VG other has too little space: 160 MiB (40 extents) are needed for c, but 0 bytes (0 extents) can be used "
        "(0 bytes (0 extents) free, reserve 1%VG): add a PV, lower reserve, or request less (size)"
    )


def test_automatic_sizes_that_do_not_fit_at_all() -> None:
    host_state = b.host_state([A, B], groups=[b.group(free=9)])
    (reason,) = driver.reasons(host_state, b.request("vg/a", "vg/b"))
    assert "40 MiB (10 extents) are needed for a, b, but 36 MiB (9 extents) can be used" in reason
    assert reason.endswith("(36 MiB (9 extents) free, reserve 0%VG): add a PV, or request less (size)")


@pytest.mark.parametrize(("extent", "text"), [(4096, "8KiB"), (4096, "0"), (b.EXTENT, "0%FREE")])
def test_too_small_a_size(extent: int, text: str) -> None:
    host_state = b.host_state([A], groups=[b.group(extent_size=extent, extents=10**6, free=10**6)])
    (reason,) = driver.reasons(host_state, b.request(f"vg/a={text}"))
    assert reason.startswith(
        f"{text} is too small for a snapshot of vg/a: LVM needs at least {'12 KiB' if extent == 4096 else '4 MiB'}"
    )


def test_used_space_of_an_lv_that_is_not_mounted() -> None:
    (reason,) = driver.reasons(b.host_state([A]), b.request("vg/a=50%USED"))
    assert reason.startswith("vg/a is not mounted, so 50%USED cannot be computed")


def test_extents_of_leftovers_can_be_used_but_do_not_count_as_free() -> None:
    leftover = b.member(A, sealed=False)
    host_state = b.host_state([A, leftover], groups=[b.group(free=41)])
    plan = driver.plan(host_state, b.request("vg/a"))
    assert [step.extents for step in plan.steps if isinstance(step, CreateThick)] == [51]
    assert freed_extents(host_state, [leftover]) == {"vg": 10}
    half = driver.plan(host_state, b.request("vg/a=50%FREE"))
    assert [step.extents for step in half.steps if isinstance(step, CreateThick)] == [20]


def test_thin_volumes_free_nothing() -> None:
    origin = b.thin("vg/t")
    snapshot = b.thin_snapshot(origin, "s")
    assert freed_extents(b.host_state([origin, snapshot]), [snapshot]) == {}


def test_an_exact_fit_is_accepted() -> None:
    host_state = b.host_state([A], groups=[b.group(free=20)])

    def problems(extra: int) -> list[str]:
        allocation = CowAllocation(vg="vg", origin="a", extents=30, extra=extra, extent_size=b.EXTENT)
        return list(room_problems(host_state, [allocation], b.size("40MiB"), parameters="size"))

    assert problems(10) == []
    assert len(problems(11)) == 1


TEXTS = st.sampled_from(["auto", "40MiB", "1GiB", "30%ORIGIN", "10%FREE", "5%VG", "50%USED"])


@given(
    free=st.integers(0, 400),
    sizes=st.lists(st.tuples(st.integers(1, 800), TEXTS), min_size=1, max_size=4),
    reserve=st.sampled_from(["0%VG", "5%VG", "100MiB"]),
    used=st.integers(0, 800),
)
def test_stores_fit_or_the_shortfall_is_reported(
    free: int, sizes: list[tuple[int, str]], reserve: str, used: int
) -> None:
    origins = [b.volume(f"vg/lv{place}", extents * b.EXTENT) for place, (extents, _text) in enumerate(sizes)]
    mounts = {f"/{origin.name}": origin for origin in origins}
    host_state = b.host_state(origins, groups=[b.group(free=free)], mounts=mounts, used=used * b.MIB)
    wish = b.request(*(f"vg/lv{place}={text}" for place, (_extents, text) in enumerate(sizes)), reserve=reserve)
    wanted = driver.selected(host_state, wish)
    allocations, reasons = size_snapshots(host_state, wanted, default=wish.size, reserve=wish.reserve, freed={})
    kept = {"0%VG": 0, "5%VG": 50, "100MiB": 25}[reserve]
    if not reasons:
        assert sum(allocation.extra for allocation in allocations) <= max(0, free - kept)
        assert len(allocations) == len(origins)
    by_name = {origin.name: origin for origin in origins}
    assert all(
        1 <= allocation.extents <= by_name[allocation.origin].size // b.EXTENT * 1.01 + 2 for allocation in allocations
    )
