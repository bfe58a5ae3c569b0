# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of state present: what is created, with which commands, and what is extended."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._names import fits_device_mapper, lv_name_problem
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.instances import instances
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateThick, Extend

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume


def test_exact_commands_of_a_creation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: type("Uuid", (), {"hex": b.SET_ID}))
    host_state = situations.of(replace(situations.A, tags=(situations.ROLLED_BACK,)), situations.T)
    plan = driver.plan(host_state, b.request("vt/t", "va/a=30MiB"))

    def tags(origin: Volume) -> str:
        known = (f"origin={origin.uuid}", f"taken={b.NOW}", f"vg={origin.vg_uuid}", f"host={b.HOST}")
        values = ("set=s", f"id={b.SET_ID}", "count=2", *known)
        return " ".join(f"--addtag safepoint.member.{value}" for value in values)

    assert driver.argvs(plan) == [
        f"lvcreate --yes --snapshot --extents 8 --chunksize 4096b --name a_s {tags(situations.A)} va/a",
        f"lvcreate --yes --snapshot --setactivationskip y --name t_s {tags(situations.T)} vt/t",
        "lvchange --yes --addtag safepoint.member.sealed va/a_s vt/t_s",
        f"lvchange --yes --deltag {situations.ROLLED_BACK} va/a",
    ]
    assert [dict(step.render()) for step in plan.steps] == [
        {"step": "create", "vg": "va", "origin": "a", "snapshot": "a_s", "kind": "thick", "size": 32 * b.MIB},
        {"step": "create", "vg": "vt", "origin": "t", "snapshot": "t_s", "kind": "thin"},
        {"step": "seal", "volumes": ["va/a_s", "vt/t_s"]},
        {"step": "forget", "volumes": ["va/a"]},
    ]


def test_each_instance_has_its_own_id() -> None:
    plans = [driver.plan(situations.nothing(), b.request("va/a")) for _time in range(2)]
    ids = {tags.set_id for plan in plans if (tags := _tags.parse_member(_created(plan.steps[0]).tags))}
    assert len(ids) == 2


def _created(step: object) -> CreateThick:
    assert isinstance(step, CreateThick)
    return step


@pytest.mark.parametrize("mountpoint", ["/", "/srv"])
def test_only_the_root_volume_records_the_physical_volumes(mountpoint: str) -> None:
    host_state = b.host_state([situations.A], mounts={mountpoint: situations.A})
    tags = _tags.parse_member(_created(driver.plan(host_state, b.request("va/a")).steps[0]).tags)
    assert tags is not None
    assert (tags.pvs is not None) == (mountpoint == "/")


def test_an_inactive_origin_is_predicted_as_it_will_be() -> None:
    model = ModelLvm(situations.of(b.inactive(situations.A)))
    plan = driver.bring_about(model, b.request("va/a"))
    assert plan.after.to_prediction() == driver.shown(model.observe(), b.request("va/a"))


@pytest.mark.parametrize("vgs", [("data", "data-2"), ("data", "data.2"), ("b", "a")])
def test_members_are_predicted_in_the_order_of_the_result(vgs: tuple[str, str]) -> None:
    model = ModelLvm(b.host_state([b.volume(f"{vg}/lv") for vg in vgs]))
    request = b.request(*(f"{vg}/lv" for vg in vgs))
    assert driver.bring_about(model, request).after.to_prediction() == driver.shown(model.observe(), request)


# Names


@pytest.mark.parametrize(
    ("origin", "set_name", "plain"),
    [
        pytest.param("snap", "shot_x", True, id="plain one fits"),
        pytest.param("o", "x_tmeta", False, id="reserved"),
        pytest.param("x-tmeta", "reserved_cdata", False, id="reserved, and a hyphen in the origin"),
        pytest.param("a" * 55, "b" * 64, True, id="just short enough"),
        pytest.param("a" * 56, "b" * 64, False, id="too long"),
        pytest.param("a" * 30, "-".join("b" * 32), False, id="too long for its hyphens alone"),
    ],
)
def test_generated_names_are_valid(origin: str, set_name: str, plain: bool) -> None:  # noqa: FBT001
    plan = driver.plan(b.host_state([b.volume(f"vg/{origin}")]), b.request(f"vg/{origin}", name=set_name))
    name = _created(plan.steps[0]).name
    assert lv_name_problem(name) is None
    assert fits_device_mapper("vg", name, "-cow")
    assert (name == f"{origin}_{set_name}") == plain


def test_a_name_of_another_sets_member_is_hashed() -> None:
    plan = driver.plan(situations.name_of_other_set(), b.request("va/a"))
    assert _created(plan.steps[0]).name.startswith("a_sp")


