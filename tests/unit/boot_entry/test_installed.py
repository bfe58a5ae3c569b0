# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of installed boot entries. A directory replaces /boot/safepoint.lvm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry import installed
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.grub import FORMAT, RECORD
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One complete entry, and one whose creation was interrupted."""
    monkeypatch.setattr(installed, "HOME", tmp_path)
    for name in ("a1", "b2"):
        (tmp_path / name).mkdir()
    record = {"format": FORMAT, "name": "patch", "kernel": "6.1", "look": [], "sums": {}}
    (tmp_path / "a1" / RECORD).write_text(json.dumps(record))
    return tmp_path


def _grub_is_damaged() -> None:
    raise FilesFailed("grub-editenv: error: invalid environment block.")


@pytest.mark.usefixtures("home")
def test_an_entry_is_listed_even_if_grub_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "read_grub", _grub_is_damaged)
    listed, warnings = installed.boot_entries()
    assert [(one["name"], one["next_boot"]) for one in listed] == [("patch", None)]
    (warning,) = warnings
    assert warning.startswith("cannot read whether a boot entry is selected for the next boot: grub-editenv: error:")


def test_a_damaged_grub_without_an_entry_is_no_news(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "read_grub", _grub_is_damaged)
    (home / "a1" / RECORD).unlink()
    assert installed.boot_entries() == ([], [])


@pytest.mark.usefixtures("home")
def test_a_host_without_grub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "read_grub", lambda: None)
    listed, warnings = installed.boot_entries()
    assert ([one["next_boot"] for one in listed], warnings) == ([False], [])
