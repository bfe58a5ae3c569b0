# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take over a foreign set: what is done, when it has no effect, when it is refused, and what an interruption leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from foreign_hosts import DATA, GUEST_ID, ROOT, hypervisor, kept, members_of, of
from model_lvm import FAULTS, Killed, ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.foreign import own_state
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.timers import timers_in

if TYPE_CHECKING:
    from model_lvm import Fault

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request, State

ADOPT = b.request(adopt=True)
MEMBER, BOOT, TIMER = (
    [f"--{verb} safepoint.{kind}.host={host}" for verb, host in (("deltag", b.OTHER_HOST), ("addtag", b.HOST))]
    for kind in ("member", "boot", "timer")
)

# Refused for a reason of the adoption, or with a reason that shows the tags or other sets.
OTHER_WORDS = ("pending_by_hand", "unsealed_pending", "detached", "name_of_other_set")


def adopting(state: State = "present", **more: Any) -> Request:
    return b.request(state=state, adopt=True, **more)


def moved(case: str = "active") -> HostState:
    """The disks with the set came from another host, or the machine-id has changed."""
    host_state = situations.ALL[case]()
    return replace(host_state, volumes=b.of_host(host_state.volumes, b.OTHER_HOST))


def test_exact_commands() -> None:
    host_state = b.joined(moved(), [], b.of_host(kept("va"), b.OTHER_HOST))
    plan = driver.plan(own_state(host_state), ADOPT)
    assert driver.argvs(plan) == [
        f"lvchange --yes {' '.join(BOOT)} va/safepoint_boot_s",
        f"lvchange --yes {' '.join(TIMER)} va/safepoint_timer_s",
        f"lvchange --yes {' '.join(MEMBER)} va/a_s vt/t_s",
    ]
    assert [dict(step.render()) for step in plan.steps][-1] == {"step": "adopt", "volumes": ["va/a_s", "vt/t_s"]}


def test_adopted_by_present() -> None:
    model = ModelLvm(b.joined(moved(), [], b.of_host(kept("va"), b.OTHER_HOST)))
    assert driver.view(model.observe(), ADOPT).state == "absent"
    plan = driver.bring_about(model, ADOPT)
    assert plan.after.to_prediction() == driver.shown(model.observe(), ADOPT)
    assert driver.view(model.observe(), ADOPT).state == "active"
    assert host_info(model.observe(), None)["foreign"] == []
    assert snapset_context(model.observe(), "s").bound is not None
    assert len(timers_in(model.observe())) == 1
    assert driver.bring_about(model, ADOPT).steps == ()


def test_the_selected_volumes_must_be_its_members() -> None:
    assert driver.step_names(driver.plan(own_state(moved()), adopting_of("va/a", "vt/t"))) == ["adopt"]
    (reason,) = driver.reasons(own_state(moved()), adopting_of("va/a"))
    assert "it protects va/a, vt/t, but va/a was requested" in reason


def adopting_of(*volumes: str) -> Request:
    return b.request(*volumes, adopt=True)


@pytest.mark.parametrize("case", [case for case in situations.ALL if case not in OTHER_WORDS])
@pytest.mark.parametrize("state", ["merged", "absent"])
def test_merged_and_absent_do_with_an_adopted_set_what_they_do_with_an_own_one(case: str, state: State) -> None:
    own, foreign = own_state(situations.ALL[case]()), own_state(moved(case))
    request, request_now = b.request(state=state), adopting(state)
    if driver.reasons(own, request):
        assert driver.reasons(foreign, request_now) == driver.reasons(own, request)
        return
    plan, plan_now = driver.plan(own, request), driver.plan(foreign, request_now)
    names = driver.step_names(plan_now)
    rest = plan_now.steps[names.count("adopt") :]
    assert [" ".join(driver.arguments_of(step)) for step in rest] == driver.argvs(plan)
    assert plan_now.after == plan.after
    assert "adopt" in names or driver.view(own, request).state == "absent"


@pytest.mark.parametrize("case", ["pending", "pending_since_last_boot", "partly_requested", "merging", "merged"])
def test_a_rollback_that_has_begun_goes_on(case: str) -> None:
    """LVM does not change the tags of a snapshot that is being merged: its origin says whose it is."""
    model = ModelLvm(moved(case))
    driver.bring_about(model, adopting("merged"))
    model.reboot("next")
    for _round in range(3):
        driver.bring_about(model, b.request(state="merged"))
        model.settle()
    assert driver.view(model.observe(), b.request()).state == "rolled_back"
    assert host_info(model.observe(), None)["foreign"] == []


def test_the_record_of_a_rollback_is_adopted() -> None:
    model = ModelLvm(moved("rolled_back"))
    plan = driver.bring_about(model, adopting("merged"))
    assert (driver.step_names(plan), plan.after.state) == (["adopt"], "rolled_back")
    assert driver.bring_about(model, adopting("merged")).steps == ()


# Without effect


@pytest.mark.parametrize("case", ["active", "rolled_back", "pending"])
@pytest.mark.parametrize("state", ["merged", "absent"])
def test_a_host_with_a_set_of_the_name_takes_over_none(case: str, state: State) -> None:
    """Not even if the set of another host is active here, as those of guests may be."""
    alone = own_state(situations.ALL[case]())
    both = own_state(hypervisor(situations.ALL[case](), active=True))
    assert driver.reasons(both, adopting(state)) == driver.reasons(alone, b.request(state=state))
    if not driver.reasons(alone, b.request(state=state)):
        assert driver.argvs(driver.plan(both, adopting(state))) == driver.argvs(
            driver.plan(alone, b.request(state=state))
        )