def test_both_names_taken() -> None:
    hashed = _created(driver.plan(situations.name_of_other_set(), b.request("va/a")).steps[0]).name
    both = (*situations.name_of_other_set().volumes, b.volume(f"va/{hashed}"))
    (reason,) = driver.reasons(replace(situations.name_of_other_set(), volumes=both), b.request("va/a"))
    assert reason.startswith(f"the name va/{hashed} is needed but belongs to another LV")


# Extension

MEMBER = replace(situations.A_MEMBER, tags=b.member_tags(situations.A))


def _extended(*, used: int = 0, store: int = 40, **wish: Any) -> list[int]:
    """The extents to which the member of va/a (200 MiB, at most 51 extents) is extended from ``store`` MiB."""
    grown = replace(MEMBER, data_percent=Fraction(used), size=store * b.MIB)
    host_state = b.host_state([situations.A, grown])
    steps = driver.plan(host_state, b.request("va/a", **wish)).steps
    assert all(isinstance(step, Extend) for step in steps)
    return [step.extents for step in steps if isinstance(step, Extend)]


@pytest.mark.parametrize(
    ("wish", "extents"),
    [
        ({"size": "auto"}, []),
        ({"size": "10%FREE"}, []),
        ({"size": "10%USED"}, []),
        ({"size": "30MiB"}, []),
        ({"size": "40MiB"}, []),
        ({"size": "41MiB"}, [11]),
        ({"size": "1GiB"}, [51]),
        ({"size": "50%ORIGIN"}, [26]),
        ({"size": "2%VG"}, [20]),
        ({"used": 99}, []),
        ({"min_headroom": "40%"}, []),
        ({"min_headroom": "40%", "used": 60}, [11]),
        ({"min_headroom": "40%", "used": 59}, []),
        ({"min_headroom": "10MiB", "used": 90}, [12]),
        ({"min_headroom": "1GiB"}, [51]),
        ({"min_headroom": "99%", "used": 50}, [51]),
        ({"min_headroom": "40%", "size": "80MiB", "used": 60}, [20]),
        ({"min_headroom": "40%", "store": 204, "used": 99}, []),
        ({"size": "1GiB", "store": 204}, []),
    ],
)
def test_existing_members_grow_to(wish: dict[str, Any], extents: list[int]) -> None:
    assert _extended(**wish) == extents


def test_an_inactive_member_is_not_extended() -> None:
    host_state = b.host_state([b.inactive(situations.A), b.inactive(MEMBER)])
    assert driver.plan(host_state, b.request("va/a", min_headroom="90%")).steps == ()


def test_a_reserve_does_not_matter_if_no_member_is_extended() -> None:
    host_state = b.host_state([situations.A, MEMBER], groups=[b.group("va", free=1)])
    assert driver.plan(host_state, b.request("va/a", size="40MiB", reserve="50%VG")).steps == ()


def test_an_extension_is_done_once() -> None:
    model = ModelLvm(b.host_state([situations.A, replace(MEMBER, data_percent=Fraction(70))]))
    request = b.request("va/a", min_headroom="50%")
    plan = driver.bring_about(model, request)
    assert driver.argvs(plan) == ["lvextend --yes --extents 15 va/a_s"]
    assert plan.after.to_prediction() == driver.shown(model.observe(), request)
    assert driver.bring_about(model, request).steps == ()


def test_outcomes_that_an_interrupted_creation_left_are_deleted() -> None:
    """It was interrupted after the seal, and an origin still records the rollback of an older set of that name."""
    older = b.outcome_tag("rolled_back", set_id="f" * 32)
    model = ModelLvm(b.host_state([replace(situations.A, tags=(older, "somebody's")), MEMBER]))
    plan = driver.bring_about(model, b.request("va/a"))
    assert driver.argvs(plan) == [f"lvchange --yes --deltag {older} va/a"]
    assert [(instance.name, instance.set_id) for instance in instances(model.observe())] == [("s", b.SET_ID)]
    assert driver.bring_about(model, b.request("va/a")).steps == ()


def test_outcomes_of_this_and_of_other_sets_are_kept() -> None:
    """A merge that was recorded but not requested does not belong to an older set."""
    other = b.outcome_tag("rolled_back", name="z", set_id="f" * 32)
    for tag in (other, b.outcome_tag("merging")):
        host_state = b.host_state([replace(situations.A, tags=(tag,)), MEMBER])
        assert driver.plan(host_state, b.request("va/a")).steps == ()


