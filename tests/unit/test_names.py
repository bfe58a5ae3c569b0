# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of sets, LVs, snapshots and devices."""

from __future__ import annotations

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils import _names

# lib/misc/lvm-string.c of LVM 2.03.
LEGS = ["mimage", "mlog", "rimage", "rmeta"]
PARTS = [
    "cdata",
    "cmeta",
    "corig",
    "cpool",
    "cvol",
    "wcorig",
    "tdata",
    "tmeta",
    "vdata",
    "imeta",
    "iorig",
    "pmspare",
    "vorigin",
]
RESERVED = [f"_{part}" for part in (*LEGS, *PARTS)]


@pytest.mark.parametrize("name", ["a", "a" * 64, "2026-11", ".", "_", "patch_2026.11-1"])
def test_set_names(name: str) -> None:
    assert _names.set_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "a" * 65, "-a", "a b", "a/b", "ä", "a:b", "a\n", "a+b", "@a", "a,b"])
def test_invalid_set_names(name: str) -> None:
    problem = _names.set_name_problem(name)
    assert problem is not None
    assert repr(name) in problem


@pytest.mark.parametrize("name", ["root", "root_snapshot", "a+b", "x.1", "a-b", "cdata", "_cdat"])
def test_lv_names(name: str) -> None:
    assert _names.lv_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-a", "a b", "a/b", "ä", "snapshot1", "snapshot_before", "pvmove0", *(f"a{x}b" for x in RESERVED)],
)
def test_invalid_lv_names(name: str) -> None:
    problem = _names.lv_name_problem(name)
    assert problem is not None
    assert problem.startswith(repr(name))


@pytest.mark.parametrize(
    ("vg", "lv", "suffix", "fits"),
    [
        # Measured on real hosts: with a VG name of two characters, a thick snapshot can have 120 characters, not 121.
        ("vg", "a" * 120, "-cow", True),
        ("vg", "a" * 121, "-cow", False),
        ("vg", "-".join("a" * 46), "-cow", False),
        ("vg", "-".join("a" * 40), "-cow", True),
        ("v-g", "a" * 118, "-cow", True),
        ("v-g", "a" * 119, "-cow", False),
        ("vg", "a" * 119, "-real", True),
        ("vg", "a" * 120, "-real", False),
        # LVM's own limit for its metadata, where hyphens count once.
        ("vg", "a" * 122, "", True),
        ("vg", "a" * 123, "", False),
    ],
)
def test_names_that_fit_device_mapper(vg: str, lv: str, suffix: str, fits: bool) -> None:  # noqa: FBT001
    assert _names.fits_device_mapper(vg, lv, suffix) == fits


@given(vg=strategies.lv_names, lv=strategies.lv_names)
def test_hyphens_count_twice(vg: str, lv: str) -> None:
    length = sum(2 if letter == "-" else 1 for letter in vg + lv)
    assert _names.fits_device_mapper(vg, lv, "-cow") == (length <= 122)
    assert len(_names.device_path(vg, lv)) == length + len("/dev/mapper/-")


@pytest.mark.parametrize(
    ("vg", "lv", "path"), [("vg", "root", "/dev/mapper/vg-root"), ("a-b", "c--d", "/dev/mapper/a--b-c----d")]
)
def test_device_path(vg: str, lv: str, path: str) -> None:
    assert _names.device_path(vg, lv) == path


@given(origin=strategies.lv_names, set_name=strategies.set_names)
def test_hashed_names_are_always_legal_and_short(origin: str, set_name: str) -> None:
    name = _names.hashed_snapshot_name(origin, set_name)
    assert _names.lv_name_problem(name) is None
    # 53 bytes always leave 69 for the name of the VG, with hyphens counted twice.
    assert len(name) <= 53
    assert "-" not in name


@given(pairs=st.lists(st.tuples(strategies.lv_names, strategies.set_names), min_size=2, max_size=4, unique=True))
def test_hashed_names_differ(pairs: list[tuple[str, str]]) -> None:
    assert len({_names.hashed_snapshot_name(*pair) for pair in pairs}) == len(pairs)


def test_generated_names() -> None:
    assert _names.generated_names("root", "patch") == ("root_patch", "root_sp2f4996b0bb")
