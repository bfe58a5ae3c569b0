# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of state merged: the snapshots that a merge would harm, and the losses of members that are accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import Retag

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

MERGED = b.request(state="merged")
A = situations.A
FULL = 204 * b.MIB
# The short UUIDs of a VG and of the thin origin in a tag.
VT, T = (uuid.replace("-", "")[:10] for uuid in (b.lvm_uuid("vt"), situations.T.uuid))


def _with_sibling(sibling: Volume, origin: Volume = A, used: int = 50) -> HostState:
    mine = b.member(origin, size=80 * b.MIB, used=used) if not origin.is_thin else b.member(origin)
    return b.host_state([origin, mine, sibling, b.thin_pool(f"{origin.vg}/pool")])


SIBLINGS: dict[str, tuple[HostState, str | None]] = {
    "thin": (
        _with_sibling(b.thin_snapshot(situations.T, "daily"), situations.T),
        "vt/daily (vt/daily) off from its origin",
    ),
    "thin of a set": (
        _with_sibling(b.member(situations.T, name="z"), situations.T),
        "vt/t_z (z) off from its origin",
    ),
    "thick with room": (_with_sibling(b.thick_snapshot(A, "daily", 48 * b.MIB)), None),
    "thick without room": (
        _with_sibling(b.thick_snapshot(A, "daily", 36 * b.MIB)),
        "may write 40 MiB into va/daily (va/daily)",
    ),
    "thick of a set without room": (
        _with_sibling(b.member(A, name="z", used=10)),
        "into va/a_z (z), which has 36 MiB left",
    ),
    "invalid": (_with_sibling(b.thick_snapshot(A, "daily", 20 * b.MIB, invalid=True)), None),
    "at its maximum": (_with_sibling(b.thick_snapshot(A, "daily", FULL, used=90)), None),
}


@pytest.mark.parametrize("case", SIBLINGS)
def test_siblings_that_the_merge_would_harm(case: str) -> None:
    host_state, expected = SIBLINGS[case]
    reasons = driver.reasons(host_state, MERGED)
    assert len(reasons) == (expected is not None)
    assert all(expected is not None and expected in reason for reason in reasons)


@pytest.mark.parametrize("case", SIBLINGS)
def test_a_loss_that_is_accepted(case: str) -> None:
    host_state, _reason = SIBLINGS[case]
    assert driver.reasons(host_state, b.request(state="merged", accept_loss_of=("z", "vt/daily", "va/daily"))) == ()


def test_a_loss_of_others_is_not_accepted() -> None:
    host_state, _reason = SIBLINGS["thin of a set"]
    assert driver.reasons(host_state, b.request(state="merged", accept_loss_of=("s", "vt/daily")))


@pytest.mark.parametrize(("origin", "begun"), [(A, b.pending), (A, b.merging), (situations.T, b.pending)])
def test_a_second_merge_into_one_origin_is_refused(origin: Volume, begun: Any) -> None:
    busy, other = begun(origin, b.member(origin, name="z", set_id="f" * 32))
    mine = b.member(origin)
    host_state = b.host_state([busy, other, mine, b.thin_pool(f"{origin.vg}/pool")])
    reasons = driver.reasons(host_state, b.request(state="merged", accept_loss_of=("z",)))
    assert any(other.full_name in reason for reason in reasons), reasons


@pytest.mark.parametrize(("state", "used"), [("present", 0), ("absent", 0)])
def test_siblings_matter_for_merging_alone(state: Any, used: int) -> None:
    host_state = _with_sibling(b.thin_snapshot(situations.T, "daily"), situations.T, used)
    assert driver.reasons(host_state, b.request("vt/t", state=state)) == ()


ACCEPTING = b.request(state="merged", accept_loss_of=("s",))


@pytest.mark.parametrize("situation", ["lost", "detached", "invalid", "unsealed", "half_made", "overflowed_after_boot"])
def test_a_loss_is_not_accepted_before_the_rollback_has_started(situation: str) -> None:
    host_state = situations.ALL[situation]()
    host_state = replace(
        host_state, volumes=tuple(lv for lv in host_state.volumes if lv.tags != (situations.ROLLED_BACK,))
    )
    assert driver.reasons(host_state, ACCEPTING) == driver.reasons(host_state, MERGED) != ()


