# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JUnit XML of a comparison: its counts, and texts of any kind."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.action.health_junit import _xml, file_name
from ansible_collections.safepoint.lvm.plugins.plugin_utils._junit import junit


def parsed(text: bytes) -> ET.Element:
    """The root of an XML text, which must be valid."""
    parser: Any = ET.XMLPullParser(["start"])
    parser.feed(text)
    parser.close()
    root = next(iter(parser.read_events()))[1]
    assert isinstance(root, ET.Element)
    return root


ANY_TEXT = st.text(st.characters())
HOSTILE = [
    "]]>",
    "<!-- -->",
    "</failure>",
    "&lt;&amp;",
    "\"'",
    "\x00\x1b[31m",
    "\u202egnp",
    "\ud800",
    "\ufffe",
    "{{ x }}",
]


def check(outcome: str, *differences: str, name: str = "mounts", key: str = "") -> dict[str, Any]:
    return {"check": name, "key": key, "level": "required", "outcome": outcome, "differences": list(differences)}


def test_the_suite_of_a_host() -> None:
    checks = [
        check("passed", name="boot"),
        check("failed", "mounts /a: was rw, is -", "mounts /b: was rw, is ro"),
        check("warned", "time_sync clock: was a, is b", name="time_sync"),
        check("not_compared", name="commands", key="c"),
    ]
    root = parsed(junit("web1", "health s", checks, ["gate well_for: was 60s, is 20s"]))
    (suite,) = root
    for element in (root, suite):
        assert {key: element.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": "5",
            "failures": "2",
            "errors": "0",
            "skipped": "1",
        }
    assert (root.attrib["name"], suite.attrib["name"]) == ("health s", "web1")
    assert [case.attrib["name"] for case in suite] == ["boot", "mounts", "time_sync", "commands c", "gate"]
    assert [[part.tag for part in case] for case in suite] == [
        [],
        ["failure"],
        ["system-out"],
        ["skipped"],
        ["failure"],
    ]
    assert suite[1][0].attrib["message"] == "mounts /a: was rw, is -"
    assert suite[1][0].text == "mounts /a: was rw, is -\nmounts /b: was rw, is ro"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_text_makes_valid_xml(host: str, key: str, difference: str) -> None:
    root = parsed(junit(host, host, [check("failed", difference, key=key)], [difference]))
    assert [element.tag for element in root.iter()] == [
        *("testsuites", "testsuite", "testcase", "failure", "testcase", "failure"),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_xml_can_contain_is_not_lost(text: str) -> None:
    found = parsed(junit("h", "s", [check("failed", text)], []))[0][0][0].text
    expected = {
        "\x00\x1b[31m": r"\x00\x1b[31m",
        "\u202egnp": r"\xe2\x80\xaegnp",
        "\ud800": r"\xed\xa0\x80",
        "\ufffe": r"\xef\xbf\xbe",
    }
    assert found == expected.get(text, text)


def test_a_text_is_not_too_long() -> None:
    assert len(junit("h", "s", [check("failed", "x" * 1_000_000)], [])) < 10_000


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("web1.example.com", "web1.example.com.xml"),
        ("../../etc/x", "..%2F..%2Fetc%2Fx.xml"),
        ("a b\n", "a%20b%0A.xml"),
        ("..", "...xml"),
        ("h" * 1000, "h" * 200 + ".xml"),
    ],
)
def test_the_file_is_inside_the_directory(host: str, name: str) -> None:
    assert file_name(host) == name


def test_failures_of_the_gate_itself_are_a_case() -> None:
    late = {"check": "gate", "key": "well_for", "before": "60", "now": "20", "verdict": "failure"}
    note = {"check": "mounts", "key": "/a", "before": "-", "now": "rw", "verdict": "note"}
    result = {"checks": [check("passed")], "differences": [late, note], "health": {"name": "s"}}
    (suite,) = parsed(_xml("h", result))
    assert [case.attrib["name"] for case in suite] == ["mounts", "gate"]
    assert suite.attrib["failures"] == "1"
