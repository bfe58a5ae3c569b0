# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment in which programs run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.safepoint.lvm.plugins.module_utils._host.process import clean_environment

if TYPE_CHECKING:
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
