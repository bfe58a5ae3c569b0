# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked before and after a plan is carried out, and what goes to the journal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import modules
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import (
    CommandFailed,
    Refused,
    ReportFailed,
    error_text,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm, Report
from ansible_collections.safepoint.lvm.plugins.module_utils._module import changes, session, snapshots
from ansible_collections.safepoint.lvm.plugins.module_utils._module.changes import ChangeSession
from ansible_collections.safepoint.lvm.plugins.module_utils._module.gates import archive_warnings, check_steps
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import bring_about
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import (
    Snapshots,
    SnapshotsCase,
    check_done,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.steps import StopUnit
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.absent import plan_absent
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateVolume, Remove, Retag
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._errors import SafepointError
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request


NO_ARCHIVE = "/etc/lvm/archive is read-only or has hardly any room: LVM archives no metadata of what is changed here"


def _check(before: HostState, now: HostState, request: Request) -> None:
    check_done(Snapshots(before, request), Snapshots(now, request))


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_commands_that_did_nothing(state: Any) -> None:
    """As it looks when somebody else undoes at once what was done."""
    origin = b.volume("vg/a")
    before = b.host_state([origin] if state == "present" else [origin, b.member(origin)])
    with pytest.raises(CommandFailed, match=r"but snapset s is (active|absent): ") as caught:
        _check(before, before, b.request("vg/a", state=state))
    assert caught.value.details["changed"] is False


def test_commands_that_did_something_else() -> None:
    origin, other = b.volume("vg/a"), b.volume("vg/b")
    before = b.host_state([origin, other])
    wrong = replace(b.member(origin), origin="b")
    with pytest.raises(CommandFailed, match="but snapset s is damaged: ") as caught:
        _check(before, b.host_state([origin, other, wrong]), b.request("vg/a"))
    assert caught.value.details["changed"] is True


def test_a_single_snapshot_that_is_another_one_now() -> None:
    origin = b.volume("vg/a")
    before = b.host_state([origin, b.thick_snapshot(origin, "snap")])
    now = b.host_state([origin, b.volume("vg/snap")])
    with pytest.raises(CommandFailed, match="vg/snap exists and is not a snapshot"):
        _check(before, now, b.single_request("vg/a", state="merged"))


def test_the_journal_has_a_command_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module may be killed while LVM goes on."""
    journal: list[str] = []
    seen: list[str] = []

    def modify(argv: Sequence[str], **_more: object) -> CommandResult:
        seen.extend(journal)
        return CommandResult(argv=tuple(argv), rc=5, stdout="", stderr="")

    monkeypatch.setattr(changes, "modify", modify)
    ChangeSession(modules.module(journal=journal)).run(("lvremove", "--yes", "vg/lv"), vgs=["vg"])
    assert len(seen) == 1
    assert "lvremove --yes vg/lv" in seen[0]
    assert "exit code 5" in journal[-1]


@pytest.mark.parametrize("can_archive", [True, False])
def test_lvm_archives_where_it_can(monkeypatch: pytest.MonkeyPatch, *, can_archive: bool) -> None:
    given: list[Sequence[str]] = []

    def modify(argv: Sequence[str], **_more: object) -> CommandResult:
        given.append(argv)
        return CommandResult(argv=tuple(argv), rc=0, stdout="", stderr="")

    origin = b.volume("vg/a")
    host_state = b.host_state([origin, b.member(origin)], can_archive=can_archive)
    monkeypatch.setattr(changes, "modify", modify)
    monkeypatch.setattr(Lvm, "report", lambda _self: Report(host_state.volume_groups, host_state.volumes, ""))
    monkeypatch.setattr(session, "read_host", lambda _paths: host_state.host)
    run = ChangeSession(modules.module())
    plan = plan_absent(run.observe(), b.request(state="absent"))
    plan.steps[0].carry_out(run)
    assert [given] == [run.commands]
    assert ("backup{archive=0 backup=0}" not in str(given)) is can_archive
    assert [*archive_warnings(host_state, plan.steps)] == ([] if can_archive else [NO_ARCHIVE])
    assert [*archive_warnings(host_state, ())] == []


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 1)])
def test_nothing_is_changed_without_udev(state: Any, members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = b.volume("vg/a")
    host_state = b.host_state([origin, *[b.member(origin)] * members], udev_runs=False)
    (warning,) = host_info(host_state, None)["warnings"]
    assert warning.startswith("udev does not run")
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", lambda _paths: host_state)
    with pytest.raises(Refused, match=f"{b.request(state=state).refusal}: udev does not run"):
        bring_about(run, SnapshotsCase("snapset", b.request("vg/a", state=state)), predicts=False)


def test_what_lvm_would_refuse_is_refused_whichever_module_plans_it() -> None:
    """The planner of a backup or a timer does not check every VG."""
    step = CreateVolume("timer", "vg", "safepoint_timer_s", 1, b.EXTENT, ())
    partial = b.host_state([ROOT], groups=[b.group("vg", partial=True)])
    with pytest.raises(Refused, match="the timer cannot be armed: VG vg is partial") as caught:
        check_steps("the timer cannot be armed", partial, [step, step])
    assert len(caught.value.reasons) == 1
    check_steps("it", b.host_state([ROOT]), [step])
    exported = b.host_state([ROOT], groups=[b.group("vg", exported=True)])
    with pytest.raises(Refused, match="it: VG vg is exported"):
        check_steps("it", exported, [Remove.of([ROOT])])
    # A timer must be stopped and its LV removed even if a PV is missing: otherwise the host rolls back at the deadline.
    check_steps("it", partial, [StopUnit("s"), Remove.of([ROOT]), Retag(volumes=("vg/root",), purpose="forget")])


NO_FILE = OSError(5, "Input/output error", "/etc/fstab")


@pytest.mark.parametrize("error", [NO_FILE, ReportFailed("no report"), Refused("no", ["never"])], ids=repr)
@pytest.mark.parametrize("after", [False, True])
def test_what_was_done_is_a_change_whatever_fails_later(
    monkeypatch: pytest.MonkeyPatch, error: SafepointError | OSError, *, after: bool
) -> None:
    """The host cannot be read: at the beginning, or after all commands succeeded. A broken filesystem may be why."""
    origin = b.volume("vg/a")
    states = [b.host_state([origin, b.member(origin)])] * after

    def observe(_self: object, _paths: object) -> HostState:
        if states:
            return states.pop()
        raise error

    monkeypatch.setattr(ChangeSession, "observe", observe)
    monkeypatch.setattr(ChangeSession, "run", lambda _self, argv, **_more: CommandResult(tuple(argv), 0, "", ""))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(modules.Failed) as caught, session.open_session(modules.module(), ChangeSession) as run:
        bring_about(run, SnapshotsCase("snapset", b.request(state="absent")), predicts=False)
    assert caught.value.result["msg"] == error_text(error)
    assert caught.value.result["changed"] is after


def test_where_nothing_is_to_be_done_udev_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", lambda _paths: b.host_state([b.volume("vg/a")], udev_runs=False))
    assert not bring_about(run, SnapshotsCase("snapset", b.request(state="absent")), predicts=False)["changed"]


ROOT, BOOT, ESP = b.volume("vg/root"), b.volume("vg/boot"), b.volume("vg/esp")
SEPARATE = {"/": ROOT, "/boot": BOOT, "/boot/efi": ESP}


def _result(monkeypatch: pytest.MonkeyPatch, host_state: Any, request: Any, *, check: bool = True) -> dict[str, Any]:
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "warn", lambda _text: None)
    monkeypatch.setattr(run, "observe", lambda _paths: host_state)
    monkeypatch.setattr(snapshots, "read_boot", lambda: None)
    return bring_about(run, SnapshotsCase("view", request), predicts=check)


@pytest.mark.parametrize(
    ("volumes", "mounts", "ignored", "to_save"),
    [
        (["vg/root"], SEPARATE, [], ["/boot", "/boot/efi"]),
        (["vg/root"], {"/": ROOT, "/efi": ESP}, [], ["/efi"]),
        (["vg/root"], {"/": ROOT}, [], []),
        # What is ignored is left out alone: the ESP may have the kernels of the host.
        (["vg/root"], {"/": ROOT, "/efi": ESP}, ["/boot"], ["/efi"]),
        # Without / nothing of the host rolls back that would have to fit.
        (["vg/data"], SEPARATE, [], []),
    ],
)
def test_what_boots_the_host_is_to_be_saved(
    monkeypatch: pytest.MonkeyPatch, volumes: list[str], mounts: dict[str, Any], ignored: list[str], to_save: list[str]
) -> None:
    host = [ROOT, BOOT, ESP, b.volume("vg/data")]
    request = b.request(*volumes, ignore_uncovered=ignored)
    fresh = _result(monkeypatch, b.host_state(host, mounts=mounts), request)
    (origin,) = (lv for lv in host if lv.full_name in volumes)
    kept = _result(monkeypatch, b.host_state([*host, b.member(origin)], mounts=mounts), request, check=False)
    for found in (fresh, kept):
        assert (found["boot_to_save"], found["boot_ignored"]) == (to_save, [])


@pytest.mark.parametrize(
    ("ignored", "to_save", "left_out"),
    # The boot loader on the ESP belongs to a separate /boot.
    [("/boot", [], ["/boot", "/boot/efi"]), ("/boot/efi", ["/boot"], ["/boot/efi"])],
)
def test_what_boots_the_host_may_be_given_up(
    monkeypatch: pytest.MonkeyPatch, ignored: str, to_save: list[str], left_out: list[str]
) -> None:
    found = _result(
        monkeypatch, b.host_state([ROOT, BOOT, ESP], mounts=SEPARATE), b.request("vg/root", ignore_uncovered=[ignored])
    )
    assert (found["boot_to_save"], found["boot_ignored"]) == (to_save, left_out)


def test_with_boot_on_root_the_esp_is_saved_although_boot_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host boots the kernels on the ESP."""
    host_state = b.host_state([ROOT, ESP], mounts={"/": ROOT, "/efi": ESP})
    found = _result(monkeypatch, host_state, b.request("vg/root", ignore_uncovered=["/boot"]))
    assert (found["boot_to_save"], found["boot_ignored"]) == (["/efi"], [])


def test_what_boots_the_host_and_rolls_back_with_it_need_not_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    root, boot = b.thin("vg/root"), b.thin("vg/boot", thin_id=2)
    host_state = b.host_state([root, boot, b.thin_pool(), ESP], mounts={"/": root, "/boot": boot, "/boot/efi": ESP})
    found = _result(monkeypatch, host_state, b.request("vg/root", "vg/boot"))
    assert found["boot_to_save"] == ["/boot/efi"]


def test_check_mode_knows_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = b.volume("vg/a")
    taken = b.host_state([origin, b.member(origin)])
    real = _result(monkeypatch, taken, b.request("vg/a"), check=False)
    check = _result(monkeypatch, taken, b.request("vg/a"))
    assert (check["view"]["id"], check["view"]["age"]) == (b.SET_ID, 3600)
    assert {key: real["view"][key] for key in check["view"] if key != "members"} == {
        key: value for key, value in check["view"].items() if key != "members"
    }
    for host_state, request in (
        (b.host_state([origin]), b.request("vg/a")),
        (taken, b.request(state="merged")),
        (taken, b.request(state="absent")),
    ):
        assert set(_result(monkeypatch, host_state, request)["view"]) == {"name", "state", "members"}


@pytest.mark.parametrize(
    ("preview", "mounts", "says"),
    [
        (("old", b.SET_ID), {}, "this is a preview boot of old (boot_entry): reboot, then run again"),
        (None, {"/run/safepoint-look/1/below": ROOT}, "this is a preview boot of a snapset"),
    ],
)
def test_nothing_is_changed_in_a_preview_boot(
    monkeypatch: pytest.MonkeyPatch, preview: Any, mounts: dict[str, Any], says: str
) -> None:
    """Whatever is asked for, and whether or not there would be anything to do."""
    host_state = b.host_state([ROOT], mounts=mounts, preview=preview)
    monkeypatch.setattr(Lvm, "report", lambda _self: Report(host_state.volume_groups, host_state.volumes, ""))
    monkeypatch.setattr(session, "read_host", lambda _paths: host_state.host)
    run = ChangeSession(modules.module())
    with pytest.raises(Refused, match=re.escape(f"nothing can be changed here: {says}")):
        bring_about(run, SnapshotsCase("snapset", b.request("vg/root")), predicts=True)
    shown = host_info(session.Session(modules.module()).observe(), None)["booted_from"]
    assert shown == (None if preview is None else {"name": "old", "id": b.SET_ID})
