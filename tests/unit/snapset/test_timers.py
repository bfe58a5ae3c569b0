# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users are told of armed timers when they take or keep a snapset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.tags import TIMER_FIRED, TIMER_READY, TimerTags

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

A, DATA = b.volume("vg/a"), b.volume("vg/data")
OTHER_ID = "e" * 32


def timer(name: str, set_id: str, *more: str) -> Volume:
    tags = TimerTags(set_name=name, set_id=set_id, armed=b.NOW, after=1800, boots=0, vg=b.lvm_uuid("vg"))
    return b.volume(f"vg/safepoint_timer_{name}", tags=(*tags.to_tags(), TIMER_READY, *more))


def warnings(host_state: HostState) -> str:
    """All warnings of a task that takes or keeps the set s of vg/a."""
    return "".join(driver.plan(host_state, b.request("vg/a")).warnings)


def test_the_timer_of_the_set_itself() -> None:
    """The role pre_upgrade runs again without a time: the timer is still armed."""
    said = warnings(b.host_state([A, b.member(A), timer("s", b.SET_ID)]))
    assert "the rollback timer of s is armed" in said
    assert "the host rolls back at 2027-01-15T08:30:00+00:00 or a little later" in said


@pytest.mark.parametrize("exists", [True, False])
def test_the_timer_of_another_set_of_the_same_origin(exists: bool) -> None:  # noqa: FBT001
    others = [b.member(A, name="other", set_id=OTHER_ID), timer("other", OTHER_ID)]
    said = warnings(b.host_state([A, *others, *([b.member(A)] if exists else [])]))
    assert "the rollback timer of another snapset, other, is armed for vg/a" in said
    assert "accept that change first (ansible-playbook safepoint.lvm.commit -e snapset=other)" in said


@pytest.mark.parametrize(
    "others",
    [
        # Of another origin.
        [DATA, b.member(DATA, name="other", set_id=OTHER_ID), timer("other", OTHER_ID)],
        # Not armed any more, or not yet.
        [b.member(A, name="other", set_id=OTHER_ID), timer("other", OTHER_ID, f"{TIMER_FIRED}=5")],
        [b.member(A, name="other", set_id=OTHER_ID), replace(timer("other", OTHER_ID), tags=())],
        # Of a set that is gone.
        [timer("other", OTHER_ID)],
    ],
)
def test_no_other_timer_matters(others: list[Volume]) -> None:
    assert warnings(b.host_state([A, *others])) == ""


def test_a_single_snapshot_is_warned_of_too() -> None:
    others = [b.member(A, name="other", set_id=OTHER_ID), timer("other", OTHER_ID)]
    plan = driver.plan(b.host_state([A, *others]), b.single_request("vg/a", "other"))
    assert "the rollback timer of another snapset, other, is armed for vg/a" in "".join(plan.warnings)
