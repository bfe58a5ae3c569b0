# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of state merged: the commands, the headroom, and the progress of the rollback."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import outcome_tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import Extend, Retag

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume

MERGED = b.request(state="merged")
A = situations.A
# The short UUIDs of two VGs and of the thin origin in a tag.
VA, VT, T = (uuid.replace("-", "")[:10] for uuid in (b.lvm_uuid("va"), b.lvm_uuid("vt"), situations.T.uuid))


def test_exact_commands_of_a_rollback() -> None:
    older = b.outcome_tag("rolled_back", name="older", set_id="f" * 32)
    origin = replace(A, tags=(older, "somebody's"), open=True)
    plan = driver.plan(
        situations.of(origin, situations.T, situations.A_MEMBER, situations.T_MEMBER),
        b.request(state="merged", min_headroom="100MiB"),
    )
    tag = f"safepoint.outcome.merging=s:{b.SET_ID}:2:{b.BOOT}:{b.NOW}:{VA}+{VT}/{T}=7:{b.HOST}"
    assert driver.argvs(plan) == [
        "lvextend --yes --extents 26 va/a_s",
        f"lvchange --yes --deltag {older} --addtag {tag} va/a vt/t",
        "lvconvert --yes --merge --background --interval 2 va/a_s vt/t_s",
    ]
    assert [dict(step.render()) for step in plan.steps] == [
        {"step": "extend", "vg": "va", "snapshot": "a_s", "size": 104 * b.MIB},
        {"step": "remember_merge", "volumes": ["va/a", "vt/t"]},
        {"step": "merge", "volumes": ["va/a_s", "vt/t_s"]},
    ]


@pytest.mark.parametrize(
    ("situation", "commands"),
    [
        ("pending_closed", ["lvchange --yes --refresh va/a vt/t"]),
        ("pending_since_last_boot", ["lvchange --yes --poll y va/a"]),
        ("started_at_boot", ["lvchange --yes --poll y vt/t"]),
        ("merging", ["lvchange --yes --poll y va/a"]),
    ],
)
def test_exact_commands_that_follow(situation: str, commands: list[str]) -> None:
    assert driver.argvs(driver.plan(situations.ALL[situation](), MERGED)) == commands


def test_exact_command_that_concludes() -> None:
    plan = driver.plan(situations.merged(), MERGED)
    tag = f"safepoint.outcome.rolled_back=s:{b.SET_ID}:2:{b.NOW}:{VA}+{VT}:{b.HOST}"
    assert driver.argvs(plan) == [
        f"lvchange --yes --deltag {situations.MERGING_THIN} --addtag {tag} va/a vt/t",
    ]
    assert plan.after.state == "rolled_back"


def test_only_the_origins_of_this_merge_are_tagged() -> None:
    plan = driver.plan(situations.partly_done(), MERGED)
    assert [step.volumes for step in plan.steps if isinstance(step, Retag)] == [("vt/t",)]
    assert driver.argvs(plan)[-1].endswith("--interval 2 vt/t_s")


def test_an_unknown_set_names_those_that_exist() -> None:
    volumes = [A, b.member(A, name="y"), replace(situations.OTHER, tags=(b.outcome_tag("rolled_back", name="x"),))]
    (reason,) = driver.reasons(b.host_state(volumes), MERGED)
    assert reason == "it does not exist: check the name; these exist: x, y"


# From the request to the end


def _closed_and_open(*, thin_open: bool) -> ModelLvm:
    origin = replace(situations.T, open=thin_open)
    return ModelLvm(situations.of(A, origin, situations.A_MEMBER, situations.T_MEMBER))


def test_rollback_of_closed_origins() -> None:
    model = _closed_and_open(thin_open=False)
    assert driver.bring_about(model, MERGED).after.poll_after == 2
    assert driver.view(model.observe(), MERGED).state == "merging"
    model.settle()
    plan = driver.bring_about(model, MERGED)
    assert driver.step_names(plan) == ["remember_rollback"]
    assert driver.view(model.observe(), MERGED).rolled_back_at == b.NOW
    assert driver.bring_about(model, MERGED).steps == ()


