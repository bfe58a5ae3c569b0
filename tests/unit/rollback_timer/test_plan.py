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
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Initramfs, Lock
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.observed import TimerObserved, TimerRequest
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.plan import (
    plan_armed,
    plan_disarmed,
    set_timer_view,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.steps import SetTime, WriteTimer
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.timers import TimerStatus
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import Retag
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.tags import TIMER_READY, TimerTags
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import StepsPlan

REMOVAL = ["unseal", "erase", "remove"]
REQUEST = TimerRequest(after=1800, spread=180, boots=0)
STATUS = TimerStatus("t1", "watching", b.NOW + 1900, after=1800, spread=180, boots=0)
CREATION = ["create_timer", "write_timer", "seal", "start_timer"]
OTHER_ID = "e" * 32


def timer(*, after: int = 1800, ready: bool = True, name: str = "s", set_id: str = b.SET_ID) -> Any:
    tags = TimerTags(
        set_name=name, set_id=set_id, armed=b.NOW, after=after, boots=0, vg=b.lvm_uuid("vg"), spread=180
    ).to_tags()
    return b.volume(f"vg/safepoint_timer_{name}", 40 * b.MIB, tags=(*tags, *((TIMER_READY,) if ready else ())))


def seen(*volumes: Any, **more: Any) -> TimerObserved:
    values = {
        "has_unit": False,
        "runs": False,
        "serial": "new",
        "target": "multi-user.target",
        "saved": (TREE,),
        "devices": {"/boot": ("/dev/disk/by-uuid/1", "")},
        **more,
    }
    one = host(*(volumes or (taken(), backup())))
    one = replace(one, host=replace(one.host, locks=values.pop("locks", ())))
    return TimerObserved(snapset_context(one, "s"), **values)


def running(*volumes: Any, status: TimerStatus | None = STATUS, **more: Any) -> TimerObserved:
    return seen(taken(), backup(), *(volumes or (timer(),)), has_unit=True, runs=True, status=status, **more)


def armed(found: TimerObserved, **more: Any) -> StepsPlan:
    return plan_armed(found, replace(REQUEST, **more))


def names(found: StepsPlan) -> list[str]:
    return [step.render()["step"] for step in found.steps]


def reasons(found: TimerObserved, **more: Any) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        armed(found, **more)
    assert caught.value.message.startswith("cannot arm the rollback timer of s: ")
    return caught.value.reasons


def test_a_timer_is_made_written_sealed_and_started() -> None:
    plan = armed(seen())
    assert names(plan) == CREATION
    shown = {key: plan.after[key] for key in ("state", "running", "phase", "after", "spread")}
    assert shown == {"state": "armed", "running": True, "phase": "watching", "after": 1800, "spread": 180}
    # Only the real run knows the deadline.
    assert plan.after["deadline"] is None


def test_the_input_of_the_program() -> None:
    (written,) = (step for step in armed(seen(drawn=0.5, machine="AbC"), boots=2).steps if isinstance(step, WriteTimer))
    assert "file\t/boot\t-\t9437184\t/boot/vmlinuz\t" in written.files["boot"]
    assert written.files["filesystems"] == "/dev/disk/by-uuid/1 ext4 /boot needed\n"
    snapshot = taken()
    assert written.files["members"] == f"thick {'/'.join(snapshot.key)} {ROOT.uuid}\n"
    # Of the spread, a random part is drawn.
    assert written.changing["term"] == "new 1800 90 180 2 multi-user.target ABC abc\n"
    assert written.uuid == "new"


@pytest.mark.parametrize(("drawn", "delay"), [(0.0, "0"), (0.999999, "180")])
def test_the_whole_spread_can_be_drawn(drawn: float, delay: str) -> None:
    (written,) = (step for step in armed(seen(drawn=drawn)).steps if isinstance(step, WriteTimer))
    assert written.changing["term"].split()[2] == delay


def test_one_that_runs_with_the_same_time_keeps_its_deadline() -> None:
    found = running()
    assert armed(found) == StepsPlan((), set_timer_view(found))
    shown = set_timer_view(found)
    # What the program says is more exact than the tags.
    assert (shown["running"], shown["phase"], shown["deadline"]) == (True, "watching", "2027-01-15T08:31:40+00:00")


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (STATUS, {"after": 7200}),
        (STATUS, {"spread": 0}),
        (STATUS, {"boots": 3}),
        (STATUS, {"restart": True}),
        # Only the tags were written before the module was killed.
        (replace(STATUS, after=7200), {}),
        (replace(STATUS, phase="stale", reason="late"), {}),
    ],
)
def test_another_time_is_given_to_the_running_program(status: TimerStatus, more: dict[str, Any]) -> None:
    """Without a moment in which no timer runs."""
    plan = armed(running(status=status), **more)
    assert names(plan) == ["set_time", "remember_time"]
    (given,) = (step for step in plan.steps if isinstance(step, SetTime))
    assert (given.serial, given.term.split()[0], given.device) == ("new", "new", "/dev/mapper/vg-safepoint_timer_s")
    assert given.term.split()[1] == str(more.get("after", 1800))
    assert plan.after["phase"] == "watching"


