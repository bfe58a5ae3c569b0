# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module snapset_info returns of a host."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
import situations

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState


A, T = situations.A, situations.T


def _host() -> HostState:
    """An active set with an origin that is mounted twice, and a daily snapshot that nobody here made."""
    thick = replace(situations.A_MEMBER, data_percent=Fraction("12.34"))
    daily = b.thick_snapshot(situations.OTHER, "daily", 64 * b.MIB, used=3)
    host_state = situations.of(A, T, thick, situations.T_MEMBER, daily, mounts={"/a": A, "/again": A, "[SWAP]": T})
    boot = Mount("/boot", "/dev/sda1", "ext4", (8, 1))
    devices = {**host_state.host.devices, (8, 1): BlockDevice("sda1")}
    return b.mounting(host_state, boot, devices=devices)


# The host


def test_info() -> None:
    info = host_info(_host(), None)
    assert [(found["name"], found["state"]) for found in info["snapsets"]] == [("s", "active")]
    assert info["unmanaged_snapshots"] == [
        {
            "vg": "va",
            "snapshot": "daily",
            "origin": "b",
            "kind": "thick",
            "size": 64 * b.MIB,
            "used_percent": 3.0,
            "state": "active",
        }
    ]
    assert info["volume_groups"][0] == {
        "name": "va",
        "size": 4000 * b.MIB,
        "free": 2000 * b.MIB,
        "extent_size": b.EXTENT,
        "partial": False,
        "exported": False,
        "lock_type": None,
    }
    assert info["thin_pools"] == [
        {"vg": "vt", "pool": "pool", "size": 1000 * b.MIB, "data_percent": 10.0, "metadata_percent": 10.0}
    ]
    assert info["warnings"] == []


def test_coverage() -> None:
    on_lv = {"source": "/dev/mapper/va-a", "fstype": "ext4", "mounted": True, "vg": "va", "lv": "a", "kind": "thick"}
    good = {"protectable": True, "reason": None, "snapsets": ["s"]}
    first, second, swap, boot = host_info(_host(), None)["coverage"]
    assert first == {"mountpoint": "/a", **on_lv, **good, "system": False, "boot": False}
    assert second == {"mountpoint": "/again", **on_lv, **good, "system": False, "boot": False}
    assert (swap["mountpoint"], swap["lv"], swap["kind"], swap["snapsets"]) == ("[SWAP]", "t", "thin", ["s"])
    assert boot == {
        "mountpoint": "/boot",
        "source": "/dev/sda1",
        "fstype": "ext4",
        "mounted": True,
        "vg": None,
        "lv": None,
        "kind": None,
        "protectable": False,
        "reason": "/dev/sda1 is not on LVM",
        "system": False,
        "boot": True,
        "snapsets": [],
    }


def test_coverage_tells_why_not() -> None:
    sick = replace(A, health="partial", writable=False)
    (found,) = host_info(b.host_state([sick], mounts={"/": sick}), None)["coverage"]
    assert not found["protectable"]
    assert (found["system"], found["boot"]) == (True, False)
    assert found["reason"].count("va/a is") == 2


def test_a_set_that_is_gone_covers_nothing() -> None:
    origin = replace(A, tags=(b.outcome_tag("rolled_back"),))
    (found,) = host_info(b.host_state([origin], mounts={"/": origin}), None)["coverage"]
    assert found["snapsets"] == []


@pytest.mark.parametrize(
    ("situation", "covers"),
    [
        ("active", True),
        ("half_sealed", True),
        ("unknown", True),
        ("unsealed", False),
        ("invalid", False),
        ("lost", False),
        ("partly_requested", False),
        ("pending", False),
        ("merging", False),
    ],
)
def test_a_set_covers_what_it_could_still_bring_back(situation: str, covers: bool) -> None:  # noqa: FBT001
    host_state = situations.ALL[situation]()
    origins = {lv.name: lv for lv in host_state.volumes if lv.name in ("a", "b")}
    mounted = b.host_state(host_state.volumes, mounts={"/a": origins["a"], "/b": origins["b"]})
    first, second = host_info(mounted, None)["coverage"]
    assert (first["snapsets"], second["snapsets"]) == (["s"] if covers else [], [])


def test_one_name_alone() -> None:
    other = b.member(situations.OTHER, name="z")
    host_state = replace(_host(), volumes=(*_host().volumes, other))
    assert [found["name"] for found in host_info(host_state, None)["snapsets"]] == ["s", "z"]
    assert [found["name"] for found in host_info(host_state, "z")["snapsets"]] == ["z"]
    assert host_info(host_state, "no")["snapsets"] == []
    assert host_info(host_state, "no")["coverage"] == host_info(host_state, None)["coverage"]


def test_warnings() -> None:
    host_state = b.host_state([A], groups=[b.group("va", partial=True), b.group("vb")], unread="a checksum error")
    assert host_info(host_state, None)["warnings"] == [
        "LVM could not read everything: a checksum error",
        "VG va is partial: a PV is missing",
    ]


@pytest.mark.parametrize("situation", situations.ALL)
def test_every_situation_can_be_told(situation: str) -> None:
    """Nothing is too broken to be shown, and everything is JSON."""
    host_state = situations.ALL[situation]()
    shown = {found["name"]: found["state"] for found in host_info(host_state, None)["snapsets"]}
    state = driver.view(host_state, b.request()).state
    assert shown.get("s", "absent") == state
