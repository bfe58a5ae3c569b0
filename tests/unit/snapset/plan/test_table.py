# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What present, merged and absent do in every situation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Union

import administrator
import builders as b
import driver
import pytest
import situations
from model_lvm import ModelLvm

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import State

CREATE = ["create", "create", "seal"]
MERGE = ["remember_merge", "merge"]
ACCEPT = "state: merged and accept_loss_of: [s]"
Expected = Union[list[str], str]

# Steps, or a part of the reason that no other refusal has.
TABLE: dict[str, tuple[Expected, Expected, Expected]] = {
    # found:                 present, merged, absent
    "nothing": (CREATE, "it does not exist: check the name; there are no snapsets", []),
    "unsealed": (["remove", *CREATE], "its creation was interrupted", ["remove"]),
    "half_made": (["remove", *CREATE], "its creation was interrupted", ["remove"]),
    "active": ([], MERGE, ["remove"]),
    "recorded_only": ([], MERGE, ["forget", "remove"]),
    "half_sealed": (["seal"], MERGE, ["remove"]),
    "invalid": ("va/a_s overflowed and is invalid", "va/a_s overflowed and is invalid", ["remove"]),
    "unknown": ([], "lvchange -ay va/a, then run again", ["remove"]),
    "lost": ("1 of its 2 members are missing", "1 of its 2 members are missing", ["remove"]),
    "detached": ("1 of its 2 members are missing", "va/mine is no longer a snapshot of its", "--deltag"),
    "partly_requested": ("being rolled back (state partly_merged)", MERGE, "partly rolled back"),
    "partly_done": ("being rolled back (state partly_merged)", MERGE, "partly rolled back"),
    "pending": ("being rolled back (state merge_pending)", [], "va/a_s waits to be merged into va/a: to cancel that"),
    "pending_by_hand": (
        "being rolled back (state merge_pending)",
        ["remember_merge"],
        "va/a_s waits to be merged into va/a: to cancel that",
    ),
    "pending_closed": ("being rolled back (state merge_pending)", ["start"], "LVM cannot cancel a pending thin merge"),
    "pending_since_last_boot": ("being rolled back (state merge_pending)", ["poll"], "to cancel that, unmount va/a"),
    "started_at_boot": (
        "being rolled back (state merging)",
        ["poll"],
        "vt/t_s is being merged, which cannot be stopped",
    ),
    "merging": ("being rolled back (state merging)", ["poll"], "is being merged, which cannot be stopped"),
    "merged": ("being rolled back (state merging)", ["remember_rollback"], "is being merged"),
    "store_left": (
        "being rolled back (state merging)",
        ["remove", "remember_rollback"],
        "va/a_s is being merged",
    ),
    "removed_by_hand": ([*CREATE, "forget"], "1 of its 2 members are missing", ["forget"]),
    "lost_pending": (
        "1 of its 2 members are missing",
        ACCEPT,
        f"cannot cancel a pending thin merge: finish the rollback with {ACCEPT}",
    ),
    "lost_partly": ("1 of its 3 members are missing", ACCEPT, f"-ay va/a, or finish the rollback with {ACCEPT}"),
    "lost_merging": (
        "1 of its 2 members are missing",
        ACCEPT,
        f"vt/t_s is being merged, which cannot be stopped: finish the rollback with {ACCEPT}",
    ),
    "detached_pending": ("1 of its 2 members are missing", "va/a_s is no longer a snapshot of its", ACCEPT),
    "invalid_partly": ("va/a_s overflowed", ACCEPT, ["forget", "remove"]),
    "unsealed_pending": (
        "to let it run, reboot or unmount vt/t, then type lvchange --refresh vt/t",
        "its creation was interrupted",
        "to let it run, reboot or unmount vt/t, then type lvchange --refresh vt/t",
    ),
    "merge_failed": ("the merge of va/a_s failed", "the merge of va/a_s failed", "the merge of va/a_s failed"),
    "overflowed_pending": ("va/a_s overflowed", "the rollback is lost", "before va/a is next activated"),
    "overflowed_after_boot": ("va/a_s overflowed", "the rollback is lost", ["forget", "remove"]),
    "rolled_back": ([*CREATE, "forget"], [], ["forget"]),
    "name_taken": ("the name va/a_s is needed", "it does not exist", []),
    "name_of_other_set": (CREATE, "check the name; these exist: z", []),
    "snapshot_mounted": ([], "va/a_s itself is mounted at /mnt/old", "va/a_s itself is mounted at /mnt/old"),
    "snapshot_open": ([], "vt/t_s itself is held open by a process", "vt/t_s itself is held open by a process"),
}
CASES = [
    pytest.param(row, state, expected, id=f"{row}-{state}")
    for row, all_expected in TABLE.items()
    for state, expected in zip(("present", "merged", "absent"), all_expected)
]
REFUSED = [case for case in CASES if isinstance(case.values[2], str)]
PLANNED = [case for case in CASES if not isinstance(case.values[2], str)]


