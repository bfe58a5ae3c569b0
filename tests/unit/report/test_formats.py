# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three formats of the report: hostile texts stay texts, sizes, the policy of the page, the schema."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fleets import HOSTILE, NOW, hostile, large, report, small, visit
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.data import document, schema
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.page import page, script_json
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.shown import COLUMNS, TABLES
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.table import table
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.text import visible

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import Fleet

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "fleets.schema.json"
TEXT = st.text(st.characters(), max_size=50)
TAGS = {
    *("html", "meta", "title", "style", "header", "h1", "p", "ul", "li", "span", "b", "i", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "main", "div", "script"),
}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "open",
    "hidden",
    "role",
    "scope",
    "type",
}


class Page(HTMLParser):
    """A page taken apart: its tags, attributes, texts, scripts, and the cells of its rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.texts: list[str] = []
        self._tag = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.tags.append((tag, dict(attrs)))
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in self.inside:
            self.inside[self._tag][-1] += data
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def details(text: str) -> Any:
    """The JSON in the page."""
    return json.loads(Page(text).inside["script"][0])


def rows_of(fleet: Fleet) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(fleet), newline=""), strict=True))


# HTML


@pytest.mark.parametrize(
    "fleet", [report(small()), report(hostile(), HOSTILE[0]), report([])], ids=["small", "hostile", "none"]
)
def test_the_page_has_only_the_tags_and_attributes_that_it_should_have(fleet: Fleet) -> None:
    found = Page(page(fleet))
    assert {tag for tag, _attributes in found.tags} <= TAGS
    assert {name for _tag, attributes in found.tags for name in attributes} <= ATTRIBUTES | {
        "aria-hidden",
        "aria-label",
        "data-n",
    }
    assert [tag for tag, _attributes in found.tags].count("script") == 2


def test_the_policy_allows_only_the_two_texts_of_the_page() -> None:
    found = Page(page(report(small())))
    policies = [attributes["content"] for _tag, attributes in found.tags if attributes.get("http-equiv")]
    ours = {
        f"{directive} 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for directive, text in (("style-src", found.inside["style"][0]), ("script-src", found.inside["script"][1]))
    }
    assert {*str(policies[0]).split("; ")} == {"default-src 'none'", *ours, "base-uri 'none'", "form-action 'none'"}
    # Before anything to which it must apply.
    assert page(report([])).index("Content-Security-Policy") < page(report([])).index("<style")


def test_the_page_names_no_other_resource() -> None:
    text = page(report(small()))
    assert re.findall(r"(?:src|href|url\()\s*=?|@import|https?://", text.replace("-src ", "")) == []


def test_the_script_makes_only_text_nodes() -> None:
    script = Page(page(report([]))).inside["script"][1]
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|setTimeout|Fragment|\.on\w+ ="
    assert re.findall(forbidden, script) == []


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_hostile_texts_are_texts_in_the_page(text: str) -> None:
    fleet = report(hostile(), text)
    found, shown = Page(page(fleet)), visible(text, 200)
    # The title, the heading, and the host.
    assert sum(one.strip() == shown.strip() for one in found.texts) >= 2
    assert any(
        shown in cell for host in details(page(fleet))["hosts"] for _kind, rows in host for row in rows for cell in row
    )


@given(TEXT)
def test_any_name_is_a_text_in_the_page(name: str) -> None:
    found = Page(page(report([visit(name, snapsets=[])])))
    assert visible(name, 200) in "".join(found.texts)
    assert [tag for tag, _attributes in found.tags].count("script") == 2


@given(
    st.recursive(
        TEXT | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    )
)
def test_json_in_a_script_element_is_ascii_without_markup(value: Any) -> None:
    text = script_json(value)
    assert text.isascii()
    assert not set(text) & set("<>&")
    assert json.loads(text) == value


def test_the_details_fit_their_tables() -> None:
    data = details(page(report([*small(), *hostile()])))
    assert [title for title, _columns in data["tables"]] == [title for title, _columns in TABLES]
    for host in data["hosts"]:
        for kind, rows in host:
            assert {len(row) for row in rows} == {len(data["tables"][kind][1])}
            assert all(isinstance(cell, str) for row in rows for cell in row)


def test_every_table_is_used() -> None:
    used = {kind for host in details(page(report([*small(), *hostile()])))["hosts"] for kind, _rows in host}
    assert [title for place, (title, _columns) in enumerate(TABLES) if place not in used] == ["Boot entries"]


def test_a_page_without_javascript_is_the_sorted_table() -> None:
    text = page(report(small()))
    rows = re.findall(r"<tr class=\w+><th scope=row>(\w+)<td>(.*?)<td>(.*?)<td", text)
    assert [name for name, _outcome, _why in rows] == [row.name for row in report(small()).rows]
    assert rows[0][1].endswith("</i> unreachable")
    assert rows[0][2].startswith("the host cannot be reached (Failed to connect")
    head = re.findall(r'<th scope="col">([\w ]+)', text.partition("<caption>")[2])
    assert head == list(COLUMNS)


def test_two_thousand_hosts_are_less_than_3_mb() -> None:
    visits = large()
    assert len(visits) == 2000
    text = page(report(visits))
    assert 1_000_000 < len(text.encode()) < 3_000_000
    # Also if each of them is one that has much to say.
    worst = [visit(f"{one.name}.{number}", one.outcome) for number, one in enumerate(visits)]
    assert len(page(report(worst)).encode()) < 3_000_000


# CSV


def test_the_csv_is_that_of_rfc_4180() -> None:
    text = table(report(small()))
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n") == len(small()) + 1
    first = rows_of(report(small()))[0]
    assert (first["host"], first["outcome"], first["level"]) == ("db3", "unreachable", "bad")
    known = {row["host"]: row for row in rows_of(report(small()))}
    assert known["old1"]["owners"] == "Ana Ruiz"
    assert known["old1"]["expires"] == "2026-11-22T13:20:00+00:00"
    assert known["app2"]["pending_merges"] == "patch_2026_11:sysvg/root"
    assert known["kvm1"]["fullest_percent"] == "87.2"
    assert known["web1"]["age_seconds"] == "7200"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_the_csv_is_a_formula_or_breaks_its_line(text: str) -> None:
    del text
    rows = rows_of(report(hostile()))
    assert len(rows) == len(HOSTILE)
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip(' "').startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))]
    assert all(cell.isprintable() for cell in cells)


@given(st.lists(TEXT, min_size=1, max_size=5, unique=True))
def test_any_names_are_cells(names: list[str]) -> None:
    shown = [row["host"].replace("'", "") for row in rows_of(report([visit(name) for name in names]))]
    assert sorted(shown) == sorted(visible(name, 200).replace("'", "") for name in names)


# JSON


def test_the_schema_in_docs_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema(), "python tests/unit/report_schema.py writes it"


@pytest.mark.parametrize("visits", [small(), hostile(), []], ids=["small", "hostile", "none"])
def test_the_json_has_the_schema(visits: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="this environment has no jsonschema")
    value = json.loads(document(report(visits)))
    checker = jsonschema.Draft202012Validator(schema())
    assert [error.message for error in checker.iter_errors(value)] == []
    value["hosts"].append({"host": 1})
    assert not checker.is_valid(value)


def test_the_json_has_everything() -> None:
    value = json.loads(document(report(small())))
    assert value["made_at"] == "2026-11-28T13:20:00+00:00"
    assert value["hosts_total"] == len(value["hosts"]) == 14
    assert value["outcomes"]["refused"] == 2
    web10 = next(host for host in value["hosts"] if host["host"] == "web10")
    assert web10["safepoint_outcome"]["gate"][0] == {
        "check": "failed units",
        "required": True,
        "difference": "nginx.service failed",
    }
    assert web10["safepoint_report"]["unprotected"][0]["mountpoint"] == "/srv/nas"
    assert NOW == 1795872000
