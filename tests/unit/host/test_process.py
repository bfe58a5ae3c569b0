# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment in which programs run, and where they are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.safepoint.lvm.plugins.module_utils._host.process import clean_environment, find_tool

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_environment_of_lvm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LVM_SYSTEM_DIR", "LVM_SUPPRESS_LOCKING_FAILURE_MESSAGES", "DM_DEV_DIR", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PATH", "/usr/sbin")
    environment = clean_environment()
    odd = {key for key in environment if key.startswith(("LVM_", "DM_", "LC_", "LANG"))}
    assert odd == {"LC_ALL", "LVM_SUPPRESS_FD_WARNINGS"}
    assert environment["LC_ALL"] == "C"
    assert environment["PATH"] == "/usr/sbin"


def test_the_programs_of_the_system_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who became root may have others in the PATH."""
    for name in ("sh", "only-here"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    assert find_tool("sh") in ("/usr/bin/sh", "/bin/sh")
    assert find_tool("only-here") == str(tmp_path / "only-here")
    assert find_tool("nowhere-at-all") is None