def test_every_situation_is_in_the_table() -> None:
    assert TABLE.keys() == situations.ALL.keys()


@pytest.mark.parametrize(("row", "state", "expected"), REFUSED)
def test_refused(row: str, state: State, expected: str) -> None:
    reasons = driver.reasons(situations.ALL[row](), b.request("va/a", "vt/t", state=state))
    assert any(expected in reason for reason in reasons), reasons


@pytest.mark.parametrize(("row", "state", "expected"), PLANNED)
def test_planned_and_predicted(row: str, state: State, expected: list[str]) -> None:
    model = ModelLvm(situations.ALL[row]())
    request = b.request("va/a", "vt/t", state=state)
    plan = driver.bring_about(model, request)
    assert driver.step_names(plan) == expected
    assert plan.changes == any(step != "poll" for step in expected)
    assert plan.after.to_prediction() == driver.shown(model.observe(), request)
    assert plan.after.reboot_required == driver.view(model.observe(), request).reboot_required


@pytest.mark.parametrize("accepted", [(), ("s",)])
@pytest.mark.parametrize("state", ["present", "merged", "absent"])
@pytest.mark.parametrize("row", TABLE)
def test_no_refusal_suggests_a_request_that_is_refused(row: str, state: State, accepted: tuple[str, ...]) -> None:
    request = b.request("va/a", "vt/t", state=state, accept_loss_of=accepted)
    assert administrator.unmentioned_problems(situations.ALL[row](), request) == []


REBOOT = {"pending", "pending_by_hand", "pending_since_last_boot", "partly_requested"}


@pytest.mark.parametrize("row", [row for row, expected in TABLE.items() if not isinstance(expected[1], str)])
def test_reboot_is_required_for_pending_merges_only(row: str) -> None:
    plan = driver.plan(situations.ALL[row](), b.request(state="merged"))
    assert plan.after.reboot_required == (row in REBOOT)


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_other_members_than_requested(state: State) -> None:
    (reason,) = driver.reasons(situations.active(), b.request("va/a", "va/b", state=state))
    assert "it protects va/a, vt/t, but va/a, va/b was requested" in reason


def test_a_merge_requested_before_the_last_boot_must_have_started() -> None:
    plan = driver.plan(situations.pending_since_last_boot(), b.request(state="merged"))
    assert plan.must_start == (situations.A.key,)
    assert driver.plan(situations.pending(), b.request(state="merged")).must_start == ()


def test_the_commands_to_cancel_delete_the_outcome_before_the_snapshot() -> None:
    reason = driver.reasons(situations.pending(), b.request(state="absent"))[0]
    commands = (
        f"lvchange --deltag {situations.pending().volumes[0].tags[0]} va/a",
        "lvchange -an va/a",
        "lvremove va/a_s",
        "lvchange -ay va/a",
    )
    places = [reason.index(command) for command in commands]
    assert places == sorted(places)


def test_unknown_validity_is_a_warning() -> None:
    (warning,) = driver.plan(situations.unknown(), b.request("va/a", "vt/t")).warnings
    assert warning == "va/a_s is not active, so it is unknown whether it is still valid"


def test_the_states_of_another_set_do_not_matter() -> None:
    other = b.member(situations.OTHER, name="z")
    host_state = replace(situations.active(), volumes=(*situations.active().volumes, replace(other, invalid=True)))
    assert driver.step_names(driver.plan(host_state, b.request(state="merged"))) == MERGE


def test_two_complete_sets_of_one_name() -> None:
    rival = b.member(situations.OTHER, set_id="f" * 32)
    host_state = replace(situations.active(), volumes=(*situations.active().volumes, rival))
    for state in ("present", "merged", "absent"):
        reasons = driver.reasons(host_state, b.request("va/a", "vt/t", state=state))
        assert any(b.SET_ID in reason and "f" * 32 in reason for reason in reasons), reasons


@pytest.mark.parametrize(("state", "then"), [("present", []), ("merged", MERGE), ("absent", [])])
def test_leftovers_beside_a_complete_set_are_removed(state: State, then: list[str]) -> None:
    leftover = b.member(situations.OTHER, set_id="f" * 32, sealed=False)
    host_state = replace(situations.active(), volumes=(*situations.active().volumes, leftover))
    plan = driver.plan(host_state, b.request(state=state) if state != "present" else b.request("va/a", "vt/t"))
    assert driver.step_names(plan) == ["remove", *then]
    removed = driver.arguments_of(plan.steps[0])[4:]
    assert removed == (("va/a_s", "vt/t_s", "va/b_s") if state == "absent" else ("va/b_s",))


def test_members_whose_removal_would_fail_half_way() -> None:
    """A lost member does not hide that another one is being merged."""
    origin, snapshot = b.pending(situations.A, b.member(situations.A, count=3), count=3)
    host_state = situations.of(origin, snapshot, situations.T, b.member(situations.T, count=3))
    assert driver.reasons(host_state, b.request(state="absent"))
