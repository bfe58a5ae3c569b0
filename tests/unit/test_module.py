# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's parameters to a request, and what goes to the journal."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import builders as b
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import command as _lvm
from ansible_collections.safepoint.lvm.plugins.module_utils._module import session as _way
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused, SafepointError
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm, Outcome, Report
from ansible_collections.safepoint.lvm.plugins.module_utils._module.session import Session, open_session
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import _bring_about, _check_done, _no_archive
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.absent import plan_absent
from ansible_collections.safepoint.lvm.plugins.modules import snapset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible.module_utils.basic import AnsibleModule


NO_ARCHIVE = "/etc/lvm/archive has hardly any room or is read-only: LVM archives no metadata of what is changed here"


def _module(params: dict[str, Any], journal: list[str]) -> AnsibleModule:
    found = SimpleNamespace(
        params=params,
        check_mode=False,
        log=journal.append,
        get_bin_path=lambda name, **_options: f"/sbin/{name}",
    )
    return cast("AnsibleModule", found)


def test_paths_are_normalised() -> None:
    params = {name: argument.get("default") for name, argument in snapset.ARGUMENTS.items()}
    params |= {
        "name": "s",
        "mountpoints": ["/", "/srv/"],
        "exclude": ["/var/", "/", "vg/lv", "[SWAP]"],
        "ignore_uncovered": ["/a/"],
    }
    selector = snapset.build_request(_module(params, [])).selector
    assert selector.mountpoints == ("/", "/srv")
    assert selector.exclude == ("/var", "/", "vg/lv", "[SWAP]")
    assert selector.ignore_uncovered == ("/a",)


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_commands_that_did_nothing(state: Any) -> None:
    """As it looks when somebody else undoes at once what was done."""
    origin = b.volume("vg/a")
    before = b.picture([origin] if state == "present" else [origin, b.member(origin)])
    with pytest.raises(CommandFailed, match=r"yet snapset s is (active|absent): ") as caught:
        _check_done(before, before, b.request("vg/a", state=state))
    assert caught.value.details["changed"] is False


def test_commands_that_did_something_else() -> None:
    origin, other = b.volume("vg/a"), b.volume("vg/b")
    before = b.picture([origin, other])
    wrong = replace(b.member(origin), origin="b")
    with pytest.raises(CommandFailed, match="yet snapset s is damaged: ") as caught:
        _check_done(before, b.picture([origin, other, wrong]), b.request("vg/a"))
    assert caught.value.details["changed"] is True


def test_a_single_snapshot_that_is_another_one_now() -> None:
    origin = b.volume("vg/a")
    before = b.picture([origin, b.thick_snapshot(origin, "snap")])
    now = b.picture([origin, b.volume("vg/snap")])
    with pytest.raises(CommandFailed, match="vg/snap exists and is not a snapshot"):
        _check_done(before, now, b.single_request("vg/a", state="merged"))


def test_the_journal_has_a_command_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module may be killed while LVM goes on."""
    journal: list[str] = []
    seen: list[str] = []

    def modify(_self: Lvm, arguments: Sequence[str], **_more: object) -> Outcome:
        seen.extend(journal)
        return Outcome(argv=("/sbin/lvm", *arguments), rc=5, stdout="", stderr="")

    monkeypatch.setattr(Lvm, "modify", modify)
    Session(_module({}, journal)).run(("lvremove", "--yes", "vg/lv"))
    assert len(seen) == 1
    assert "lvremove --yes vg/lv" in seen[0]
    assert "exit code 5" in journal[-1]


@pytest.mark.parametrize("can_archive", [True, False])
def test_lvm_archives_where_it_can(monkeypatch: pytest.MonkeyPatch, *, can_archive: bool) -> None:
    given: list[object] = []

    def modify(_self: Lvm, arguments: Sequence[str], *, archive: bool, **_more: object) -> Outcome:
        given.append(archive)
        return Outcome(argv=tuple(arguments), rc=0, stdout="", stderr="")

    origin = b.volume("vg/a")
    picture = b.picture([origin, b.member(origin)], can_archive=can_archive)
    monkeypatch.setattr(Lvm, "modify", modify)
    monkeypatch.setattr(Lvm, "report", lambda _self: Report(picture.volume_groups, picture.volumes, ""))
    monkeypatch.setattr(_way, "read_host", lambda: picture.host)
    session = Session(_module({}, []))
    plan = plan_absent(session.observe(), b.request(state="absent"))
    session.run(plan.steps[0].arguments())
    assert given == [can_archive]
    assert [*_no_archive(picture, plan)] == ([] if can_archive else [NO_ARCHIVE])
    assert [*_no_archive(picture, replace(plan, steps=()))] == []


def test_what_is_no_text_is_told_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible lets a task fail whose result it cannot encode, when all is done; a warning it cannot even log."""
    told: list[dict[str, Any]] = []
    module = _module({}, [])
    for name in ("exit_json", "fail_json"):
        monkeypatch.setattr(module, name, lambda **result: told.append(result), raising=False)
    monkeypatch.setattr(module, "warn", lambda text: told.append({"warning": text}), raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with open_session(module) as session:
        session.warn("dev/\udcff")
        session.end(changed=True, members=({"mountpoints": ["/ä/\udcff"], "size": 1},))
    with open_session(module):
        raise SafepointError("dev/\udcff", stderr="\udcff")
    ended = {"changed": True, "members": [{"mountpoints": [r"/ä/\xff"], "size": 1}]}
    failed = {"changed": False, "commands": [], "msg": r"dev/\xff", "stderr": r"\xff"}
    assert told == [{"warning": r"dev/\xff"}, ended, failed]


def test_the_bytes_of_a_report_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the ends of lines are made alike."""
    printed = SimpleNamespace(stdout=b"a\xff\r\n", stderr=b" \xff\n", returncode=5)
    monkeypatch.setattr("subprocess.run", lambda *_arguments, **_more: printed)
    monkeypatch.setattr(_lvm, "parse_report", lambda text: ((), (text,)))
    assert Lvm("lvm").report() == Report((), cast("Any", ("a\udcff\r\n",)), "\udcff")


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 1)])
def test_nothing_is_changed_without_udev(state: Any, members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = b.volume("vg/a")
    picture = b.picture([origin, *[b.member(origin)] * members], udev_runs=False)
    (warning,) = host_info(picture, None)["warnings"]
    assert warning.startswith("udev does not run")
    session = Session(_module({}, []))
    monkeypatch.setattr(session, "observe", lambda: picture)
    with pytest.raises(Refused, match=f"snapset s cannot be {state}: udev does not run"):
        _bring_about(_module({}, []), session, b.request("vg/a", state=state))


def test_where_nothing_is_to_be_done_udev_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(_module({}, []))
    monkeypatch.setattr(session, "observe", lambda: b.picture([b.volume("vg/a")], udev_runs=False))
    assert not _bring_about(_module({}, []), session, b.request(state="absent"))["changed"]
