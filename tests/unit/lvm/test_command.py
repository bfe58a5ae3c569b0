# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running LVM and decoding what it prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import command
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm, Report

if TYPE_CHECKING:
    import pytest


def test_the_bytes_of_a_report_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Line ends are not normalized, and bytes that are not UTF-8 become surrogates."""
    printed = SimpleNamespace(stdout=b"a\xff\r\n", stderr=b" \xff\n", returncode=5)
    monkeypatch.setattr("subprocess.run", lambda *_arguments, **_more: printed)
    monkeypatch.setattr(command, "parse_report", lambda text: ((), (text,)))
    text: Any = ("a\udcff\r\n",)
    assert Lvm("lvm").report() == Report((), text, "\udcff")
