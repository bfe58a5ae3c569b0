# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules return about a set."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.result import MemberView, View, mountpoints_of

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState


A, T = situations.A, situations.T


def _host() -> HostState:
    """An active set with an origin that is mounted twice, and a snapshot that belongs to no set."""
    thick = replace(situations.A_MEMBER, data_percent=Fraction("12.34"))
    daily = b.thick_snapshot(situations.OTHER, "daily", 64 * b.MIB, used=3)
    host_state = situations.of(A, T, thick, situations.T_MEMBER, daily, mounts={"/a": A, "/again": A, "[SWAP]": T})
    boot = Mount("/boot", "/dev/sda1", "ext4", (8, 1))
    devices = {**host_state.host.devices, (8, 1): BlockDevice("sda1")}
    return b.mounting(host_state, boot, devices=devices)


def test_the_whole_filesystem_comes_before_a_part_of_it() -> None:
    """A part may be a single file, which is no place for a canary."""
    parts = (Mount("/file", "", "ext4", (253, 0), root="/f"), Mount("/all", "", "ext4", (253, 0)))
    host_state = b.mounting(b.host_state([A]), *parts)
    assert mountpoints_of(host_state, host_state.volume("va", "a")) == ("/all", "/file")


THICK: dict[str, Any] = {
    "vg": "va",
    "origin": "a",
    "snapshot": "a_s",
    "kind": "thick",
    "mountpoints": ["/a", "/again"],
    "size": 40 * b.MIB,
    "state": "active",
}
THIN: dict[str, Any] = {
    "vg": "vt",
    "origin": "t",
    "snapshot": "t_s",
    "kind": "thin",
    "mountpoints": [],
    "size": 200 * b.MIB,
    "state": "active",
}
UNKNOWN = {"used_percent": None, "merge_percent": None, "auto_basis": None}


def test_a_set_in_full() -> None:
    result = driver.view(_host(), b.request()).to_result(b.NOW)
    assert result == {
        "name": "s",
        "id": b.SET_ID,
        "state": "active",
        "created": "2027-01-15T07:00:00+00:00",
        "age": 3600,
        "rolled_back_at": None,
        "members": [
            {**THICK, **UNKNOWN, "used_percent": 12.34, "auto_basis": "estimate"},
            {**THIN, **UNKNOWN},
        ],
    }


def test_a_prediction_has_only_what_is_known() -> None:
    prediction = driver.view(_host(), b.request()).to_prediction()
    assert prediction == {"name": "s", "state": "active", "members": [THICK, THIN]}


def test_a_set_that_is_rolled_back() -> None:
    result = driver.view(situations.rolled_back(), b.request()).to_result(b.NOW)
    assert (result["created"], result["age"]) == (None, None)
    assert result["rolled_back_at"] == "2027-01-15T07:59:00+00:00"
    assert [(member["snapshot"], member["size"], member["state"]) for member in result["members"]] == [
        (None, None, "rolled_back"),
        (None, None, "rolled_back"),
    ]


def test_a_merged_member_is_shown_as_merging() -> None:
    result = driver.view(situations.merged(), b.request()).to_result(b.NOW)
    assert [(member["state"], member["merge_percent"]) for member in result["members"]] == [("merging", 100.0)] * 2


@pytest.mark.parametrize(("size", "basis"), [(200, "estimate"), (204, "cannot_overflow"), (300, "cannot_overflow")])
def test_auto_basis(size: int, basis: str) -> None:
    host_state = b.host_state([A, b.member(A, size=size * b.MIB)])
    assert [member.auto_basis for member in driver.view(host_state, b.request()).members] == [basis]


@pytest.mark.parametrize(
    ("state", "size", "percent", "seconds"),
    [
        ("active", b.GIB, None, None),
        ("merge_pending", b.GIB, None, 2),
        ("merging", b.MIB, None, 2),
        ("merging", 4 * b.GIB, None, 16),
        ("merging", 4 * b.GIB, 50.0, 8),
        ("merging", 400 * b.GIB, None, 30),
        ("merged", None, 100.0, 2),
    ],
)
def test_poll_after(state: Any, size: int | None, percent: float | None, seconds: int | None) -> None:
    member = MemberView("vg", "a", "s", "thick", state, size=size, merge_percent=percent)
    assert View(name="s", state="merging", members=(member,)).poll_after == seconds


def test_nothing_is_to_be_polled_while_the_origin_is_open() -> None:
    waiting = MemberView("vg", "a", "s", "thin", "merge_pending", origin_open=True)
    running = MemberView("vg", "b", "s_b", "thick", "merging", size=b.MIB)
    assert View(name="s", state="merge_pending", members=(waiting,)).poll_after is None
    assert View(name="s", state="merging", members=(waiting, running)).poll_after == 2


def test_a_clock_that_was_set_back_gives_no_negative_age() -> None:
    assert View(name="s", state="active", created=b.NOW).to_result(b.NOW - 5)["age"] == 0
