# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module snapshot: one snapshot of one origin, with the same planners."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
from model_lvm import FAULTS, Fault, Killed, ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import State

A, T = b.volume("va/a"), b.thin("vt/t")
OTHER = b.volume("vb/a")
STATES: tuple[State, ...] = ("present", "merged", "absent")
SINGLE = _tags.single_tags(A.uuid)
ROLLED_BACK = b.outcome_tag("rolled_back", name="/snap", set_id=b.lvm_uuid("va/snap"))


def _model(*volumes: Any) -> ModelLvm:
    return ModelLvm(b.host_state([A, T, OTHER, b.thin_pool("vt/pool"), *volumes]))


@pytest.mark.parametrize("origin", [A, T])
def test_from_present_to_absent(origin: Any) -> None:
    model = _model()
    rounds: tuple[tuple[State, list[str]], ...] = (
        ("present", ["create"]),
        ("present", []),
        ("absent", ["remove"]),
        ("absent", []),
    )
    for state, steps in rounds:
        request = b.single_request(origin.full_name, state=state)
        plan = driver.bring_about(model, request)
        assert driver.step_names(plan) == steps
        assert plan.after.to_prediction() == driver.shown(model.observe(), request)
    assert model.observe().volumes == _model().observe().volumes


@pytest.mark.parametrize(("origin", "rounds"), [(A, 3), (T, 2)])
def test_from_present_to_merged(origin: Any, rounds: int) -> None:
    model = _model()
    driver.bring_about(model, b.single_request(origin.full_name))
    request = b.single_request(origin.full_name, state="merged")
    for _round in range(rounds):
        plan = driver.bring_about(model, request)
        assert plan.after.to_prediction() == driver.shown(model.observe(), request)
        model.settle()
    assert driver.view(model.observe(), request).state == "rolled_back"
    assert driver.bring_about(model, request).steps == ()
    assert driver.step_names(driver.bring_about(model, b.single_request(origin.full_name))) == ["create", "forget"]


def test_exact_commands() -> None:
    plan = driver.plan(_model().observe(), b.single_request("va/a", size="40MiB"))
    tags = f"--addtag safepoint.single --addtag safepoint.single.origin={A.uuid}"
    assert driver.argvs(plan) == [f"lvcreate --yes --snapshot --extents 10 --chunksize 4096b --name snap {tags} va/a"]


@pytest.mark.parametrize("state", STATES)
def test_a_snapshot_made_by_hand_is_accepted(state: State) -> None:
    by_hand = b.thick_snapshot(A, "snap")
    steps = driver.step_names(driver.plan(_model(by_hand).observe(), b.single_request("va/a", state=state)))
    assert steps == {"present": [], "merged": ["remember_merge", "merge"], "absent": ["remove"]}[state]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        (b.member(A, name="x"), "va/a_x belongs to snapset x: use the module snapset for it"),
        (b.volume("va/a_x"), "va/a_x exists and is not a snapshot"),
        (b.thick_snapshot(b.volume("va/b"), "a_x"), "va/a_x exists and is a snapshot of va/b"),
    ],
)
def test_a_name_of_another_lv(state: State, holder: Any, expected: str) -> None:
    host_state = _model(b.volume("va/b"), holder).observe()
    with pytest.raises(Refused) as caught:
        driver.plan(host_state, b.single_request("va/a", name="a_x", state=state))
    assert caught.value.reasons[0].startswith(expected)


@pytest.mark.parametrize(
    ("full_name", "state", "expected"),
    [
        ("no/a", "present", "there is no VG no here"),
        ("no/a", "merged", "there is no VG no here"),
        ("no/a", "absent", "there is no VG no here"),
        ("va/no", "present", "there is no LV va/no"),
        ("va/no", "merged", "there is no LV va/no"),
        ("va/a", "merged", "there is no such snapshot of va/a"),
    ],
)
def test_unknown(full_name: str, state: State, expected: str) -> None:
    (reason,) = driver.reasons(_model().observe(), b.single_request(full_name, state=state))
    assert reason.startswith(expected)


def test_absent_without_its_origin() -> None:
    assert driver.plan(_model().observe(), b.single_request("va/no", state="absent")).steps == ()


@pytest.mark.parametrize(
    ("facts", "state", "expected"),
    [
        ({"invalid": True}, "present", "overflowed"),
        ({"invalid": True}, "merged", "overflowed"),
        ({"open": True}, "merged", "held open by a process"),
        ({"open": True}, "absent", "held open by a process"),
        ({"merging": True}, "present", "being rolled back"),
        ({"merging": True}, "absent", "waits to be merged"),
        ({"merge_failed": True}, "merged", "the merge of va/snap failed"),
    ],
)
def test_refused(facts: dict[str, Any], state: State, expected: str) -> None:
    reasons = driver.reasons(
        _model(b.thick_snapshot(A, "snap", **facts)).observe(), b.single_request("va/a", state=state)
    )
    assert any(expected in reason for reason in reasons), reasons


