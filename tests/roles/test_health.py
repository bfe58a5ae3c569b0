# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that is not well: its result is written, the role fails, and no other host notices. And what is written."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import of_health
import pytest
from plays import Controller

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = {"snapset": "s", "health_state": "compared", "health_junit": "reports"}
SETTINGS: list[dict[str, str]] = [{}, {"ANSIBLE_ANY_ERRORS_FATAL": "1"}]
HOSTS: dict[str, dict[str, Any]] = {
    "well": {of_health.OBSERVE: of_health.comparison(), of_health.WRITE: {"changed": True}},
    "ill": {of_health.OBSERVE: of_health.ILL, of_health.WRITE: {"changed": True}},
    "broken": {of_health.OBSERVE: {"failed": True, "msg": "there is no baseline"}},
    "gone": {of_health.OBSERVE: {"unreachable": True, "msg": "no route to host"}},
}


@pytest.mark.parametrize("settings", SETTINGS, ids=["as usual", "any_errors_fatal"])
def test_each_host_has_its_own_outcome(settings: dict[str, str], controller: Controller) -> None:
    seen = controller.run("safepoint.lvm.health", HOSTS, VARIABLES, **settings)
    assert seen["well"].tasks == seen["ill"].tasks == [of_health.OBSERVE, of_health.WRITE]
    assert (seen["well"].last, seen["well"].shown[-1].kind) == ("", "ok")
    assert seen["ill"].last == of_health.ILL["msg"]
    assert [one.task for one in seen["ill"].shown if one.kind in ("fatal", "failed")] == [of_health.STOP]
    assert (seen["broken"].tasks, seen["broken"].last) == ([of_health.OBSERVE], "there is no baseline")
    assert seen["gone"].tasks == [of_health.OBSERVE]


def test_the_writer_gets_the_whole_result(controller: Controller) -> None:
    seen = controller.run("safepoint.lvm.health", {"ill": HOSTS["ill"]}, VARIABLES)["ill"]
    written = seen.calls[-1].arguments
    assert written["directory"] == "reports"
    assert {key: written["result"][key] for key in ("differences", "checks")} == {
        key: of_health.ILL[key] for key in ("differences", "checks")
    }


def test_the_variables_are_those_of_the_module(controller: Controller) -> None:
    given = {
        "health_accept": ["mounts /a"],
        "health_commands": [{"name": "c", "command": "true"}],
        "health_ignored": ["routes"],
        "health_deadline": "20m",
    }
    answers = {"one": {of_health.OBSERVE: of_health.comparison()}}
    seen = controller.run("safepoint.lvm.health", answers, {"snapset": "s", "health_state": "compared", **given})["one"]
    arguments = seen.calls[0].arguments
    for name, value in given.items():
        assert arguments[name.removeprefix("health_")] == value
    assert arguments["warned"] == ["time_sync"]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"health_state": "compared"}, "No name given for the baseline. Use -e snapset=NAME"),
        ({"snapset": "s"}, "health_state"),
        ({"snapset": "s", "health_state": "soon"}, "health_state"),
        ({"snapset": "s", "health_state": "compared", "health_ignored": ["everything"]}, "health_ignored"),
    ],
)
def test_wrong_variables(variables: dict[str, Any], says: str, controller: Controller) -> None:
    seen = controller.run("safepoint.lvm.health", {"one": {}}, variables)["one"]
    assert seen.calls == []
    assert says in seen.last


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A controller with the real action plugin."""
    return Controller(tmp_path_factory.mktemp("writing"), real=["health_junit"])


def test_what_is_written(writing: Controller, tmp_path: Path) -> None:
    variables = {**VARIABLES, "health_junit": str(tmp_path / "new" / "reports")}
    hosts = {"web1.example.com": HOSTS["ill"], "well": HOSTS["well"]}
    seen = writing.run("safepoint.lvm.health", hosts, variables, "--check")
    assert list(tmp_path.iterdir()) == []
    seen = writing.run("safepoint.lvm.health", hosts, variables)
    assert seen["web1.example.com"].last == of_health.ILL["msg"]
    files = sorted((tmp_path / "new" / "reports").iterdir())
    assert [file.name for file in files] == ["web1.example.com.xml", "well.xml"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert b'<testsuites name="safepoint.lvm health s" ' in files[0].read_bytes()


def test_a_relative_path_counts_from_where_ansible_was_started(writing: Controller) -> None:
    """Not from the playbook, which is in the collection."""
    writing.run("safepoint.lvm.health", {"well": HOSTS["well"]}, VARIABLES)
    (file,) = writing.home.rglob("reports/well.xml")
    assert file.parents[2] == writing.home


def test_what_is_not_a_comparison_is_not_written(writing: Controller, tmp_path: Path) -> None:
    play = f"""
- hosts: all
  gather_facts: false
  tasks:
    - safepoint.lvm.health_junit:
        result: {{"checks": 5}}
        directory: {tmp_path}/reports
"""
    seen = writing.run(play, {"one": {}}, {})["one"]
    assert "result is not that of a comparison by safepoint.lvm.health" in seen.last
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written(writing: Controller, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    variables = {**VARIABLES, "health_junit": str(tmp_path / "file")}
    seen = writing.run("safepoint.lvm.health", {"well": HOSTS["well"]}, variables)["well"]
    assert seen.last.startswith(f"cannot write {tmp_path}/file/well.xml: ")
