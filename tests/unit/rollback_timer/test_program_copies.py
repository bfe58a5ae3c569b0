# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which device a rollback timer takes for /boot if a copy of the disk is attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from timer_directory import call, place_timer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("mounts", "second", "chosen"),
    [
        ("1 2 8:1 / /boot rw", "", "sda1"),
        ("1 2 8:2 / /boot rw\n3 2 8:1 / /boot rw", "", "sda1"),
        ("1 2 8:1 /part /boot rw", "", "sdb1"),
        ("1 2 8:1 / /other rw", "", "sdb1"),
        ("1 2 0:33 / /boot rw", "", "sdb1"),
        ("1 2 8:1 / /boot rw", "sdc1", "sdc1"),
    ],
)
def test_a_copy_of_the_disk_does_not_get_the_files(tmp_path: Path, mounts: str, second: str, chosen: str) -> None:
    """The name by UUID is that of the copy. The host has mounted its own /boot before; its serial number is better."""
    place_timer(tmp_path)
    (tmp_path / "mounts").write_text(f"{mounts}\n")
    (tmp_path / "blocks").mkdir()
    # Names that exist on every machine stand for the devices.
    devices = {"sda1": "/dev/null", "sdb1": "/dev/zero", "sdc1": "/dev/full"}
    (tmp_path / "blocks" / "null").touch()
    (tmp_path / "blocks" / "8:1").symlink_to("null")
    program = f"device={devices['sdb1']} second={devices.get(second, '')} mountpoint=/boot; choose_device; echo $device"
    assert call(tmp_path, program)[-1] == devices[chosen]
