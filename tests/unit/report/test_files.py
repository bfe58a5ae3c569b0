# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: whole or not at all, with the mode that is asked for, and not through links of others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.files import CannotWriteError, write_files

if TYPE_CHECKING:
    from pathlib import Path


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_directory_is_made_and_files_are_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "report"
    old = os.umask(0)
    try:
        assert write_files(directory, {"a": "1", "b": "é"}, 0o600) == [directory / "a", directory / "b"]
    finally:
        os.umask(old)
    assert directory.stat().st_mode & 0o777 == 0o700
    write_files(directory, {"a": "2"}, 0o644)
    assert [(directory / name).read_text(encoding="utf-8") for name in names(directory)] == ["2", "é"]
    assert [(directory / name).stat().st_mode & 0o777 for name in names(directory)] == [0o644, 0o600]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write_files(tmp_path, {"a": ""}, 0o644)
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    (tmp_path / "a").symlink_to(other)
    write_files(tmp_path, {"a": "new"}, 0o600)
    assert (other.read_text(), (tmp_path / "a").read_text()) == ("kept", "new")
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("below", ["", "below"])
def test_a_link_of_another_user_is_refused(below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real" / below).mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to("real")
    write_files(link / below, {"a": "1"}, 0o600)
    # It belongs to this user. For another one it is a link of somebody else, unless root has made it.
    uid = link.lstat().st_uid
    if uid == 0:
        os.chown(link, 12345, 12345, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(CannotWriteError, match="link is a symbolic link of another user"):
        write_files(link / below, {"a": "2"}, 0o600)
    assert (tmp_path / "real" / below / "a").read_text() == "1"


def test_if_one_file_cannot_be_written_none_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"a": "old", "b": "old"}, 0o600)
    written: list[int] = []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWriteError, match=r"No space left on device\. Make room, or name another directory"):
        write_files(tmp_path, {"a": "new", "b": "new"}, 0o600)
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["old", "old"]


@pytest.mark.parametrize(
    ("directory", "says"),
    [
        ("none/report", "none/report: No such file or directory. Create the directory above it first"),
        ("file", "file: Not a directory. Name a directory"),
        ("file/below", "file/below: Not a directory. Name a directory"),
    ],
)
def test_what_is_wrong_with_the_directory_is_said(directory: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWriteError, match=says.replace(".", r"\.")):
        write_files(tmp_path / directory, {"a": ""}, 0o600)


def test_a_file_that_is_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(CannotWriteError, match="Is a directory"):
        write_files(tmp_path, {"a": ""}, 0o600)
    assert names(tmp_path) == ["a"]


def test_no_partial_file_is_ever_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    replace = os.replace

    def spied(source: Any, target: Any, **more: Any) -> None:
        seen.append(names(tmp_path))
        replace(source, target, **more)

    monkeypatch.setattr(os, "replace", spied)
    write_files(tmp_path, {"a": "1"}, 0o600)
    assert [name.startswith(".a.") for name in seen[0]] == [True]
    assert names(tmp_path) == ["a"]
