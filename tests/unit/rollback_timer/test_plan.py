# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans for a rollback timer: their steps and the results that they predict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders as b
import pytest
import situations
from backups import ROOT, TREE, backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Initramfs
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.observed import TimerObserved
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.plan import (
    plan_armed,
    plan_disarmed,
    set_timer_view,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.steps import WriteTimer
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.tags import TIMER_READY, TimerTags
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import StepsPlan


def timer(*, after: int = 1800, ready: bool = True) -> Any:
    tags = TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=after, boots=0, vg=b.lvm_uuid("vg"))
    found = (*tags.to_tags(), *((TIMER_READY,) if ready else ()))
    return b.volume("vg/safepoint_timer_s", 40 * b.MIB, tags=found)


def seen(*volumes: Any, **more: Any) -> TimerObserved:
    values = {
        "has_unit": False,
        "running": False,
        "saved": (TREE,),
        "devices": {"/boot": "/dev/disk/by-uuid/1"},
        **more,
    }
    return TimerObserved(snapset_context(host(*(volumes or (taken(), backup()))), "s"), **values)


def armed(found: TimerObserved, after: int = 1800) -> StepsPlan:
    return plan_armed(found, after=after, boots=0, vg=None)


def names(found: StepsPlan) -> list[str]:
    return [step.render()["step"] for step in found.steps]


def test_a_timer_is_made_written_sealed_and_started() -> None:
    plan = armed(seen())
    assert names(plan) == ["create_timer", "write_timer", "seal", "start_timer"]
    assert (plan.after["state"], plan.after["running"], plan.after["after"]) == ("armed", True, 1800)
    # Only the real run knows the deadline.
    assert plan.after["deadline"] is None


def test_the_input_of_the_program() -> None:
    (written,) = (step for step in armed(seen()).steps if isinstance(step, WriteTimer))
    assert "file\t/boot\t-\t9437184\t/boot/vmlinuz\t" in written.files["boot"]
    assert written.files["filesystems"] == "/dev/disk/by-uuid/1 ext4 /boot needed\n"
    assert "vg/root_s" in written.files["requests"]
    assert written.changing["deadline"] == f"{b.NOW + 1800}\n"


def test_one_that_runs_with_the_same_time_keeps_its_deadline() -> None:
    found = seen(taken(), backup(), timer(), has_unit=True, running=True)
    assert armed(found) == StepsPlan((), set_timer_view(found))
    assert set_timer_view(found)["running"] is True


@pytest.mark.parametrize(
    ("volumes", "more"),
    [
        ((timer(),), {"has_unit": True, "running": False}),
        ((timer(ready=False),), {"has_unit": True, "running": True}),
        ((timer(after=60),), {"has_unit": True, "running": True}),
    ],
)
def test_any_other_one_is_replaced(volumes: tuple[Any, ...], more: dict[str, Any]) -> None:
    plan = armed(seen(taken(), backup(), *volumes, **more))
    assert names(plan) == ["stop_timer", "remove", "create_timer", "write_timer", "seal", "start_timer"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"systemd": False}, "the host was not booted by systemd, which must run the timer"),
        ({"missing_tools": ("flock",)}, "the program flock is missing: install it"),
        (
            {"initramfs": (Initramfs("6.1", "/boot/initrd", frozenset({"xfs"})),)},
            (
                "the initramfs of kernel 6.1 has no ext4, which the timer needs: dracut --force --add-drivers ext4 "
                "--kver 6.1, or add ext4 to /etc/initramfs-tools/modules and run update-initramfs"
            ),
        ),
    ],
)
def test_what_prevents_arming(more: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as caught:
        armed(seen(**more))
    assert caught.value.reasons == (reason,)
    assert caught.value.message.startswith("cannot arm the rollback timer of s: ")


def test_only_a_missing_snapset_is_reported_as_such() -> None:
    """The role pre_upgrade asks before it creates the snapset. Any other reason must end it then."""
    missing = replace(seen(), context=snapset_context(b.host_state([ROOT]), "s"))
    with pytest.raises(Refused, match="snapset s does not exist: take it first, or check the name") as caught:
        armed(missing)
    assert caught.value.details["snapset_missing"] is True
    with pytest.raises(Refused, match="not booted by systemd") as caught:
        armed(replace(missing, systemd=False))
    assert "snapset_missing" not in caught.value.details


@pytest.mark.parametrize(
    ("found", "missing"),
    [(situations.rolled_back(), True), (situations.unsealed(), True), (situations.invalid(), False)],
)
def test_a_snapset_that_the_role_takes_again_is_missing(found: Any, *, missing: bool) -> None:
    with pytest.raises(Refused, match="must be active") as caught:
        armed(replace(seen(), context=snapset_context(found, "s")))
    assert caught.value.details["snapset_missing"] is missing


def test_root_is_not_rolled_back_without_boot() -> None:
    with pytest.raises(Refused, match="/ would be rolled back without /boot"):
        armed(seen(taken(), saved=(), devices={}))


def test_disarmed_is_without_unit_and_without_volume() -> None:
    assert names(plan_disarmed(seen(taken(), timer(), has_unit=True))) == ["stop_timer", "remove"]
    assert names(plan_disarmed(seen(taken(), has_unit=True))) == ["stop_timer"]
    nothing = replace(seen(), context=snapset_context(b.host_state([ROOT]), "s"))
    assert plan_disarmed(nothing) == StepsPlan((), set_timer_view(nothing))
