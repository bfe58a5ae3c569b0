# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hypervisor sees the disks of its guests, or a host got a disk of another one: foreign sets, and own ones beside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
import situations
from foreign_hosts import DATA, GUEST_ID, ROOT, hypervisor, kept, members_of, of
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.backups import restore_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.observed import BootObserved
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.plan import plan_backup
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.checks import entry_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._module.gates import check_steps
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.observed import TimerObserved
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.plan import plan_disarmed
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.checks import same_name_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.foreign import own_state
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateSnapshot
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.volumes import plan_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request

REQUESTS = (
    b.request("va/a", "vt/t"),
    b.request("va", "vt", size="40MiB"),
    b.request(state="merged"),
    b.request(state="merged", accept_loss_of=("s",)),
    b.request(state="absent"),
    b.request("va/b", name="z"),
)


def planned(host_state: HostState, request: Request) -> object:
    """Everything that a request shows to a user and sends to LVM."""
    reasons = driver.reasons(host_state, request)
    if reasons:
        return reasons
    plan = driver.plan(host_state, request)
    return driver.argvs(plan), plan.after, plan.warnings


ACTIVE = pytest.mark.parametrize("active", [False, True], ids=("inactive", "active"))
STATE = pytest.mark.parametrize("state", ["active", "pending", "rolled_back"])
OWN = [name for name in situations.ALL if name not in ("nothing", "name_taken", "name_of_other_set")]


@pytest.mark.parametrize("case", OWN)
@ACTIVE
@STATE
def test_a_foreign_set_changes_nothing_for_an_own_one(
    case: str,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    active: bool,
) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: type("Uuid", (), {"hex": "f" * 32}))
    alone = own_state(situations.ALL[case]())
    both = own_state(hypervisor(situations.ALL[case](), active=active, state=state))
    for request in REQUESTS:
        assert driver.view(both, request) == driver.view(alone, request)
        assert planned(both, request) == planned(alone, request)


@ACTIVE
@STATE
def test_a_name_that_only_a_foreign_set_has(*, active: bool, state: str) -> None:
    both = own_state(hypervisor(situations.nothing(), active=active, state=state))
    whose = f"VG ga, gt has a snapset s of another host ({b.OTHER_HOST}, this host is {b.HOST}), which is not touched"
    for request in (b.request(state="merged"), b.request(state="merged", accept_loss_of=("s",))):
        reasons = driver.reasons(both, request)
        assert "it does not exist" in reasons[0]
        assert whose in reasons[1]
        assert "adopt: true" in reasons[1]
    absent = driver.plan(both, b.request(state="absent"))
    assert absent.steps == ()
    assert [whose in warning for warning in absent.warnings] == [True]
    # An own set of that name can be created, and only that one is removed.
    model = ModelLvm(hypervisor(situations.nothing(), active=active, state=state))
    before = foreign_volumes(model)
    driver.bring_about(model, b.request("va/a", "vt/t", size="40MiB"))
    assert driver.view(model.observe(), b.request()).state == "active"
    driver.bring_about(model, b.request(state="merged"))
    model.settle()
    driver.bring_about(model, b.request(state="merged"))
    assert driver.view(model.observe(), b.request()).state == "rolled_back"
    driver.bring_about(model, b.request(state="absent"))
    assert driver.view(model.observe(), b.request()).state == "absent"
    assert foreign_volumes(model) == before


def foreign_volumes(model: ModelLvm) -> Sequence[Volume]:
    return [lv for lv in model.host_state.volumes if lv.vg in ("ga", "gt")]


@ACTIVE
def test_foreign_sets_are_shown_as_such(*, active: bool) -> None:
    info = host_info(own_state(hypervisor(situations.active(), active=active)), None)
    assert [(one["name"], one["id"]) for one in info["snapsets"]] == [("s", b.SET_ID)]
    assert info["foreign"] == [
        {
            "name": "s",
            "id": GUEST_ID,
            "host": b.OTHER_HOST,
            "vgs": ["ga", "gt"],
            "volumes": ["ga/a_s", "ga/safepoint_boot_s", "ga/safepoint_timer_s", "gt/t_s"],
        }
    ]
    assert (info["boot_backups"], info["rollback_timers"], info["unmanaged_snapshots"]) == ([], [], [])
    assert host_info(situations.active(), None)["foreign"] == []


@ACTIVE
def test_what_belongs_to_a_foreign_set(*, active: bool) -> None:
    """Its backup is neither chosen nor removed, its timer not removed, and no menu shows it."""
    context = snapset_context(own_state(hypervisor(situations.nothing(), active=active)), "s")
    assert (context.bound, context.unbound, context.backups) == (None, None, ())
    removed = plan_backup(BootObserved(context), state="absent", vg=None)
    disarmed = plan_disarmed(TimerObserved(context, has_unit=False, runs=False))
    for plan in (removed, disarmed):
        assert plan.steps == ()
        assert "a snapset s of another host" in "; ".join(plan.warnings)
    for problems in (entry_problems(context), restore_problems(context)):
        assert "s of another host" in "; ".join(problems)
    other = snapset_context(context.host_state, "other")
    assert plan_backup(BootObserved(other), state="absent", vg=None).warnings == ()


