# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts send is checked: types, sizes, and the total. Nothing makes the report fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fleets import HOSTILE, NOW, info, outcome
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import Visit, make_fleet
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.host import condense, known_look, known_outcome
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.page import page
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.shapes import (
    Each,
    Moment,
    Notes,
    Number,
    Record,
    Text,
)
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.table import table

# Any JSON, and values that only Python's JSON knows.
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
# Results with the keys of snapset_info and anything in them.
KEYS = [*info(), "schema", "looked_at", "protected", "unprotected", "left_out", "wrong", "outcome", "gate", "reason"]
MEMBERS = [
    "name",
    "state",
    "members",
    "created",
    "expires",
    "used_percent",
    "kind",
    "mountpoints",
    "running",
    "deadline",
    "size",
    "free",
]
PARTS = st.dictionaries(
    st.sampled_from(MEMBERS), JSON | st.lists(st.dictionaries(st.sampled_from(MEMBERS), JSON), max_size=2)
)
INFOS = st.dictionaries(st.sampled_from(KEYS), JSON | PARTS | st.lists(PARTS, max_size=3))


def accepted(shape: Any, value: Any) -> tuple[Any, list[str]]:
    notes = Notes(1000)
    return shape.accept(value, "it", notes), notes.wrong


@pytest.mark.parametrize(
    ("shape", "value", "expected", "wrong"),
    [
        (Text(), "a", "a", None),
        (Text(), 1, None, "it must be text"),
        (Number(), 3, 3, None),
        (Number(), True, None, "it must be a whole number, 0 or more"),
        (Number(), -1, None, "it must be a whole number, 0 or more"),
        (Number(), 1.5, None, "it must be a whole number, 0 or more"),
        (Number(), 10**400, None, "it must be a whole number, 0 or more"),
        (Number(whole=False), float("nan"), None, "it must be a number, 0 or more"),
        (Number(whole=False), float("inf"), None, "it must be a number, 0 or more"),
        (Number(whole=False), "1", None, "it must be a number, 0 or more"),
        (Moment(), NOW, "2026-11-28T13:20:00+00:00", None),
        (Moment(), "2026-11-28T14:20:00+01:00", "2026-11-28T13:20:00+00:00", None),
        (Moment(), "2026-11-28T13:20:00Z", "2026-11-28T13:20:00+00:00", None),
        (Moment(), "2026-11-28T13:20:00", None, "it must be a time"),
        (Moment(), "9999-99-99", None, "it must be a time"),
        (Moment(), "0001-01-01T00:00:00+23:59", None, "it must be a time"),
        (Moment(), 10**20, None, "it must be a time"),
        (Each(Text(), 3), ["a", 1, "b"], ["a", "b"], "it[1] must be text"),
        (Each(Text(), 3), {"a": 1}, [], "it must be a list"),
        (Record({"a": Text()}), {"a": "x", "b": 1}, {"a": "x"}, None),
        (Record({"a": Text()}), ["a"], None, "it must be a dictionary"),
    ],
)
def test_types_are_checked(shape: Any, value: Any, expected: Any, wrong: str | None) -> None:
    found, problems = accepted(shape, value)
    assert found == expected
    assert type(found) is type(expected)
    assert [problem.startswith(wrong) for problem in problems if wrong] == ([True] if wrong else [])
    assert bool(problems) is (wrong is not None)


def test_what_is_missing_is_not_wrong() -> None:
    for shape, empty in ((Text(), None), (Number(), None), (Moment(), None), (Each(Text(), 1), []), (Record({}), None)):
        assert accepted(shape, None) == (empty, [])


def test_long_lists_are_cut_and_this_is_said() -> None:
    notes = Notes(1000)
    assert Each(Text(), 2).accept(["a", "b", "c"], "host.names", notes) == ["a", "b"]
    assert notes.cut == ["1 of 3 names are left out"]


@pytest.mark.parametrize("key", ["snapsets", "remarks", "coverage", "volume_groups", "unmanaged_snapshots", "foreign"])
def test_a_host_that_sends_much_gets_a_small_fact(key: str) -> None:
    text = "x" * 10_000
    one: Any = text
    if key != "remarks":
        one = dict.fromkeys(("name", "state", "vg", "mountpoint", "reason", "snapshot", "origin"), text)
        one |= {"members": [{"vg": text, "mountpoints": [text] * 100}] * 100, "vgs": [text] * 100}
    fact = condense(info(**{key: [one] * 10_000}), NOW)
    assert len(json.dumps(fact)) < 60_000
    assert any("are left out" in sentence for sentence in fact["left_out"])
    assert known_look(fact).fact == fact


def test_a_usual_host_has_a_small_fact() -> None:
    fact = condense(info(), NOW)
    assert len(json.dumps(fact, separators=(",", ":"))) < 2500
    assert (fact["left_out"], fact["wrong"]) == ([], [])
    assert known_look(fact).fact == fact
    assert (fact["protected"], [one["mountpoint"] for one in fact["unprotected"]]) == (2, ["/srv/nas"])


def test_fields_of_later_releases_are_kept() -> None:
    snapset = {**info()["snapsets"][0], "expires": NOW, "owner": "Ana", "reason": "OpenSSL", "series": "monthly"}
    (kept,) = condense(info(snapsets=[snapset]), NOW)["snapsets"]
    assert (kept["expires"], kept["owner"]) == ("2026-11-28T13:20:00+00:00", "Ana")
    assert (kept["reason"], kept["series"]) == ("OpenSSL", "monthly")


def test_the_warnings_of_the_host_are_kept() -> None:
    """From the result of the module, not from Ansible's own list, which actions do not get since ansible-core 2.21."""
    fact = condense(info(remarks=["a PV is missing"], warnings=["of Ansible"]), NOW)
    assert fact["warnings"] == ["a PV is missing"]


@pytest.mark.parametrize("fact", [1, "text", [], {}, {"schema": None}, {"schema": 2}, {"schema": "1"}])
def test_a_fact_of_another_schema_is_not_used_and_this_is_said(fact: Any) -> None:
    for known in (known_look(fact), known_outcome(fact)):
        assert known.fact is None
        assert known.problem
        assert known.problem.startswith("the fact safepoint_")


def test_no_fact_is_no_problem() -> None:
    assert known_look(None).problem is known_outcome(None).problem is None


@given(INFOS, INFOS, JSON, st.sampled_from(HOSTILE))
def test_nothing_that_a_host_sends_makes_the_report_fail(
    sent: dict[str, Any], cached: dict[str, Any], looked: Any, name: str
) -> None:
    visits = [
        Visit(name, condense(sent, NOW), outcome("patched", **cached), looked),
        Visit("cached", {"schema": 1, **cached}, {"schema": 1, **sent}, {"failed": True, "msg": looked}),
        Visit("raw", looked, looked, looked),
    ]
    fleet = make_fleet(name, visits, NOW)
    assert len(fleet.rows) == 3
    assert page(fleet).encode()
    assert table(fleet).encode()


@given(INFOS)
def test_a_checked_fact_stays_as_it_is(sent: dict[str, Any]) -> None:
    fact = condense(sent, NOW)
    assert known_look(fact).fact == fact
    assert json.loads(json.dumps(fact, allow_nan=False)) == fact
