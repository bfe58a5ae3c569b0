# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host with pending merges must not go down: what is read, and what is forbidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import facts, steps
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Shutdown

if TYPE_CHECKING:
    from pathlib import Path


def set_path(monkeypatch: pytest.MonkeyPatch, name: str, path: Path) -> None:
    for module in (facts, steps):
        monkeypatch.setattr(module, name, path, raising=False)


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with systemd and a kernel that has kexec; the names of its files are those of the constants."""
    for name in ("KEXEC_LOADED", "KEXEC_LIMIT", "KEXEC_DISABLED"):
        set_path(monkeypatch, name, tmp_path / name)
    set_path(monkeypatch, "NO_HIBERNATION", tmp_path / "sleep.conf.d" / "zzz.conf")
    set_path(monkeypatch, "SYSTEMD", tmp_path)
    (tmp_path / "KEXEC_LOADED").write_text("0\n")
    (tmp_path / "KEXEC_DISABLED").write_text("0\n")
    return tmp_path


@pytest.mark.parametrize(
    ("loaded", "limit", "disabled", "kexec"),
    [
        ("0", None, "0", "allowed"),
        ("0", "-1", "0", "allowed"),
        ("0", "0", "0", ""),
        ("0", "-1", "1", ""),
        ("1", "0", "1", "loaded"),
    ],
)
def test_kexec(top: Path, loaded: str, limit: str | None, disabled: str, kexec: str) -> None:
    (top / "KEXEC_LOADED").write_text(f"{loaded}\n")
    (top / "KEXEC_DISABLED").write_text(f"{disabled}\n")
    if limit is not None:
        (top / "KEXEC_LIMIT").write_text(f"{limit}\n")
    assert facts._shutdown() == Shutdown("allowed", kexec)  # type: ignore[arg-type]


def test_a_kernel_without_kexec_and_a_host_without_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEXEC_LOADED", "KEXEC_LIMIT", "KEXEC_DISABLED", "NO_HIBERNATION", "SYSTEMD"):
        set_path(monkeypatch, name, tmp_path / name)
    assert facts._shutdown() == Shutdown()


def test_hibernation_is_forbidden_and_allowed_again(top: Path) -> None:
    steps.forbid_hibernation()
    assert facts._shutdown().hibernation == "forbidden"
    assert "AllowHibernation=no" in (top / "sleep.conf.d" / "zzz.conf").read_text()
    assert steps.allow_hibernation()
    assert facts._shutdown().hibernation == "allowed"
    assert not steps.allow_hibernation()


@pytest.mark.parametrize(("limit", "disabled"), [("-1", "0"), (None, "1")])
def test_only_kernels_for_a_reboot_are_forbidden_where_linux_can_tell(
    top: Path, limit: str | None, disabled: str
) -> None:
    if limit is not None:
        (top / "KEXEC_LIMIT").write_text(f"{limit}\n")
    steps.forbid_kexec()
    assert (top / "KEXEC_DISABLED").read_text().strip() == disabled
    assert facts._shutdown().kexec == ""
