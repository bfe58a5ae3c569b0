# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of a baseline: who can read it, and which run wins."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from health_directory import baseline, gate, observed

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._health import store

if TYPE_CHECKING:
    from pathlib import Path

ONE = baseline(gate("mounts"), observed(["mounts / rw"], gate("mounts")))
OTHER = replace(ONE, recorded=ONE.recorded + 1)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where baselines are, in the test. It does not exist yet."""
    found = tmp_path / "lib" / "health"
    monkeypatch.setattr(store, "DIRECTORY", found)
    return found


def test_only_its_owner_can_read_it(directory: Path) -> None:
    former = os.umask(0)
    try:
        assert store.write_baseline(ONE, replace=False)
    finally:
        os.umask(former)
    assert [path.name for path in directory.iterdir()] == ["s.json"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "s.json")] == [0o700, 0o600]
    assert store.read_baseline("s") == ONE


def test_the_first_one_stays_unless_it_is_to_be_replaced(directory: Path) -> None:
    assert store.write_baseline(ONE, replace=False)
    assert not store.write_baseline(OTHER, replace=False)
    assert store.read_baseline("s") == ONE
    assert store.write_baseline(OTHER, replace=True)
    assert store.read_baseline("s") == OTHER
    assert len(list(directory.iterdir())) == 1


def test_it_is_removed(directory: Path) -> None:
    store.remove_baseline("s")
    assert not directory.exists()
    store.write_baseline(ONE, replace=False)
    store.remove_baseline("s")
    assert (store.read_baseline("s"), list(directory.iterdir())) == (None, [])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_that_others_can_use_is_refused(mode: int, directory: Path) -> None:
    store.write_baseline(ONE, replace=False)
    (directory / "s.json").chmod(mode)
    with pytest.raises(FilesFailed, match=r"s\.json is not safe"):
        store.read_baseline("s")
    (directory / "s.json").chmod(0o600)
    directory.chmod(0o755)
    with pytest.raises(FilesFailed, match="health is not safe"):
        store.read_baseline("s")


def test_a_directory_that_others_can_use_is_refused_before_it_is_written(directory: Path) -> None:
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    with pytest.raises(FilesFailed, match="health is not safe"):
        store.write_baseline(ONE, replace=True)
    assert list(directory.iterdir()) == []


def test_a_link_is_refused(directory: Path, tmp_path: Path) -> None:
    store.write_baseline(ONE, replace=False)
    (directory / "s.json").rename(tmp_path / "elsewhere")
    (directory / "s.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FilesFailed, match="is not safe"):
        store.read_baseline("s")


def test_a_file_of_somebody_else_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_baseline(ONE, replace=False)
    there = (directory / "s.json").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: there + 1)
    with pytest.raises(FilesFailed, match="is not safe"):
        store.read_baseline("s")


@pytest.mark.parametrize("text", ["", "{", '{"version": 2}', ONE.to_json().replace('"s"', '"t"')])
def test_a_damaged_file_is_an_error(text: str, directory: Path) -> None:
    store.write_baseline(ONE, replace=False)
    (directory / "s.json").write_text(text)
    with pytest.raises(FilesFailed, match=r"s\.json is damaged"):
        store.read_baseline("s")
