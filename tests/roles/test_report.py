# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `report`: it always ends with the report, and fails for exactly the hosts that it is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from fleet import GONE, LOOK, FleetController, broken, info
from rolefiles import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MIXED: dict[str, Any] = {
    "gone": GONE,
    "well": info("active"),
    "broken": broken("LVM gives no report"),
    "damaged": info("invalid"),
    "idle": info(),
}
OUTCOMES = {
    "gone": "unreachable",
    "broken": "look_failed",
    "damaged": "damaged",
    "well": "protected",
    "idle": "no_snapset",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetController:
    return FleetController(tmp_path_factory.mktemp("fleet"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"report_serial": 1, "ANSIBLE_ANY_ERRORS_FATAL": "1"},
        {"ANSIBLE_STRATEGY": "free"},
    ],
    ids=str,
)
def test_every_host_is_a_row_and_those_that_could_not_be_looked_at_fail(
    settings: dict[str, Any], fleet: FleetController
) -> None:
    seen = fleet.report(MIXED, **settings)
    assert seen.outcomes == OUTCOMES
    assert list(seen.outcomes) == list(OUTCOMES)
    assert sorted(seen.failed) == ["broken", "gone"]
    assert seen.status == 2
    assert seen.shown[0] == "5 hosts: 1 unreachable, 1 look failed, 1 damaged, 1 protected, 1 no snapset"
    assert f"report: {seen.directory}/safepoint-report.html" in seen.shown
    assert "broken: look failed: cannot look at the host (LVM gives no report)" in seen.shown
    assert [path.stat().st_mode & 0o777 for path in sorted(seen.directory.iterdir())] == [0o600] * 3
    assert seen.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("fail_on", "failed"),
    [([], []), (["damaged", "no_snapset"], ["damaged", "idle"])],
)
def test_a_run_fails_for_what_it_is_asked_to_fail_for(
    fail_on: list[str], failed: list[str], fleet: FleetController
) -> None:
    seen = fleet.report(MIXED, report_fail_on=fail_on)
    assert sorted(seen.failed) == failed
    assert seen.status == (2 if failed else 0)
    assert seen.outcomes == OUTCOMES


def test_a_fleet_of_which_no_host_can_be_reached_has_a_report(fleet: FleetController) -> None:
    seen = fleet.report({"gone1": GONE, "gone2": GONE}, report_serial=1)
    assert seen.outcomes == {"gone1": "unreachable", "gone2": "unreachable"}
    assert sorted(seen.failed) == ["gone1", "gone2"]


def test_a_limit_and_a_target_limit_the_report(fleet: FleetController) -> None:
    assert set(fleet.report(MIXED, "--limit", "well,idle").outcomes) == {"well", "idle"}
    seen = fleet.report(MIXED, target="well:broken:nothing:!idle")
    assert set(seen.outcomes) == {"well", "broken"}
    assert seen.failed == ["broken"]


def test_check_mode_writes_the_report(fleet: FleetController) -> None:
    assert fleet.report(MIXED, "--check").outcomes == OUTCOMES


def test_a_fact_cache_is_enough(fleet: FleetController, tmp_path: Path) -> None:
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path)}
    first = fleet.report(MIXED, **cache)
    # Now no host answers.
    silent = dict.fromkeys([*MIXED, "new"], GONE)
    second = fleet.report(silent, report_gather=False, **cache)
    assert second.outcomes == {**OUTCOMES, "gone": "unknown", "broken": "unknown", "new": "unknown"}
    assert sorted(second.failed) == ["broken", "gone", "new"]
    looks = [{host["host"]: host["safepoint_report"] for host in seen.document["hosts"]} for seen in (first, second)]
    assert looks[0]["well"] == looks[1]["well"]
    assert looks[0]["well"]
    # And if they are asked, what was known of them is still shown.
    third = fleet.report(silent, **cache)
    assert set(third.outcomes.values()) == {"unreachable"}
    known = {host["host"] for host in third.document["hosts"] if host["safepoint_report"]}
    assert known == {"well", "damaged", "idle"}