def test_an_accepted_loss_is_recorded_once() -> None:
    """Pending members keep the time and the boot ID of their request, which show their progress."""
    model = ModelLvm(situations.lost_partly())
    before = model.get("va/a").tags[0]
    counted = before.replace(":3:", ":2:")
    plan = driver.bring_about(model, ACCEPTING)
    tag = f"safepoint.outcome.merging=s:{b.SET_ID}:2:{b.BOOT}:{b.NOW}:{VT}/{T}=7:{b.HOST}"
    assert driver.argvs(plan) == [
        f"lvchange --yes --deltag {before} --addtag {counted} va/a",
        f"lvchange --yes --addtag {tag} vt/t",
        "lvconvert --yes --merge --background --interval 2 vt/t_s",
    ]
    assert dict(plan.steps[0].render()) == {"step": "accept_loss", "volumes": ["va/a"]}
    assert plan.after.to_prediction() == driver.shown(model.observe(), MERGED)
    model.reboot("next")
    for _round in range(3):
        # It need not be accepted again.
        plan = driver.bring_about(model, MERGED)
        assert plan.after.to_prediction() == driver.shown(model.observe(), MERGED)
        model.settle()
    assert plan.after.state == "rolled_back"
    assert plan.steps == ()
    assert driver.step_names(driver.bring_about(model, b.request(state="absent"))) == ["forget"]


def test_a_merge_by_hand_is_recorded_with_the_accepted_loss() -> None:
    model = ModelLvm(situations.without_outcomes(situations.lost_pending()))
    assert driver.step_names(driver.bring_about(model, ACCEPTING)) == ["remember_merge"]
    assert driver.view(model.observe(), MERGED).state == "merge_pending"


def test_lost_members_are_removed() -> None:
    plan = driver.plan(situations.detached_pending(), ACCEPTING)
    assert driver.step_names(plan) == ["accept_loss", "remove"]
    assert driver.argvs(plan)[1].endswith(" va/a_s")
    assert driver.step_names(driver.plan(situations.invalid_partly(), ACCEPTING)) == ["accept_loss", "remove"]


def test_the_outcome_of_a_lost_member_is_deleted_before_the_member() -> None:
    """Otherwise its origin would look rolled back: it would record a merge and have no member."""
    plan = driver.plan(situations.overflowed_after_boot(), ACCEPTING)
    assert driver.step_names(plan) == ["forget", "accept_loss", "remove"]
    assert [step.volumes for step in plan.steps if isinstance(step, Retag)] == [("va/a",), ("vt/t",)]
    assert [member.origin for member in plan.after.members] == ["t"]


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        ("overflowed_pending", "LVM cannot remove it before va/a is next activated"),
        ("detached_pending", "lvchange --deltag"),
    ],
)
def test_a_loss_that_cannot_be_accepted_yet(situation: str, expected: str) -> None:
    host_state = situations.ALL[situation]()
    split = {"a_s": "mine"} if situation == "detached_pending" else {}
    host_state = replace(
        host_state, volumes=tuple(replace(lv, name=split.get(lv.name, lv.name)) for lv in host_state.volumes)
    )
    for request in (MERGED, ACCEPTING):
        reasons = driver.reasons(host_state, request)
        assert any(expected in reason for reason in reasons), reasons


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        (b.pending, "va/a_z waits to be merged into va/a: to let it run, reboot or unmount va/a, then type lvchange"),
        (b.merging, "va/a_z is being merged, which cannot be stopped: let LVM finish it (lvchange --poll y"),
    ],
)
def test_the_merge_of_another_set_must_end_first(begun: Any, expected: str) -> None:
    busy, other = begun(A, b.member(A, name="z", set_id="f" * 32))
    (reason,) = driver.reasons(b.host_state([busy, other, b.member(A)]), MERGED)
    assert expected in reason
