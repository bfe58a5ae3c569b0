# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of hosts: what is shown of them, and what a spreadsheet makes of them."""

from __future__ import annotations

import unicodedata

import pytest
from fleets import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.text import harmless_cell, visible

ANY = st.text(st.characters(), max_size=300)
# Whitespace and quotes in front do not keep a spreadsheet from a formula.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Derived(str):
    """Like the types of ansible-core for texts that are not trusted: methods return the same type."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("patch_2026_11", "patch_2026_11"),
        ("Grüße, 世界", "Grüße, 世界"),
        ("a\x00\x1b[31m", "a\\x00\\x1b[31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("a\u00a0b", "a\\xa0b"),
        ("\U000e0041", "\\U000e0041"),
        ("x" * 11, "x" * 9 + "…"),
        ("x" * 10, "x" * 10),
    ],
)
def test_what_cannot_be_seen_is_an_escape(text: str, shown: str) -> None:
    assert visible(text, 10 if text.startswith("x") else 50) == shown


@given(ANY, st.integers(1, 50))
def test_every_text_can_be_shown(text: str, most: int) -> None:
    shown = visible(text, most)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown) <= most
    assert visible(shown, most) == shown


@given(ANY)
def test_a_text_that_can_be_seen_stays_as_it_is(text: str) -> None:
    assert not text.isprintable() or visible(text, len(text) + 1) == text


def test_derived_types_become_text() -> None:
    for text in ("a", "a\x00", "a" * 30):
        assert visible(Derived(text), 20).__class__ is str


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text: str) -> None:
    cell = harmless_cell(text)
    assert not cell.lstrip(' "\t\r\n').startswith(FORMULA)
    assert cell.replace("'", "") == text.replace("'", "")


@given(ANY | st.text("=+-@;|'\" \ta1", max_size=12))
def test_no_part_of_a_cell_is_a_formula(text: str) -> None:
    """Whichever separator the program takes."""
    cell = harmless_cell(text)
    for separator in ";|":
        assert not any(part.lstrip(' "').startswith(FORMULA) for part in cell.split(separator))


def test_what_is_harmless_is_not_changed() -> None:
    for text in ("patch-2026", "a = b", "1+1", "/srv/a-b", "2026-11-28", ""):
        assert harmless_cell(text) == text