def test_an_extension_needs_room_beyond_the_reserve() -> None:
    host_state = b.host_state([situations.A, MEMBER], groups=[b.group("va", free=15)])
    assert driver.reasons(host_state, b.request("va/a", size="80MiB", reserve="20MiB")) == ()
    (reason,) = driver.reasons(host_state, b.request("va/a", size="80MiB", reserve="24MiB"))
    assert reason.startswith("VG va has too little space: 40 MiB (10 extents) are needed for a, but 36 MiB (9 extents)")
    assert reason.endswith(": add a PV, lower reserve, or request less (size, min_headroom)")


def test_a_size_for_a_thin_member_is_refused() -> None:
    (reason,) = driver.reasons(situations.active(), b.request("va/a", "vt/t=1GiB"))
    assert reason.startswith("vt/t")
    assert "is thin, and thin snapshots have no size" in reason


# Processes: one for each step, and two for reports unless there is nothing to do.


def _many(count: int, *, members: bool, tag: str = "") -> Any:
    origins = [b.volume(f"vg/lv{number}", tags=(tag,) if tag else ()) for number in range(count)]
    snapshots = [b.member(origin, count=count) for origin in origins] if members else []
    return b.host_state([*origins, *snapshots], groups=[b.group(free=900)])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_process_budgets(count: int) -> None:
    every = b.request(*(f"vg/lv{number}" for number in range(count)))
    larger = b.request(*(f"vg/lv{number}=80MiB" for number in range(count)))
    rolled_back = b.outcome_tag("rolled_back", count=count)

    def steps(host_state: Any, request: Any) -> int:
        return len(driver.plan(host_state, request).steps)

    assert steps(_many(count, members=False), every) + 2 == count + 3
    assert steps(_many(count, members=False, tag=rolled_back), every) + 2 == count + 4
    assert steps(_many(count, members=True), every) == 0
    assert steps(_many(count, members=True), larger) + 2 == count + 2
    assert steps(_many(count, members=True), b.request(state="absent")) + 2 == 3
    assert steps(_many(count, members=True, tag=rolled_back), b.request(state="absent")) + 2 == 4
    assert steps(_many(count, members=True), b.request(state="merged")) + 2 == 4
    assert steps(_many(count, members=True), b.request(state="merged", min_headroom="60MiB")) + 2 == 4 + count


def test_members_that_are_being_rolled_back_are_not_reported_as_missing() -> None:
    reasons = driver.reasons(situations.lost_partly(), b.request("va/a", "va/b", "vt/t"))
    assert any(reason.startswith("1 of its 3 members are missing") for reason in reasons), reasons


def test_leftovers_that_lvm_would_not_remove_are_reported() -> None:
    """Somebody typed lvconvert --merge for a member of an incomplete set."""
    origin, snapshot = b.pending(situations.A, b.member(situations.A, count=2, sealed=False), count=2)
    host_state = situations.of(replace(origin, tags=()), snapshot, situations.T)
    reasons = driver.reasons(host_state, b.request("va/b", "vt/t"))
    assert any("va/a_s waits to be merged into va/a" in reason for reason in reasons), reasons


# Age. A member of the model was taken an hour ago.


@pytest.mark.parametrize("max_age", ["", "3600", "1h", "7d"])
def test_a_set_that_is_young_enough_is_kept(max_age: str) -> None:
    host_state = b.host_state([situations.A, b.member(situations.A)])
    assert driver.plan(host_state, b.request("va/a", max_age=max_age)).steps == ()


def test_a_set_that_is_too_old_is_refused() -> None:
    host_state = b.host_state([situations.A, b.member(situations.A)])
    (reason,) = driver.reasons(host_state, b.request("va/a", max_age="59m"))
    assert reason == (
        "it already exists and is 1 h 0 min old, more than max_age (59m) allows, so it was created for another change: "
        "use another name, or remove it with ansible-playbook safepoint.lvm.commit -e snapset=s"
    )


def test_only_an_active_set_can_be_too_old() -> None:
    """Other sets are refused for more important reasons, or created again."""
    old: dict[str, Any] = {"max_age": "0s"}
    for situation in (situations.nothing(), situations.ALL["unsealed"]()):
        assert driver.reasons(situation, b.request("va/a", **old)) == driver.reasons(situation, b.request("va/a"))
    for situation in (situations.ALL["invalid"](), situations.ALL["pending"]()):
        reasons = driver.reasons(situation, b.request("va/a", **old))
        assert reasons
        assert not [reason for reason in reasons if "max_age" in reason]
    for state in ("merged", "absent"):
        host_state = b.host_state([situations.A, b.member(situations.A)])
        assert driver.reasons(host_state, b.request("va/a", state=state, **old)) == ()
