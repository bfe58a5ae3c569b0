# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What playbooks and roles refuse before any module is called, and several uses of a role in one play."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import of_pre_upgrade
import of_rollback
import pytest
from plays import Controller
from rolefiles import ROOT
from scenarios import ID, info, reason, snapset

if TYPE_CHECKING:
    from pathlib import Path

USE = """
    - block:
        - ansible.builtin.include_role: {name: safepoint.lvm.pre_upgrade}
          vars: {pre_upgrade_name: s}
      rescue:
        - name: The reason
          ansible.builtin.debug: {msg: "{{ ansible_failed_result.msg }}"}
"""
TWICE = f"""
- hosts: all
  gather_facts: false
  tasks:{USE}{USE}
"""
HOSTS: dict[str, dict[str, Any]] = {"one": {}, "two": {}}


@pytest.mark.parametrize(
    ("playbook", "variables", "says"),
    [
        ("pre_upgrade", {}, "No name given for the snapset. Use -e snapset=NAME"),
        ("commit", {"snapset": ""}, "No snapset given. Use -e snapset=NAME; safepoint.lvm.status lists them."),
        (
            "pre_upgrade",
            {"snapset": "s", "pre_upgrade_after_taking": "no.yml"},
            "playbooks/no.yml: there is no such file",
        ),
        ("rollback", {"snapset": "s"}, "This would roll back 2 hosts: one, two."),
        ("commit", {"snapset": "s"}, "This would remove the way back of 2 hosts: one, two."),
        ("rollback", {"snapset": "s", "confirm_hosts": 2, "rollback_timeout": "soon"}, "rollback_timeout"),
    ],
)
def test_nothing_is_called_when_it_is_not_clear_what_is_meant(
    playbook: str, variables: dict[str, Any], says: str, controller: Controller
) -> None:
    seen = controller.run(f"safepoint.lvm.{playbook}", HOSTS, variables)
    assert [one.calls for one in seen.values()] == [[], []]
    assert says in seen["one"].last


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A controller with the real rollback_wait."""
    home: Path = tmp_path_factory.mktemp("waiting")
    return Controller(home, real=["rollback_wait"])


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"rollback_timeout": -1}, "timeout is -1: use 0 or more seconds"),
        ({"rollback_poll_min": -2}, "poll_min is -2: use 0 or more seconds"),
        ({"rollback_reboot_timeout": 0}, "reboot_timeout is 0: use 1 or more seconds"),
    ],
)
def test_times_that_are_none_are_refused_before_anything_changes(
    variables: dict[str, Any], says: str, waiting: Controller
) -> None:
    seen = waiting.run("safepoint.lvm.rollback", {"one": of_rollback.WHOLE.answers}, {"snapset": "s", **variables})
    assert seen["one"].tasks == [of_rollback.LOOK]
    assert seen["one"].last == says


def test_lists_may_come_as_text(controller: Controller) -> None:
    """The modules parse them; for the evidence the role does."""
    texts = {
        "pre_upgrade_mountpoints": "/, '/var'",
        "pre_upgrade_exclude": "",
        "pre_upgrade_ignore_uncovered": "[/opt]",
    }
    seen = controller.run(
        "safepoint.lvm.pre_upgrade", {"one": of_pre_upgrade.UNDISTURBED.answers}, {"snapset": "s", **texts}
    )
    backups = [call for call in seen["one"].calls if call.action.endswith(".boot_backup")]
    assert [call.arguments.get("ignore_uncovered") for call in backups] == ["[/opt]"] * 2
    asked = seen["one"].calls[0].arguments
    wanted = {"mountpoints": "/, '/var'", "exclude": [], "ignore_uncovered": "[/opt]", "volumes": [], "system": False}
    assert {name: asked[name] for name in wanted} == wanted
    packed = {**of_rollback.WHOLE.variables, "rollback_fetch": "[/var/log/apt, '/a b', /c]", "snapset": "s"}
    (pack,) = (
        call
        for call in controller.run("safepoint.lvm.rollback", {"one": of_rollback.WHOLE.answers}, packed)["one"].calls
        if call.task.startswith("Pack the evidence")
    )
    assert pack.arguments["argv"][-3:] == ["/var/log/apt", "/a b", "/c"]


@pytest.mark.parametrize(("path", "fails"), [("/var/log", False), ("/var/lib/mysql", True)])
def test_the_example_of_the_page_on_coverage(path: str, fails: bool, controller: Controller) -> None:  # noqa: FBT001
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    (play,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    answer = {"changed": True, "not_rolled_back": [{"path": path, "reason": "it is elsewhere"}]}
    seen = controller.run(play, {"one": {"Find out what a snapset of the system would leave out": answer}}, {})["one"]
    assert seen.calls[0].check
    assert (seen.last != "") is fails


def test_without_a_choice_the_system_is_protected(controller: Controller) -> None:
    seen = controller.run("safepoint.lvm.pre_upgrade", {"one": of_pre_upgrade.UNDISTURBED.answers}, {"snapset": "s"})
    asked = [call.arguments for call in seen["one"].calls if call.action.endswith(".snapset")]
    assert [one["system"] for one in asked] == [True, True]
    assert [one.get("id") for one in asked] == [None, ID]


def test_what_an_earlier_use_of_the_role_has_found_counts_no_more(controller: Controller) -> None:
    """The first use has no timer, so its snapset is removed; the second has no backup, so nothing is removed."""
    save, arm = of_pre_upgrade.SAVE, of_pre_upgrade.ARM
    answers = of_pre_upgrade.FRESH.answers_with((save, arm))
    answers[save] = [of_pre_upgrade.FRESH.answers[save], answers[save]]
    seen = controller.run(TWICE, {"one": answers}, of_pre_upgrade.FRESH.variables)["one"]
    assert [one.message for one in seen.shown if one.task == "The reason"] == [reason(arm), reason(save)]
    assert [call.text for call in seen.calls].count("snapset s absent") == 1
    assert seen.tasks[-1] == save


def test_a_use_of_the_role_that_goes_well_does_not_fail_for_an_earlier_one(controller: Controller) -> None:
    arm = of_pre_upgrade.ARM
    answers = of_pre_upgrade.FRESH.answers_with((arm,))
    answers[arm] = [answers[arm], of_pre_upgrade.FRESH.answers[arm]]
    seen = controller.run(TWICE, {"one": answers}, of_pre_upgrade.FRESH.variables)["one"]
    assert [one.message for one in seen.shown if one.task == "The reason"] == [reason(arm)]
    assert seen.shown[-1].message == of_pre_upgrade.FRESH.says
    assert [call.text for call in seen.calls].count("snapset s absent") == 1


# As with -e, they hold for every host, localhost included.
_OF_THE_HOSTS = {"ansible_python_interpreter": "/gone/python3", "ansible_become": True}


def test_the_place_of_the_evidence_is_private_and_needs_no_python(controller: Controller, tmp_path: Path) -> None:
    place = tmp_path / "it's a $(reboot)"
    variables = {**of_rollback.WHOLE.variables, "snapset": "s", "rollback_fetch_dest": str(place), **_OF_THE_HOSTS}
    seen = controller.run("safepoint.lvm.rollback", {"one": of_rollback.WHOLE.answers}, variables)["one"]
    assert seen.last == ""
    (archive,) = place.iterdir()
    (fetch,) = (call for call in seen.calls if call.action.endswith(".fetch"))
    assert fetch.arguments["dest"] == str(archive)
    assert (archive.name, archive.stat().st_mode & 0o777) == (f"one-s-{ID}.tar.gz", 0o600)


def test_without_a_place_for_the_evidence_nothing_is_rolled_back(controller: Controller, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    variables = {**of_rollback.WHOLE.variables, "snapset": "s", "rollback_fetch_dest": str(tmp_path / "file")}
    seen = controller.run("safepoint.lvm.rollback", {"one": of_rollback.WHOLE.answers}, variables)["one"]
    assert seen.last.startswith("Cannot save the evidence on the controller: mkdir: ")
    assert seen.last.endswith("or roll back without evidence (-e rollback_fetch=)")
    assert [call.text for call in seen.calls][-1] == "file absent"


@pytest.mark.parametrize(("serial", "batches"), [(None, [3]), (1, [1, 1, 1]), ("67%", [2, 1])])
def test_so_many_hosts_roll_back_at_a_time(serial: Any, batches: list[int], controller: Controller) -> None:
    """The last host of a batch is waited for before the first one of the next batch is looked at."""
    hosts = dict.fromkeys(("one", "two", "three"), of_rollback.WHOLE.answers)
    given = {} if serial is None else {"rollback_serial": serial}
    controller.run("safepoint.lvm.rollback", hosts, {"snapset": "s", "confirm_hosts": 3, **given})
    begun = controller.order(of_rollback.LOOK, of_rollback.WAIT)
    assert [len(one) for one in begun[::2]] == [len(one) for one in begun[1::2]] == batches


def test_a_batch_that_fails_ends_the_rollback_of_the_others(controller: Controller) -> None:
    hosts = {name: of_rollback.WHOLE.answers_with(()) for name in ("one", "two")}
    hosts["one"] = of_rollback.WHOLE.answers_with((of_rollback.WAIT,))
    seen = controller.run("safepoint.lvm.rollback", hosts, {"snapset": "s", "confirm_hosts": 2, "rollback_serial": 1})
    assert seen["one"].last == reason(of_rollback.WAIT)
    assert seen["two"].calls == []


def test_a_canary_that_has_survived_is_an_alarm(controller: Controller) -> None:
    found = {"files": [{"path": "/.safepoint-canary-1"}]}
    answers = {**of_rollback.WHOLE.answers, "Find canaries that are still there": found}
    seen = controller.run("safepoint.lvm.rollback", {"one": answers}, {"snapset": "s"})["one"]
    assert "still exist (/.safepoint-canary-1): these filesystems were not rolled back" in seen.last
    assert seen.tasks[-1] == "Find canaries that are still there"


def test_what_is_not_protected_is_said(controller: Controller) -> None:
    answers = dict(of_pre_upgrade.IGNORED.answers)
    member = {**snapset("active")["members"][0], "auto_basis": "estimate"}
    answers[of_pre_upgrade.TAKE] = {**answers[of_pre_upgrade.TAKE], "snapset": snapset("active", members=[member])}
    seen = controller.run("safepoint.lvm.pre_upgrade", {"one": answers}, {"snapset": "s"})["one"]
    (warning,) = (one.message for one in seen.shown if one.task == "Warn about what is not protected")
    assert "The files that boot the host (/boot) are not saved" in warning
    assert "The snapshots of sysvg/root can overflow" in warning


def test_the_status_names_what_there_is(controller: Controller) -> None:
    host = {"one": {"Get the state of the host": info(snapset("active"))}}
    seen = controller.run("safepoint.lvm.status", host, {"snapset": "none"})["one"]
    assert seen.last == "Snapset none does not exist on one. Check the name; these exist: s"


def test_the_status_shows_what_belongs_to_other_hosts(controller: Controller) -> None:
    part = {"name": "s", "id": ID, "host": "aaaabbbbccccdddd", "vgs": ["guest"], "volumes": ["guest/root_s"]}
    nothing: dict[str, Any] = {
        key: [] for key in ("unmanaged_snapshots", "copies", "coverage", "volume_groups", "thin_pools")
    }
    known = {**nothing, "booted_from": None, "host_id": "1111222233334444"}
    looks = {
        "one": info(foreign=[part, {**part, "name": "z", "host": None}], **known),
        "two": info(foreign=[part], **known),
    }
    hosts = {name: {"Get the state of the host": look} for name, look in looks.items()}
    shown = controller.run("safepoint.lvm.status", hosts, {})["one"].shown[-1].message
    assert [line for line in shown.splitlines() if line.startswith("foreign")] == [
        "foreign: s in VG guest belongs to host aaaabbbbccccdddd, this host is 1111222233334444; it is not touched",
        "foreign: z in VG guest belongs to an unknown host, this host is 1111222233334444; it is not touched",
    ]
    seen = controller.run("safepoint.lvm.status", hosts, {"snapset": "s"})["two"]
    assert seen.last.endswith("This host has no snapsets. Another host has a snapset of this name in VG guest.")