def test_leftover_of_a_killed_creation() -> None:
    plain = b.volume("va/snap", 40 * b.MIB, tags=SINGLE)
    ways: tuple[tuple[State, list[str]], ...] = (("present", ["remove", "create"]), ("absent", ["remove"]))
    for state, steps in ways:
        assert driver.step_names(driver.plan(_model(plain).observe(), b.single_request("va/a", state=state))) == steps
    assert driver.reasons(_model(plain).observe(), b.single_request("va/a", state="merged"))


def test_a_name_that_is_too_long() -> None:
    (reason,) = driver.reasons(_model().observe(), b.single_request("va/a", name="x" * 121))
    assert reason.startswith(f"the name va/{'x' * 121} is too long")


@pytest.mark.parametrize("state", ["present", "absent"])
def test_outcomes_of_that_name_on_other_origins_are_kept(state: State) -> None:
    model = ModelLvm(b.host_state([replace(A, tags=(ROLLED_BACK,)), OTHER]))
    driver.bring_about(model, b.single_request("vb/a", state=state))
    assert model.get("va/a").tags == (ROLLED_BACK,)
    assert driver.step_names(driver.bring_about(model, b.single_request("va/a", state="absent"))) == ["forget"]


def test_a_size_for_a_thin_origin() -> None:
    """LVM would make a thick snapshot of it."""
    for host_state in (_model().observe(), _model(b.snapshot(T, "snap")).observe()):
        (reason,) = driver.reasons(host_state, b.single_request("vt/t", size="8MiB"))
        assert reason.startswith("vt/t is thin, and thin snapshots have no size")
        assert driver.reasons(host_state, b.single_request("vt/t")) == ()


def test_a_thick_snapshot_of_a_thin_origin_is_pending_while_that_is_open() -> None:
    """A thin origin always has a data_percent, which says nothing about a merge."""
    origin = replace(T, merging=True, open=True)
    waiting = b.thick_snapshot(T, "snap", merging=True)
    host_state = b.host_state([origin, waiting, b.thin_pool("vt/pool")])
    assert driver.view(host_state, b.single_request("vt/t", state="merged")).state == "merge_pending"


def test_a_set_and_a_snapshot_of_the_same_name_are_independent() -> None:
    model = _model()
    driver.bring_about(model, b.single_request("va/a", name="s"))
    driver.bring_about(model, b.request("vt/t", name="s"))
    assert driver.step_names(driver.plan(model.observe(), b.request(state="absent"))) == ["remove"]
    assert driver.bring_about(model, b.single_request("va/a", name="s", state="absent")).after.state == "absent"
    assert driver.view(model.observe(), b.request()).state == "active"


def test_the_outcome_of_an_earlier_snapshot_of_that_name_is_deleted() -> None:
    model = ModelLvm(b.host_state([replace(A, tags=(b.outcome_tag("rolled_back", name="/snap", set_id="old"),))]))
    model.faults = {1: "killed_before"}
    with pytest.raises(Killed):
        driver.bring_about(model, b.single_request("va/a"))
    assert driver.step_names(driver.bring_about(model, b.single_request("va/a"))) == ["forget"]
    assert model.get("va/a").tags == ()


@pytest.mark.parametrize("state", STATES)
def test_what_lvm_could_not_read_hides_nothing_of_a_snapshot(state: State) -> None:
    """It can only be in the VG of its origin."""
    snapshots = [b.thick_snapshot(A, "snap")] if state == "merged" else []
    host_state = replace(_model(*snapshots).observe(), unread="/dev/sdx: checksum error")
    assert driver.reasons(host_state, b.single_request("va/a", state=state)) == ()
    _reason, why = driver.reasons(host_state, b.single_request("no/a", state=state))
    assert why == "LVM could not read everything: /dev/sdx: checksum error"


@pytest.mark.parametrize("fault", FAULTS)
def test_creation_that_fails_can_be_repeated(fault: Fault) -> None:
    model = _model()
    model.faults = {0: fault}
    with pytest.raises((CommandFailed, Killed)) as caught:
        driver.bring_about(model, b.single_request("va/a"))
    if isinstance(caught.value, CommandFailed):
        assert model.observe().volumes == _model().observe().volumes
        assert caught.value.details["changed"] is False
    driver.bring_about(model, b.single_request("va/a"))
    assert driver.view(model.observe(), b.single_request("va/a")).state == "active"