def test_rollback_through_a_reboot() -> None:
    model = _closed_and_open(thin_open=True)
    model.put(model.get("va/a"), open=True)
    assert driver.bring_about(model, MERGED).after.reboot_required
    model.reboot("next")
    plan = driver.bring_about(model, MERGED)
    # Both started when they were activated, and neither ends before LVM polls it.
    assert driver.argvs(plan) == ["lvchange --yes --poll y va/a vt/t"]
    assert plan.after.to_prediction() == driver.shown(model.observe(), MERGED)
    model.settle()
    assert driver.bring_about(model, MERGED).after.state == "rolled_back"


def test_a_pending_merge_starts_once_the_origin_is_closed() -> None:
    model = _closed_and_open(thin_open=True)
    driver.bring_about(model, MERGED)
    model.settle()
    assert driver.step_names(driver.bring_about(model, MERGED)) == ["remember_rollback"]
    model.put(model.get("vt/t"), open=False)
    plan = driver.bring_about(model, MERGED)
    assert driver.step_names(plan) == ["start"]
    assert plan.after.to_prediction() == driver.shown(model.observe(), MERGED)
    assert driver.bring_about(model, MERGED).after.state == "rolled_back"


def test_a_pending_merge_into_an_origin_that_is_not_active_is_refused() -> None:
    """There is nothing to refresh, and it is unknown whether the store is still valid."""
    origin, snapshot = b.pending(A, b.member(A))
    host_state = b.host_state([b.inactive(origin), b.inactive(snapshot)])
    reasons = driver.reasons(host_state, MERGED)
    assert any("lvchange -ay va/a" in reason for reason in reasons), reasons


# Headroom


def _headroom(*, store: int = 40, used: int = 0, free: int = 500, **wish: Any) -> list[int]:
    snapshot = replace(b.member(A), size=store * b.MIB, data_percent=Fraction(used))
    host_state = b.host_state([A, snapshot], groups=[b.group("va", free=free)])
    plan = driver.plan(host_state, b.request(state="merged", **wish))
    return [step.extents for step in plan.steps if isinstance(step, Extend)]


@pytest.mark.parametrize(
    ("case", "extents"),
    [
        ({"used": 80}, []),
        ({"used": 89}, []),
        ({"used": 90}, [11]),
        ({"used": 99}, [11]),
        ({"used": 99, "store": 204}, []),
        ({"used": 80, "min_headroom": "50%"}, [17]),
        ({"used": 80, "min_headroom": "99.9%"}, [51]),
        ({"used": 80, "min_headroom": "1%"}, []),
        ({"used": 80, "min_headroom": "1GiB"}, [51]),
        ({"used": 80, "size": "1GiB"}, []),
    ],
)
def test_headroom_for_writes_before_the_merge_starts(case: dict[str, Any], extents: list[int]) -> None:
    assert _headroom(**case) == extents


def test_default_headroom_of_a_large_store() -> None:
    origin = b.volume("vg/large", 100 * b.GIB)
    for used, grown in ((97, False), (98, True)):
        snapshot = replace(b.member(origin), size=10 * b.GIB, data_percent=Fraction(used))
        host_state = b.host_state([origin, snapshot], groups=[b.group(free=5000)])
        assert (driver.step_names(driver.plan(host_state, MERGED))[0] == "extend") == grown


def test_no_room_for_headroom() -> None:
    snapshot = replace(b.member(A), data_percent=Fraction(95))
    host_state = b.host_state([A, snapshot], groups=[b.group("va", free=0)])
    (reason,) = driver.reasons(host_state, MERGED)
    assert reason.startswith("VG va has too little space")
    assert reason.endswith("(0 bytes (0 extents) free): add a PV, or request less (min_headroom)")


@pytest.mark.parametrize("reserve", ["5%VG", "100%VG", "1GiB"])
def test_the_reserve_does_not_block_a_rollback(reserve: str) -> None:
    """With shared estimates, the stores have all free space except the reserve. Then they fill."""
    assert _headroom(used=95, free=50, reserve=reserve) == [11]