def test_a_foreign_set_with_the_id_of_an_own_one_is_not_taken_over() -> None:
    """Somebody may give all hosts the same id."""
    other = b.volume("guest/root")
    found = of(DATA, b.member(DATA), other, *members_of(other, b.OTHER_HOST))
    assert driver.plan(found, ADOPT).steps == ()
    assert driver.argvs(driver.plan(found, adopting("absent")))[0].endswith(" data/db_s")
    assert len(host_info(found, None)["foreign"]) == 1


def test_with_nothing_to_take_over() -> None:
    alone = own_state(situations.nothing())
    assert driver.step_names(driver.plan(alone, b.request("va/a", adopt=True))) == ["create", "seal"]
    assert driver.plan(alone, adopting("absent")).steps == ()
    assert driver.reasons(alone, ADOPT) == (
        "there is none to take over: check the name, or choose volumes, mountpoints or system to create one",
    )


def test_a_copy_cannot_be_adopted() -> None:
    copied = b.copied(situations.active(), {"va": "xa", "vt": "xt"}, active=True)
    left = tuple(lv for lv in copied.volumes if lv.vg in ("xa", "xt") or not lv.is_snapshot)
    reasons = driver.reasons(own_state(replace(copied, volumes=left)), ADOPT)
    assert "there is none to take over" in reasons[0]
    assert "VG xa does not have the UUID that its set s records" in reasons[1]


def test_an_incomplete_set_is_only_removed() -> None:
    (reason,) = driver.reasons(own_state(moved("unsealed")), ADOPT)
    assert "incomplete: remove it (state: absent)" in reason
    assert driver.step_names(driver.plan(own_state(moved("unsealed")), adopting("absent"))) == ["adopt", "remove"]


# Refused


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_a_set_that_is_not_active_here_is_not_taken_over(state: State) -> None:
    """A guest may be using it, or another host."""
    both = own_state(hypervisor(situations.nothing(), active=False))
    (reason,) = driver.reasons(both, adopting(state))
    assert reason == (
        "none of its origins is active here, so another host may be using VG ga, gt: make sure that none does, "
        "activate them (lvchange -ay ga/a gt/t), then run again"
    )


def test_one_of_two_foreign_sets() -> None:
    other = b.volume("web/root")
    found = of(DATA, *members_of(DATA, b.OTHER_HOST), other, *members_of(other, "5" * 16, set_id=GUEST_ID))
    (reason,) = driver.reasons(found, ADOPT)
    assert reason == f"several other snapsets have this name (IDs {b.SET_ID}, {GUEST_ID}): choose one with id"
    plan = driver.plan(found, adopting(set_id=GUEST_ID))
    assert plan.steps[0].vgs == ("web",)
    assert driver.view(found, ADOPT).state == "absent"


def test_a_merge_that_somebody_has_requested_by_hand() -> None:
    """No origin says whose the hidden snapshots are."""
    reasons = driver.reasons(own_state(moved("pending_by_hand")), adopting("merged"))
    assert len(reasons) == 2
    assert "requested the merge of va/a_s by hand" in reasons[0]


def test_a_host_without_machine_id_deletes_the_tag() -> None:
    """As in what it creates itself. Then the set is its own as long as an origin is active."""
    model = ModelLvm(replace(moved(), host=replace(moved().host, host_id="")))
    plan = driver.bring_about(model, ADOPT)
    assert driver.argvs(plan) == [f"lvchange --yes {MEMBER[0]} va/a_s vt/t_s"]
    assert driver.view(model.observe(), ADOPT).state == "active"


# Interrupted


def both_kinds() -> HostState:
    """Everything that an adoption changes: a backup, a timer, an origin with an outcome, members in two VGs."""
    host_state = situations.recorded_only()
    return b.joined(replace(host_state, volumes=b.of_host(host_state.volumes, b.OTHER_HOST)), [], kept_foreign())


def kept_foreign() -> Any:
    return b.of_host(kept("va"), b.OTHER_HOST)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", range(4))
def test_an_interrupted_adoption_is_completed_by_the_next_run(fault: Fault, command: int) -> None:
    model = ModelLvm(both_kinds(), faults={command: fault})
    with pytest.raises((Killed, CommandFailed)):
        driver.bring_about(model, ADOPT)
    assert len(model.commands) == command + 1
    driver.bring_about(model, ADOPT)
    assert host_info(model.observe(), None)["foreign"] == []
    assert driver.view(model.observe(), ADOPT).state == "active"
    assert snapset_context(model.observe(), "s").bound is not None
    assert len(timers_in(model.observe())) == 1


def test_a_failure_says_whether_something_has_changed() -> None:
    faults: dict[Fault, bool] = {"refused": False, "half": True}
    for fault, changed in faults.items():
        model = ModelLvm(moved(), faults={0: fault})
        with pytest.raises(CommandFailed) as failed:
            driver.bring_about(model, ADOPT)
        assert failed.value.details["changed"] is changed
        assert failed.value.message.startswith("adopt failed (volumes ['va/a_s', 'vt/t_s'])")


def test_root_is_own_without_adoption() -> None:
    found = of(*members_of(ROOT, b.OTHER_HOST))
    assert driver.view(found, ADOPT).state == "active"
    assert driver.plan(found, ADOPT).steps == ()
