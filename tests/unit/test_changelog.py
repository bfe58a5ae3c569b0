# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release in the changelog names every module and role that its documentation says is new in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from documented import MODULES

ROOT = Path(__file__).resolve().parents[2]
RELEASES: dict[str, Any] = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]


def recorded(kind: str) -> set[tuple[str, str, str]]:
    """The version, name and description of each new module or role in the changelog."""
    found = set()
    for version, release in RELEASES.items():
        listed = release.get("modules", []) if kind == "module" else release.get("objects", {}).get(kind, [])
        found |= {(version, one["name"], one["description"]) for one in listed}
    return found


def test_every_new_module_is_in_the_changelog() -> None:
    pages = {name: yaml.safe_load(module.DOCUMENTATION) for name, module in MODULES.items()}
    described = {(page["version_added"], name, page["short_description"]) for name, page in pages.items()}
    assert recorded("module") == {one for one in described if one[0] in RELEASES}
    text = (ROOT / "CHANGELOG.rst").read_text()
    assert [name for name in pages if f"- safepoint.lvm.{name} - " not in text] == []


def test_every_new_role_is_in_the_changelog() -> None:
    specs = {
        file.parents[1].name: yaml.safe_load(file.read_text()) for file in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
    pages = {name: spec["argument_specs"]["main"] for name, spec in specs.items()}
    described = {(page["version_added"], name, page["short_description"]) for name, page in pages.items()}
    assert recorded("role") == {one for one in described if one[0] in RELEASES}
