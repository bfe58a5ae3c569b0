# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounting the filesystem of an auxiliary LV. No filesystem is mounted here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed, SafepointError
from ansible_collections.safepoint.lvm.plugins.module_utils._host import filesystem

if TYPE_CHECKING:
    from pathlib import Path

BUSY = FilesFailed("umount failed: target is busy", cmd=["umount"])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were run. The one that is called "umount" fails if the list has the word "busy"."""
    names: list[str] = []

    def run_tool(name: str, *_arguments: str) -> str:
        names.append(name)
        if name == "umount" and "busy" in names:
            raise BUSY
        return ""

    monkeypatch.setattr(filesystem, "run_tool", run_tool)
    monkeypatch.setattr(filesystem, "_enter_private_mount_namespace", lambda: None)
    monkeypatch.setattr(filesystem, "RUN_DIRECTORY", str(tmp_path / "run"))
    return names


@pytest.mark.parametrize(
    "error", [FilesFailed("the copy is damaged", changed=True), OSError(5, "Input/output error", "/x")], ids=str
)
def test_the_first_error_stays(run: list[str], error: SafepointError | OSError) -> None:
    with pytest.raises(type(error)) as caught, filesystem.mounted("/dev/vg/a"):
        raise error
    assert caught.value is error
    assert run == ["mount", "umount"]


def test_unmounting_fails_after_another_error(run: list[str]) -> None:
    run.append("busy")
    with pytest.raises(FilesFailed) as caught, filesystem.mounted("/dev/vg/a"):
        raise FilesFailed("the copy is damaged", changed=True)
    assert caught.value.message == "the copy is damaged; then umount failed: target is busy"
    assert caught.value.details == {"changed": True}


def test_unmounting_fails(run: list[str]) -> None:
    run.append("busy")
    with pytest.raises(FilesFailed, match=r"^umount failed: target is busy$"), filesystem.mounted("/dev/vg/a"):
        pass