def test_a_foreign_backup_without_a_set() -> None:
    alone = of(DATA, *kept("guest", host=b.OTHER_HOST))
    plan = plan_backup(BootObserved(snapset_context(alone, "s")), state="absent", vg=None)
    assert "a backup of /boot or a rollback timer of s of another host" in plan.warnings[0]
    assert "lvremove guest/safepoint_boot_s guest/safepoint_timer_s" in plan.warnings[0]


@pytest.mark.parametrize("origin", [DATA, b.thin("data/t")], ids=["thick", "thin"])
def test_an_own_set_of_the_same_origin(origin: Volume) -> None:
    """The disk came from another host. LV names of the foreign set are taken, and the user hears of it."""
    found = of(origin, b.thin_pool("data/pool"), *members_of(origin, b.OTHER_HOST))
    plan = driver.plan(found, b.request(origin.full_name, size="40MiB" if not origin.is_thin else "auto"))
    (created,) = [step for step in plan.steps if isinstance(step, CreateSnapshot)]
    assert created.name != f"{origin.name}_s"
    assert created.name.startswith(f"{origin.name}_sp")
    assert "VG data has a snapset s of another host" in plan.warnings[0]
    elsewhere = driver.plan(of(origin, b.thin_pool("data/pool"), DATA), b.request(origin.full_name))
    assert elsewhere.warnings == ()


def test_the_module_snapshot_does_not_touch_a_member_of_a_foreign_set() -> None:
    found = of(DATA, *members_of(DATA, b.OTHER_HOST))
    for state in ("present", "merged", "absent"):
        (reason,) = driver.reasons(found, b.single_request("data/db", "db_s", state=state))
        assert reason == "data/db_s belongs to snapset s of another host, so it is not touched"


def test_an_inactive_set_without_host_tag_says_what_to_type() -> None:
    away = b.inactive(DATA)
    reasons = driver.reasons(of(away, *members_of(away, "")), b.request(state="merged"))
    assert "does not record its host and is not active here" in reasons[1]
    assert reasons[1].endswith("activate it (lvchange -ay data/db), then run again")


def test_a_host_without_machine_id_takes_no_set_that_it_would_not_know() -> None:
    away = b.inactive(DATA)
    (reason,) = driver.reasons(of(away, here=""), b.request("data/db", size="40MiB"))
    assert "systemd-machine-id-setup" in reason
    assert "lvchange -ay data/db" in reason
    model = ModelLvm(b.host_state([ROOT, DATA], mounts={"/": ROOT}, host_id=""))
    for _time in range(2):
        driver.bring_about(model, b.request("data/db", size="40MiB"))
    assert driver.view(model.observe(), b.request()).state == "active"
    assert not any(".host=" in tag for lv in model.host_state.volumes for tag in lv.tags)
    assert driver.reasons(of(away, here=b.HOST), b.request("data/db", size="40MiB")) == ()


def test_a_guest_has_a_vg_of_the_same_name() -> None:
    """LVM shows both, and changes neither."""
    other = replace(b.group("va"), uuid=b.lvm_uuid("va of a guest"), exported=True)
    theirs = replace(b.volume("va/theirs"), vg_uuid=other.uuid)
    both = own_state(b.joined(situations.active(), [other], [theirs]))
    for request in REQUESTS:
        reasons = driver.reasons(both, request)
        uuids = f"{b.lvm_uuid('va')}, {other.uuid}"
        assert f"2 VGs are named va (UUIDs {uuids}), so LVM changes none of them" in str(reasons), request
    assert [text for text in host_info(both, None)["warnings"] if "named va" in text] == [reasons[0]]
    assert [*same_name_problems(both, {"vt"})] == []
    # The LVs of the VG that LVM reports first are not taken for those of the other one.
    for request in (
        b.request("va/theirs", name="z"),
        b.single_request("va/a", "x"),
        b.single_request("va/theirs", "x"),
    ):
        assert driver.reasons(both, request)[0] == reasons[0]
    with pytest.raises(Refused, match="2 VGs are named va"):
        plan_volume(both, "x", names=("x",), vg="va", needed=1, going=())
    steps = driver.plan(own_state(situations.active()), b.request(state="absent")).steps
    with pytest.raises(Refused, match="2 VGs are named va"):
        check_steps("title", both, steps)
    check_steps("title", own_state(situations.active()), steps)
