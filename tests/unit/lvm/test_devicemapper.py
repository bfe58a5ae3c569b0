# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which devices are resumed or removed after LVM was killed."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import devicemapper

if TYPE_CHECKING:
    from pathlib import Path


DEVICES = {
    "dm-0": ("vg-root", "LVM-x", "1", ["dm-1"]),
    "dm-1": ("vg-root-real", "LVM-x-real", "1", ["sda"]),
    "dm-2": ("vg-home", "LVM-y", "0", ["sda"]),
    "dm-3": ("vg--2-root", "LVM-z", "1", ["sda"]),
    "dm-4": ("vg-looks-like-it", "CRYPT-x", "1", ["sda"]),
    "sda": None,
}
WORDS = {
    devicemapper._DM_TABLE_CLEAR: "clear",
    devicemapper._DM_DEV_SUSPEND: "resume",
    devicemapper._DM_DEV_REMOVE: "remove",
}
IN_USE = (b"vg-root-real",)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace sysfs by the devices of a host. Return the list of requests to the kernel, in order."""
    for device, known in DEVICES.items():
        if known is None:
            (tmp_path / device).mkdir()
            continue
        name, uuid, suspended, below = known
        (tmp_path / device / "dm").mkdir(parents=True)
        for attribute, value in {"name": name, "uuid": uuid, "suspended": suspended}.items():
            (tmp_path / device / "dm" / attribute).write_text(f"{value}\n")
        for slave in below:
            (tmp_path / device / "slaves" / slave).mkdir(parents=True)
    asked: list[str] = []

    def command(number: int, name: bytes) -> None:
        (device,) = [device for device, known in DEVICES.items() if known and known[0].encode() == name]
        asked.append(f"{WORDS[number]} {name.decode()}")
        if name in IN_USE and number == devicemapper._DM_DEV_REMOVE:
            raise OSError(errno.EBUSY, "in use")
        if number == devicemapper._DM_DEV_SUSPEND:
            (tmp_path / device / "dm" / "suspended").write_text("0\n")
        if number == devicemapper._DM_DEV_REMOVE:
            shutil.rmtree(tmp_path / device)

    monkeypatch.setattr(devicemapper, "_BLOCK_DEVICES", tmp_path)
    monkeypatch.setattr(devicemapper, "_command", command)
    return asked


NOTHING = devicemapper.Devices(all=frozenset(DEVICES), suspended=frozenset())


def test_which_devices_are_suspended(asked: list[str]) -> None:
    found = devicemapper.observe_devices()
    assert (found.all, found.suspended) == (frozenset(DEVICES), frozenset({"dm-0", "dm-1", "dm-3"}))
    assert asked == []


def test_what_lies_below_is_resumed_first_and_other_vgs_are_left_alone(asked: list[str]) -> None:
    assert devicemapper.restore_devices(NOTHING, ["vg"]) == ["vg-root-real", "vg-root"]
    assert asked == ["clear vg-root-real", "resume vg-root-real", "clear vg-root", "resume vg-root"]
    assert devicemapper.restore_devices(NOTHING, ["vg", "vg-2"]) == ["vg--2-root"]


def test_what_was_suspended_before_stays_so(asked: list[str]) -> None:
    assert devicemapper.restore_devices(devicemapper.observe_devices(), ["vg", "vg-2"]) == []
    assert asked == []


def test_what_was_made_since_and_is_not_used_is_removed(asked: list[str]) -> None:
    before = devicemapper.Devices(all=frozenset({"dm-0", "dm-3", "sda"}), suspended=frozenset(DEVICES))
    devicemapper.restore_devices(before, ["vg"])
    # dm-4 is not an LV. vg-root-real is in use, so the kernel refuses to remove it.
    assert set(asked) == {"remove vg-root-real", "remove vg-home"}
    assert {"dm-1", "dm-4"} < devicemapper.observe_devices().all
    assert "dm-2" not in devicemapper.observe_devices().all


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.EINVAL, errno.EIO])
def test_a_device_that_is_removed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (tmp_path / "dm-0").mkdir()

    def gone(_path: Path) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(devicemapper, "_BLOCK_DEVICES", tmp_path)
    monkeypatch.setattr("pathlib.Path.read_bytes", gone)
    assert devicemapper.observe_devices() == devicemapper.Devices(frozenset({"dm-0"}), frozenset())