def test_what_a_host_sends_is_never_evaluated(fleet: FleetController, tmp_path: Path) -> None:
    marker = tmp_path / "taken"
    evil = f"{{{{ lookup('ansible.builtin.pipe', 'touch {marker}') }}}}{{% raw %}}"
    snapset = {"name": evil, "state": "invalid", "members": [{"vg": evil, "origin": evil, "state": "invalid"}]}
    hosts = {"evil": info(snapsets=[snapset], remarks=[evil]), "broken": broken(evil)}
    seen = fleet.report(hosts, report_fail_on=["bad"])
    assert sorted(seen.failed) == ["broken", "evil"]
    shown = {host["host"]: host for host in seen.document["hosts"]}
    assert shown["evil"]["safepoint_report"]["snapsets"][0]["name"] == evil[:200]
    assert evil in [one["reason"] for one in shown["evil"]["findings"]]
    assert evil in shown["broken"]["findings"][0]["detail"]
    assert not marker.exists()


def test_data_of_a_wrong_form_are_a_finding(fleet: FleetController) -> None:
    more = {
        "snapsets": "none",
        "volume_groups": [7],
        "coverage": {"a": 1},
        "thin_pools": [{"vg": [], "data_percent": "full"}],
    }
    seen = fleet.report({"odd": info(**more)})
    (host,) = seen.document["hosts"]
    assert (host["outcome"], host["level"]) == ("no_snapset", "bad")
    assert [one["detail"] for one in host["findings"]] == [
        "snapsets must be a list",
        "volume_groups[0] must be a dictionary",
        "thin_pools[0].vg must be text",
        "thin_pools[0].data_percent must be a number, 0 or more",
    ]


AFTER_A_CHANGE = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        safepoint_outcome: {schema: 1, outcome: patched, owner: none, began: 1795860000}
        cacheable: true
    - ansible.builtin.fail: {msg: the change has failed}
      when: inventory_hostname == 'failed'
- import_playbook: safepoint.lvm.report
"""


def test_the_outcome_of_a_change_is_shown_and_hosts_that_failed_in_it_are_rows(fleet: FleetController) -> None:
    seen = fleet.report({"well": info("active"), "failed": info("active")}, playbook=AFTER_A_CHANGE)
    shown = {host["host"]: host for host in seen.document["hosts"]}
    assert seen.outcomes == {"well": "patched", "failed": "patched"}
    assert shown["well"]["safepoint_outcome"]["began"] == "2026-11-28T10:00:00+00:00"
    assert shown["failed"]["safepoint_report"] is None
    assert seen.status == 2


def test_the_example_of_the_page_on_fleets(fleet: FleetController) -> None:
    text = (ROOT / "docs" / "fleets.md").read_text(encoding="utf-8")
    play = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[0]
    seen = fleet.report({"well": info("active"), "gone": GONE}, playbook=play)
    assert seen.outcomes == {"gone": "unreachable", "well": "protected"}


def test_the_files_that_are_asked_for_are_written(fleet: FleetController) -> None:
    seen = fleet.report({"well": info("active")}, report_formats=["csv"], report_mode="0640")
    (file,) = seen.directory.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("safepoint-report.csv", 0o640)
    assert [(line["host"], line["outcome"]) for line in seen.cells] == [("well", "protected")]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"report_mode": 416}, 'mode is 416: use octal digits in quotes, with 6 or 7 first, such as "0640"'),
        ({"report_directory": "/proc/nothing"}, "cannot write the report to /proc/nothing: No such file or directory"),
        ({"report_fail_on": ["everything"]}, "fail_on"),
    ],
)
def test_what_cannot_be_written_is_an_error(variables: dict[str, Any], says: str, fleet: FleetController) -> None:
    seen = fleet.run(
        "safepoint.lvm.report", {"well": info("active")}, {"report_gather": False, "ansible_become": False, **variables}
    )
    assert says in seen["well"].last
    assert fleet.status == 2


def test_the_stub_answers_for_the_task_of_the_playbook() -> None:
    assert f"- name: {LOOK}\n" in (ROOT / "playbooks" / "report.yml").read_text(encoding="utf-8")