def test_only_the_tags_that_differ_are_written() -> None:
    (tags,) = (step for step in armed(running(), after=7200).steps if isinstance(step, Retag))
    assert (tags.add, tags.delete) == (("safepoint.timer.after=7200",), ("safepoint.timer.after=1800",))


@pytest.mark.parametrize(
    "found",
    [
        seen(taken(), backup(), timer(), has_unit=True),
        running(timer(ready=False)),
        running(timer(set_id=OTHER_ID)),
        # Of a release that did not write its status.
        running(status=None),
        running(timer(), replace(timer(), name="second", uuid="u")),
    ],
)
def test_any_other_one_is_replaced(found: TimerObserved) -> None:
    unseal = ["unseal"] if any(TIMER_READY in one.volume.tags for one in found.timers) else []
    assert names(armed(found)) == ["stop_timer", *unseal, "erase", "remove", *CREATION]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"systemd": False}, "the host was not booted by systemd, which must run the timer"),
        ({"missing_tools": ("flock",)}, "the program flock is missing: install it"),
    ],
)
def test_what_prevents_arming(more: dict[str, Any], reason: str) -> None:
    assert reasons(seen(**more)) == (reason,)


@pytest.mark.parametrize(
    ("root", "boot", "modules", "missing"),
    [
        ("ext4", "ext4", {}, ()),
        ("ext4", "ext2", {}, ()),
        ("xfs", "xfs", {"xfs"}, ("ext4",)),
        ("xfs", "xfs", {"xfs", "ext4"}, ()),
        # The change may break the modules on /, and /boot must be mounted before the rollback.
        ("ext4", "xfs", {"ext4"}, ("xfs",)),
        ("xfs", "btrfs", {"xfs"}, ("btrfs", "ext4")),
    ],
)
def test_the_initramfs_must_have_the_filesystems(
    root: str, boot: str, modules: set[str], missing: tuple[str, ...]
) -> None:
    found = seen(initramfs=(Initramfs("6.1", "/boot/initrd", frozenset(modules)),))
    state = found.host_state
    types = {"/": root, "/boot": boot}
    mounts = tuple(replace(one, fstype=types[one.mountpoint]) for one in state.host.mounts)
    state = replace(state, host=replace(state.host, mounts=mounts))
    found = replace(found, context=snapset_context(state, "s"))
    assert tuple(found.needed_filesystems) == tuple(sorted({"ext4", boot.replace("ext2", "ext4")} - {root}))
    if missing:
        assert [reason.split(" which")[0] for reason in reasons(found)] == [
            f"the initramfs of kernel 6.1 has no {kind}," for kind in missing
        ]
    else:
        assert names(armed(found)) == CREATION


def test_failed_boots_need_a_target_that_is_active_now() -> None:
    assert names(armed(seen(target=""))) == CREATION
    (reason,) = reasons(seen(target=""), boots=2)
    assert reason.startswith("failed_boots: the default target of systemd is not active now")


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


def test_lvm_must_not_refuse_its_merges() -> None:
    (reason,) = reasons(seen(replace(taken(), locked=True), backup()))
    assert reason.startswith("pvmove moves vg/root_s, and LVM has locked it")


def test_two_timers_of_one_origin_are_refused() -> None:
    other = b.member(ROOT, name="other", set_id=OTHER_ID)
    rival = timer(name="other", set_id=OTHER_ID)
    (reason,) = reasons(seen(taken(), backup(), other, rival))
    assert "the rollback timer of another snapset, other, is armed for vg/root" in reason
    # Of another origin, or no longer armed.
    data = b.volume("vg/data")
    apart = (data, b.member(data, name="other", set_id=OTHER_ID))
    assert names(armed(seen(taken(), backup(), *apart, rival))) == CREATION
    disarmed = timer(name="other", set_id=OTHER_ID, ready=False)
    assert names(armed(seen(taken(), backup(), other, disarmed))) == CREATION


def test_disarmed_is_without_unit_and_without_volume() -> None:
    assert names(plan_disarmed(seen(taken(), timer(), has_unit=True))) == ["stop_timer", *REMOVAL]
    assert names(plan_disarmed(seen(taken(), has_unit=True))) == ["stop_timer"]
    nothing = replace(seen(), context=snapset_context(b.host_state([ROOT]), "s"))
    assert plan_disarmed(nothing) == StepsPlan((), set_timer_view(nothing))


def test_a_host_that_needs_a_person_to_boot() -> None:
    """Also before the snapset is taken, so that nothing is changed for a timer that will be refused."""
    locks = (Lock("pv", "person", "/etc/crypttab has no key file for it"),)
    (reason,) = reasons(seen(locks=locks))
    assert "pv, and needs a person for it: /etc/crypttab has no key file" in reason
    assert "allow_passphrase: true" in reason
    assert "allow_passphrase: true" in reasons(seen(ROOT, locks=locks))[0]
    plan = armed(seen(locks=locks), allow_passphrase=True)
    assert names(plan) == CREATION
    assert len(plan.warnings) == 1


def test_what_cannot_be_known_is_a_warning() -> None:
    (warning,) = armed(seen(locks=(Lock("pv", "unknown", "/etc/crypttab has tpm2-device=auto"),))).warnings
    assert "cannot be known" in warning
