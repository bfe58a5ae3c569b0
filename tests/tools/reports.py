# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""JUnit reports: in this form all kinds of tests report their counts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A test that was run: its name, its duration in seconds, and its output if it failed."""

    name: str
    seconds: float
    failure: str | None = None


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add two counts."""
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        """Return the counts as text: `12 passed, 0 failed`, and how many were skipped, if any."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def write(path: Path, suite: str, cases: Iterable[Case]) -> None:
    """Write a JUnit report with one suite."""
    root = ET.Element("testsuites")
    group = ET.SubElement(root, "testsuite", name=suite)
    for case in cases:
        element = ET.SubElement(group, "testcase", classname=suite, name=case.name, time=f"{case.seconds:.1f}")
        if case.failure is not None:
            ET.SubElement(element, "failure").text = "".join(char for char in case.failure if _fits_in_xml(char))
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def count(folder: Path) -> Counts:
    """Add up all JUnit reports below a directory. A report that cannot be read counts as one failure."""
    return sum((_count_file(path) for path in sorted(folder.rglob("*.xml"))), Counts())


def _count_file(path: Path) -> Counts:
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except ET.ParseError:
        return Counts(failed=1)
    return sum((_count_case(case) for case in cases), Counts())


def _count_case(case: ET.Element) -> Counts:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return Counts(failed=1)
    return Counts(skipped=1) if "skipped" in kinds else Counts(passed=1)


def _fits_in_xml(char: str) -> bool:
    return char in "\t\n\r" or char >= " "
