# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An LV is overwritten before it is removed; if that fails, there is a warning."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import steps

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 2 * 16 * 1024 * 1024 + 4096


class Runner:
    """Collects warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Collect one."""
        self.warnings.append(text)


@pytest.fixture
def zeroed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges that the kernel was asked to overwrite."""
    found: list[tuple[int, int]] = []

    def ioctl(_descriptor: int, request: int, argument: bytes) -> None:
        assert request == 0x127F
        found.append(struct.unpack("QQ", argument))

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    return found


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A file in place of a device."""
    found = tmp_path / "device"
    with found.open("wb") as file:
        file.truncate(SIZE)
    return found


def carry_out(*paths: Any) -> list[str]:
    runner = Runner()
    steps.Erase(tuple((f"vg/{path.name}", str(path)) for path in paths)).carry_out(cast("Any", runner))
    return runner.warnings


def test_the_whole_device_is_overwritten(device: Path, zeroed: list[tuple[int, int]]) -> None:
    assert carry_out(device) == []
    assert zeroed[0][0] == 0
    assert all(before[0] + before[1] == after[0] for before, after in zip(zeroed, zeroed[1:]))
    assert sum(zeroed[-1]) == SIZE


def test_a_failure_is_a_warning_and_the_others_are_overwritten(
    device: Path, zeroed: list[tuple[int, int]], tmp_path: Path
) -> None:
    (warning,) = carry_out(tmp_path / "missing", device)
    assert "vg/missing could not be overwritten" in warning
    assert sum(zeroed[-1]) == SIZE


def test_it_ends(device: Path, zeroed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter((0.0, 1.0, 1000.0))
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    (warning,) = carry_out(device)
    assert "it took more than 120 s" in warning
    assert len(zeroed) == 1
