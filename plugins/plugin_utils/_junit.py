# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

r"""The result of a comparison as JUnit XML. Pure; private to this collection.

The texts come from managed hosts. The XML library escapes them; what XML 1.0 cannot contain at all is written as
``\xNN``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

# Only written here, never parsed.
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What is not a Char (XML 1.0, section 2.2), and invisible characters that change the direction of text.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MOST_CHARACTERS = 2000


def junit(host: str, name: str, checks: Iterable[Mapping[str, Any]], other: Sequence[str]) -> bytes:
    """One test suite for a host, with one test case for each of ``checks``, in the form in which the module shows them.

    ``other`` are failures that belong to none of the checks. The text ends with a line feed.
    """
    cases = [_case(check, host) for check in checks]
    if other:
        cases.append(_failed(_named("gate", host), other))
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": 0,
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    attributes = {key: str(value) for key, value in counts.items()}
    root = Element("testsuites", {"name": _text(name), **attributes})
    suite = SubElement(root, "testsuite", {"name": _text(host), **attributes})
    suite.extend(cases)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(check: Mapping[str, Any], host: str) -> Element:
    case = _named(f"{check['check']} {check['key']}".rstrip(), host)
    found = [str(one) for one in check["differences"]]
    if check["outcome"] == "failed":
        return _failed(case, found)
    if check["outcome"] == "not_compared":
        SubElement(case, "skipped", {"message": "it was ill before the change, or could not be observed"})
    elif found:
        SubElement(case, "system-out").text = _text("\n".join([check["outcome"], *found]))
    return case


def _named(name: str, host: str) -> Element:
    return Element("testcase", {"name": _text(name), "classname": _text(host)})


def _failed(case: Element, found: Sequence[str]) -> Element:
    failure = SubElement(case, "failure", {"message": _text(found[0] if found else "failed"), "type": "difference"})
    failure.text = _text("\n".join(found))
    return case


def _text(text: object) -> str:
    """A text without what XML cannot contain, not too long."""
    return _FORBIDDEN.sub(_escaped, str(text)[:_MOST_CHARACTERS])


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode(errors="surrogatepass"))
