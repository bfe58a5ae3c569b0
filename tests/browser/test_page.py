# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the report in a browser: it sorts, filters, opens details, prints, and runs nothing that hosts send."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from unit.fleets import HOSTILE, hostile, large, report, small

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.page import page
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.shown import COLUMNS
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.text import visible

if TYPE_CHECKING:
    from pathlib import Path

    from chromium import Browser

WIDE, NARROW = (1400, 1000), (420, 900)
BODY = "[...document.querySelectorAll('#hosts > tbody > tr:not(.detail)')]"
SHOWN = f"{BODY}.filter((row) => row.checkVisibility())"
NAMES = f"{SHOWN}.map((row) => row.cells[0].textContent)"
IN_ORDER = [row.name for row in report(small()).rows]


def button(name: str) -> str:
    """The button with this text."""
    return f"[...document.querySelectorAll('button')].find((one) => one.textContent.trim() === {json.dumps(name)})"


def click(browser: Browser, name: str) -> None:
    browser.run(f"{button(name)}.click()")


def type_text(browser: Browser, text: str) -> None:
    """Type into the filter as a user does."""
    browser.run("document.getElementById('filter').select()")
    browser.send("Input.insertText", text=text)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each fleet, by name."""
    home = tmp_path_factory.mktemp("pages")
    fleets = {"small": report(small()), "large": report(large()), "none": report([])}
    for name, fleet in {**fleets, "hostile": report(hostile(), HOSTILE[0])}.items():
        (home / f"{name}.html").write_text(page(fleet), encoding="utf-8")
    return {path.stem: path for path in home.iterdir()}


@pytest.fixture
def small_page(browser: Browser, pages: dict[str, Path]) -> Browser:
    browser.window(*WIDE)
    browser.open(pages["small"])
    return browser


def test_the_page_loads_nothing_and_has_no_errors(small_page: Browser) -> None:
    assert small_page.noticed() == []
    assert small_page.run(NAMES) == IN_ORDER
    assert small_page.run("document.title") == "Safe points of the fleet"


def test_what_is_not_as_it_should_be_would_be_noticed(browser: Browser, tmp_path: Path) -> None:
    """Otherwise the tests above and below would prove nothing."""
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    bad = {
        "error": "<script>nothing()</script>",
        "dialog": "<script>setTimeout(() => alert(1), 0)</script>",
        "elsewhere": "<img src=http://127.0.0.1:1/x>",
        "policy": f"{policy}<script>1</script>",
    }
    for name, text in bad.items():
        path = tmp_path / f"{name}.html"
        path.write_text(f"<!DOCTYPE html>{text}")
        browser.open(path)
        assert browser.noticed(), name
        if name == "dialog":
            browser.send("Page.handleJavaScriptDialog", accept=True)


@pytest.mark.parametrize(
    ("column", "least", "most"),
    [
        ("Host", "app1", "web10"),
        ("Oldest", "mail1", "old1"),
        ("Expires", "old1", "app1"),
        ("Fullest", "db3", "mail1"),
        ("Looked at", "db3", "mail1"),
    ],
)
def test_a_column_sorts_in_both_directions(column: str, least: str, most: str, small_page: Browser) -> None:
    place = COLUMNS.index(column)
    for first, direction in ((least, "ascending"), (most, "descending")):
        click(small_page, column)
        names = small_page.run(NAMES)
        assert names[0] == first
        assert sorted(names) == sorted(IN_ORDER)
        assert small_page.run(f"{button(column)}.parentElement.getAttribute('aria-sort')") == direction
        # Empty cells come last in both directions.
        empty = small_page.run(f"{SHOWN}.map((row) => row.cells[{place}].textContent === '')")
        assert empty == sorted(empty)
    click(small_page, "Outcome")
    assert small_page.run(NAMES) == IN_ORDER
    assert small_page.run("document.querySelectorAll('[aria-sort]').length") == 1


def test_names_sort_by_their_numbers(small_page: Browser) -> None:
    click(small_page, "Host")
    names = small_page.run(NAMES)
    assert [name for name in names if name.startswith("web")] == ["web1", "web2", "web10"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nginx", {"web10"}),
        ("ANA ruiz openssl", {"old1"}),
        ("no route to host", {"db3"}),
        ("db_before_migration", {"old1"}),
        ("nothing of this kind", set()),
    ],
)
def test_the_filter_finds_what_is_in_the_rows_and_in_the_details(
    text: str, names: set[str], small_page: Browser
) -> None:
    type_text(small_page, text)
    assert set(small_page.run(NAMES)) == names
    assert small_page.run("document.getElementById('shown').textContent") == f"{len(names)} of 14 hosts"
    click(small_page, "Show all")
    assert small_page.run(NAMES) == IN_ORDER
    assert small_page.run("document.getElementById('shown').textContent") == ""


def test_outcomes_and_reasons_filter(small_page: Browser) -> None:
    chip = "[...document.querySelectorAll('#outcomes button')].find((one) => one.textContent.includes('{}'))"
    small_page.run(f"{chip.format('refused')}.click()")
    assert small_page.run(NAMES) == ["db1", "db2"]
    small_page.run(f"{chip.format('unreachable')}.click()")
    assert small_page.run(NAMES) == ["db3", "db1", "db2"]
    assert small_page.run(f"{chip.format('refused')}.getAttribute('aria-pressed')") == "true"
    small_page.run(f"{chip.format('refused')}.click()")
    assert small_page.run(NAMES) == ["db3"]
    click(small_page, "Show all")
    assert small_page.run("document.querySelectorAll('[aria-pressed=true]').length") == 0
    small_page.run("document.querySelector('[aria-label*=\"VG sysvg lacks\"]').click()")
    assert small_page.run(NAMES) == ["db1", "db2"]


def test_details_open_by_keyboard_and_stay_with_their_host(small_page: Browser) -> None:
    small_page.run(f"{button('web10')}.focus()")
    for expanded in ("true", "false", "true"):
        small_page.press("Enter", 13)
        assert small_page.run(f"{button('web10')}.getAttribute('aria-expanded')") == expanded
    details = f"document.getElementById({button('web10')}.getAttribute('aria-controls'))"
    text = small_page.run(f"{details}.innerText")
    assert "nginx.service failed" in text
    assert "evidence/web10" in text
    click(small_page, "Host")
    assert small_page.run(f"{details}.previousElementSibling.cells[0].textContent") == "web10"
    type_text(small_page, "app1")
    assert small_page.run(f"{details}.checkVisibility()") is False
    # A column without any value is left out.
    click(small_page, "Show all")
    click(small_page, "old1")
    titles = f"[...document.getElementById({button('old1')}.getAttribute('aria-controls')).querySelectorAll('th')]"
    names = small_page.run(f"{titles}.map((one) => one.textContent)")
    assert {"Owner", "Reason", "Series"} <= set(names)
    assert "Rolled back" not in names


def test_every_control_is_reached_by_tab_and_shows_the_focus(small_page: Browser) -> None:
    seen: list[list[Any]] = []
    small_page.run("document.activeElement.blur()")
    for _step in range(24):
        small_page.press("Tab", 9)
        seen.append(
            small_page.run(
                "(() => { const one = document.activeElement; const style = getComputedStyle(one);"
                " return [one.tagName, parseFloat(style.outlineWidth)]; })()"
            )
        )
    assert {tag for tag, _width in seen} >= {"BUTTON", "INPUT", "SUMMARY"}
    assert [one for one in seen if one[1] < 1] == []


def test_hostile_texts_stay_texts(browser: Browser, pages: dict[str, Path]) -> None:
    browser.window(*WIDE)
    browser.open(pages["hostile"])
    browser.run(f"{BODY}.forEach((row) => row.cells[0].firstElementChild.click())")
    assert browser.noticed() == []
    assert browser.run("document.title") == HOSTILE[0]
    assert sorted(browser.run(NAMES)) == sorted(row.name for row in report(hostile()).rows)
    shown = browser.run("document.body.textContent")
    assert [text for text in HOSTILE if visible(text, 200) not in shown] == []
    tags = set(browser.run("[...new Set([...document.querySelectorAll('*')].map((one) => one.tagName))]"))
    assert not tags & {"IMG", "SVG", "IFRAME", "OBJECT", "A", "FORM"}
    assert browser.run("document.querySelectorAll('script').length") == 2
    # No text is wider than the page, however long it is.
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")


def test_two_thousand_hosts_are_usable(browser: Browser, pages: dict[str, Path]) -> None:
    browser.window(*WIDE)
    browser.open(pages["large"])
    assert browser.noticed() == []
    assert browser.run(f"{SHOWN}.length") == len(large()) == 2000
    type_text(browser, "rack7.example")
    assert browser.run(f"{SHOWN}.length") == 50
    click(browser, "Looked at")
    click(browser, browser.run(NAMES)[0])
    assert browser.run("document.querySelectorAll('tr.detail').length") == 1
    click(browser, "Show all")
    click(browser, "Host")
    assert browser.run(NAMES)[:2] == ["host0000.rack0.example.com", "host0001.rack1.example.com"]


def test_without_javascript_it_is_a_sorted_table(browser: Browser, pages: dict[str, Path], pictures: Path) -> None:
    browser.window(*WIDE)
    browser.open(pages["small"], scripts=False)
    browser.screenshot(pictures / "without-javascript.png")
    assert browser.run(NAMES) == IN_ORDER
    assert browser.run("document.querySelectorAll('button, input').length") == 0
    assert browser.run("document.getElementById('controls').checkVisibility()") is False


def test_a_report_without_hosts_is_a_page(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["none"])
    assert browser.noticed() == []
    assert "0 hosts" in browser.run("document.body.innerText")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_is_readable_in_every_form(
    size: tuple[int, int], theme: str, browser: Browser, pages: dict[str, Path], pictures: Path
) -> None:
    browser.window(*size, dark=theme == "dark")
    browser.open(pages["small"])
    click(browser, "web10")
    browser.screenshot(pictures / f"{theme}-{size[0]}.png", whole=True)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run(CONTRASTS) == []
    # In every row a sign and a word say what the colour says.
    texts = browser.run(f"{BODY}.map((row) => row.cells[1].textContent)")
    assert all(re.fullmatch(r"[✕▲✓] \w[\w ]+", text) for text in texts)


# Texts whose contrast with the page is less than 4.5 (WCAG 2.2, 1.4.3).
CONTRASTS = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).slice(0, 4).map(Number);
  const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !one.checkVisibility() || one.closest("script, :disabled")) continue;
    const [a, b] = [luminance(parse(getComputedStyle(one).color)), luminance(behind(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.push([texts.currentNode.data, contrast]);
  }
  return low;
})()
"""


def test_it_prints(browser: Browser, pages: dict[str, Path], pictures: Path) -> None:
    browser.window(*WIDE, dark=True)
    browser.open(pages["small"])
    click(browser, "web10")
    data = browser.pdf()
    (pictures / "small.pdf").write_bytes(data)
    assert data.startswith(b"%PDF-")
    # A4 across, in points.
    assert re.search(rb"/MediaBox\s*\[\s*0 0 84[12](?:\.\d+)? 59[45]", data)
    if shutil.which("pdftotext"):
        argv = ["pdftotext", "-layout", str(pictures / "small.pdf"), "-"]
        text = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
        assert all(name in text for name in IN_ORDER)
        assert "nginx.service failed" in text
        assert "Show all" not in text
