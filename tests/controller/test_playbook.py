# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode, diff and async, which are options of ansible-playbook and of tasks."""

from __future__ import annotations

from typing import Any, Callable

import machinery
import pytest
from outcomes import Results, ok

Play = Callable[..., Results]
SNAPSET = ("safepoint.lvm.snapset", {"name": "s", "volumes": [{"vg": "calls", "lv": "thick"}]})
SNAPSHOT = ("safepoint.lvm.snapshot", {"vg": "calls", "lv": "thin", "snapshot": "before"})


@pytest.mark.parametrize(("module", "arguments"), [SNAPSET, SNAPSHOT])
def test_check_mode_and_diff(
    play: Play, guests: list[str], made: list[str], module: str, arguments: dict[str, Any]
) -> None:
    checked = ok(play("sudo", module, arguments, "--check", "--diff"), changed=True)
    assert machinery.each(guests, machinery.SHOW_VOLUMES) == made
    real = ok(play("sudo", module, arguments, "--diff"), changed=True)
    assert [result["planned"] for result in checked] == [result["planned"] for result in real]
    assert [result["diff"] for result in checked] == [result["diff"] for result in real]
    assert all(result["diff"]["before"] != result["diff"]["after"] for result in real)
    for again in ok(play("sudo", module, arguments, "--check", "--diff"), changed=False):
        assert again["diff"]["before"] == again["diff"]["after"]


@pytest.mark.parametrize("way", ["root", "sudo_files"])
def test_async(play: Play, guests: list[str], way: str) -> None:
    taken = ok(play(way, *SNAPSET, **{"async": 300, "poll": 1}), changed=True)
    assert [(result["finished"], result["snapset"]["state"]) for result in taken] == [(1, "active")] * len(guests)
    assert all(result["ansible_job_id"] for result in taken)
    shown = ok(play(way, "safepoint.lvm.snapset_info", {}, **{"async": 300, "poll": 1}), changed=False)
    assert [[found["state"] for found in result["snapsets"]] for result in shown] == [["active"]] * len(guests)