@pytest.mark.parametrize(
    ("mountpoint", "pvs", "devices_file", "refused"),
    [
        ("/", ["/dev/new"], True, True),
        ("/", ["/dev/new"], False, False),
        ("/", [], True, False),
        ("/srv", ["/dev/new"], True, False),
    ],
)
def test_a_pv_that_was_added_to_the_vg_of_root(
    mountpoint: str,
    pvs: list[str],
    devices_file: bool,  # noqa: FBT001
    refused: bool,  # noqa: FBT001
) -> None:
    """The devices file that is restored does not list it."""
    model = ModelLvm(b.host_state([A], mounts={mountpoint: A}))
    driver.bring_about(model, b.request("va/a"))
    now = model.observe()
    groups = tuple(
        replace(vg, pv_uuids=(*vg.pv_uuids, *pvs), pv_names=(*["/dev/old"] * len(vg.pv_uuids), *pvs))
        for vg in now.volume_groups
    )
    now = replace(now, volume_groups=groups, host=replace(now.host, has_devices_file=devices_file))
    if refused:
        with pytest.raises(Refused, match="cannot merge snapset s: /dev/new was added to VG va after va/a_s was"):
            driver.plan(now, MERGED)
    else:
        driver.plan(now, MERGED)


# What a merge has left


def test_a_thin_origin_without_its_members_device_is_not_rolled_back() -> None:
    """The outcome counts only if the origin has the device ID of its member."""
    for thin_id, state in ((situations.T_MEMBER.thin_id, "merging"), (5, "damaged")):
        origin = replace(situations.T, tags=(situations.MERGING_THIN,), thin_id=thin_id)
        host_state = situations.of(replace(A, tags=(situations.MERGING_THIN,)), origin)
        assert driver.view(host_state, MERGED).state == state


def test_an_interrupted_request_is_made_again() -> None:
    """The tag was written, but LVM was not called: the member is active, and its merge is requested now."""
    tag = b.outcome_tag("merging")
    plan = driver.plan(situations.of(replace(A, tags=(tag,)), b.member(A)), MERGED)
    (retag,) = (step for step in plan.steps if isinstance(step, Retag))
    assert retag.delete == (tag,)
    assert [outcome_tags.parse_outcome(tag) is not None for tag in retag.add] == [True]


def test_the_empty_store_that_a_finished_merge_left_is_removed() -> None:
    """The host lost power between the two commits by which LVM ends a thick merge."""
    member = b.member(A)
    plain = replace(member, origin="", roles=frozenset({"public"}))
    origin = replace(A, tags=(b.outcome_tag("merging"),))
    host_state = b.host_state([origin, plain])
    plan = driver.plan(host_state, b.request(state="merged"))
    assert driver.step_names(plan) == ["remove", "remember_rollback"]
    assert plan.after.state == "rolled_back"
    assert plan.after.members[0].snapshot is None
    for other in (replace(origin, tags=()), replace(origin, merging=True)):
        assert driver.reasons(b.host_state([other, plain]), b.request(state="merged"))


@pytest.mark.parametrize("origin", [A, situations.T])
def test_a_leftover_of_the_same_name_does_not_block_the_merge(origin: Volume) -> None:
    """It is removed before the merge."""
    leftover = replace(b.member(origin, set_id="f" * 32, count=2, sealed=False), name=f"{origin.name}_spa")
    leftover = replace(leftover, uuid=b.lvm_uuid(leftover.full_name), size=4 * b.MIB)
    mine = b.member(origin, used=50) if not origin.is_thin else b.member(origin)
    model = ModelLvm(b.host_state([origin, mine, leftover, b.thin_pool(f"{origin.vg}/pool")]))
    plan = driver.bring_about(model, MERGED)
    assert driver.step_names(plan) == ["remove", "remember_merge", "merge"]
    assert plan.after.to_prediction() == driver.shown(model.observe(), MERGED)
