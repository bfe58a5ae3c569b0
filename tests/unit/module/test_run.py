# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked before and after a plan is carried out, and what goes to the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import modules
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm, Report
from ansible_collections.safepoint.lvm.plugins.module_utils._model import CommandResult
from ansible_collections.safepoint.lvm.plugins.module_utils._module import changes, session
from ansible_collections.safepoint.lvm.plugins.module_utils._module.changes import ChangeSession
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import _no_archive, bring_about
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import (
    Snapshots,
    SnapshotsCase,
    check_done,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.absent import plan_absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Picture
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request


NO_ARCHIVE = "/etc/lvm/archive has hardly any room or is read-only: LVM archives no metadata of what is changed here"


def _check(before: Picture, now: Picture, request: Request) -> None:
    check_done(Snapshots(before, request), Snapshots(now, request))


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_commands_that_did_nothing(state: Any) -> None:
    """As it looks when somebody else undoes at once what was done."""
    origin = b.volume("vg/a")
    before = b.picture([origin] if state == "present" else [origin, b.member(origin)])
    with pytest.raises(CommandFailed, match=r"yet snapset s is (active|absent): ") as caught:
        _check(before, before, b.request("vg/a", state=state))
    assert caught.value.details["changed"] is False


def test_commands_that_did_something_else() -> None:
    origin, other = b.volume("vg/a"), b.volume("vg/b")
    before = b.picture([origin, other])
    wrong = replace(b.member(origin), origin="b")
    with pytest.raises(CommandFailed, match="yet snapset s is damaged: ") as caught:
        _check(before, b.picture([origin, other, wrong]), b.request("vg/a"))
    assert caught.value.details["changed"] is True


def test_a_single_snapshot_that_is_another_one_now() -> None:
    origin = b.volume("vg/a")
    before = b.picture([origin, b.thick_snapshot(origin, "snap")])
    now = b.picture([origin, b.volume("vg/snap")])
    with pytest.raises(CommandFailed, match="vg/snap exists and is not a snapshot"):
        _check(before, now, b.single_request("vg/a", state="merged"))


def test_the_journal_has_a_command_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module may be killed while LVM goes on."""
    journal: list[str] = []
    seen: list[str] = []

    def modify(_lvm: Lvm, arguments: Sequence[str], **_more: object) -> CommandResult:
        seen.extend(journal)
        return CommandResult(argv=("/sbin/lvm", *arguments), rc=5, stdout="", stderr="")

    monkeypatch.setattr(changes, "modify", modify)
    ChangeSession(modules.module(journal=journal)).run(("lvremove", "--yes", "vg/lv"))
    assert len(seen) == 1
    assert "lvremove --yes vg/lv" in seen[0]
    assert "exit code 5" in journal[-1]


@pytest.mark.parametrize("can_archive", [True, False])
def test_lvm_archives_where_it_can(monkeypatch: pytest.MonkeyPatch, *, can_archive: bool) -> None:
    given: list[object] = []

    def modify(_lvm: Lvm, arguments: Sequence[str], *, archive: bool, **_more: object) -> CommandResult:
        given.append(archive)
        return CommandResult(argv=tuple(arguments), rc=0, stdout="", stderr="")

    origin = b.volume("vg/a")
    picture = b.picture([origin, b.member(origin)], can_archive=can_archive)
    monkeypatch.setattr(changes, "modify", modify)
    monkeypatch.setattr(Lvm, "report", lambda _self: Report(picture.volume_groups, picture.volumes, ""))
    monkeypatch.setattr(session, "read_host", lambda: picture.host)
    run = ChangeSession(modules.module())
    plan = plan_absent(run.observe(), b.request(state="absent"))
    run.run(plan.steps[0].arguments())
    assert given == [can_archive]
    assert [*_no_archive(picture, plan)] == ([] if can_archive else [NO_ARCHIVE])
    assert [*_no_archive(picture, replace(plan, steps=()))] == []


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 1)])
def test_nothing_is_changed_without_udev(state: Any, members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = b.volume("vg/a")
    picture = b.picture([origin, *[b.member(origin)] * members], udev_runs=False)
    (warning,) = host_info(picture, None)["warnings"]
    assert warning.startswith("udev does not run")
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", lambda: picture)
    with pytest.raises(Refused, match=f"snapset s cannot be {state}: udev does not run"):
        bring_about(run, SnapshotsCase("snapset", b.request("vg/a", state=state)), predicts=False)


def test_where_nothing_is_to_be_done_udev_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", lambda: b.picture([b.volume("vg/a")], udev_runs=False))
    assert not bring_about(run, SnapshotsCase("snapset", b.request(state="absent")), predicts=False)["changed"]


def shown_instead() -> Picture:
    """A host that shows its set "s" of vg/a instead of itself."""
    origin = b.volume("vg/a")
    return b.picture([origin, b.member(origin)], mounts={"/run/safepoint-look/1/below": origin})


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_a_host_that_shows_a_safe_point_changes_nothing(state: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", shown_instead)
    with pytest.raises(Refused, match=r"was booted from a safe point to be looked at .*: reboot, then run again"):
        bring_about(run, SnapshotsCase("snapset", b.request("vg/a", state=state)), predicts=False)


def test_that_a_host_shows_a_safe_point_is_the_first_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", shown_instead)
    with pytest.raises(Refused) as caught:
        bring_about(run, SnapshotsCase("snapset", b.request("vg/other", state="present")), predicts=True)
    assert len(caught.value.reasons) > 1
    assert caught.value.reasons[0].startswith("the host was booted from a safe point")


def test_what_is_not_there_is_absent_on_such_a_host_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ChangeSession(modules.module())
    monkeypatch.setattr(run, "observe", shown_instead)
    assert not bring_about(run, SnapshotsCase("snapset", b.request(name="other", state="absent")), predicts=False)[
        "changed"
    ]
