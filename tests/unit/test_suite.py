# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of the jobs, and what happens with their results. No job is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from suite import jobs, plan, programs, results
from tools import envs, reports
from tools.paths import ToolError
from vm import image
from vm.recipe import RECIPES

ROW = "| thick | trixie | uml | test | 2.5 | 8 |"


def table(*rows: str) -> str:
    return "\n".join(["# The tests", "", plan.HEADER, "|---|---|---|---|---|---|", *rows, "", "| not | of | it |"])


def test_a_row_is_a_job() -> None:
    assert plan.parse_table(table(ROW)) == (plan.Job("thick", "trixie", "uml", "test", 2.5, 8.0),)


def test_a_job_without_minutes_in_the_last_column_is_not_run_without_user_mode_linux() -> None:
    job, other = plan.parse_table(table(ROW, "| thin | trixie | uml | test | 2 | - |"))
    kept, dropped = plan.without_uml([job, other])
    assert [(one.name, one.machine, one.minutes) for one in kept] == [("thick", "qemu", 8.0)]
    assert dropped == (other,)


@pytest.mark.parametrize(
    "row",
    [
        "| thick | trixie | uml | test | 2 |",
        "| thick | trixie | kvm | test | 2 | - |",
        "| thick | trixie | uml | tests | 2 | - |",
        "| thick | trixie | uml | test | soon | - |",
        "| thick | trixie | uml | test | 2 | never |",
    ],
)
def test_an_invalid_row_is_quoted_in_the_error(row: str) -> None:
    with pytest.raises(ToolError, match=r"contains an invalid job: \| thick"):
        plan.parse_table(table(row))


def test_a_job_must_not_occur_twice() -> None:
    with pytest.raises(ToolError, match="this job twice: thick on trixie, uml"):
        plan.parse_table(table(ROW, ROW))


def test_the_table_must_exist() -> None:
    with pytest.raises(ToolError, match="contains no table of jobs"):
        plan.parse_table("# The tests\n")


def of_minutes(*minutes: float) -> list[plan.Job]:
    return [plan.Job(f"job {number}", "trixie", "uml", "test", one, None) for number, one in enumerate(minutes)]


def test_three_lanes_share_the_jobs() -> None:
    assert plan.planned_minutes(of_minutes(5, 4, 4, 3, 3)) == 7


def test_a_plan_that_is_too_long_fails_at_once() -> None:
    plan.check(of_minutes(60, 60, 60))
    with pytest.raises(ToolError, match=r"take 61 minutes according to .*, and at most 60 are allowed"):
        plan.check(of_minutes(60, 60, 61))


def test_every_job_of_the_table_has_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "artefact", lambda: Path("/artefact.tar.gz"))
    for series in get_args(plan.Series):
        for job in plan.jobs_in_series(series):
            assert image.recipe_of(job.image).name == job.image
            assert len(job.slug) < 64
            assert jobs.command(job, tmp_path).argv


def test_the_error_names_a_job_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="a job that does not exist: thicc"):
        jobs.command(plan.Job("thicc", "trixie", "uml", "test", 1, None), tmp_path)


def test_a_job_can_have_a_part_and_a_sample(tmp_path: Path) -> None:
    argv = jobs.command(plan.Job("guest 2/3 20", "trixie", "uml", "test", 1, None), tmp_path).argv
    assert argv[-6:-2] == ("--shard", "2/3", "--faults", "20")
    argv = jobs.command(plan.Job("faults 1/4", "trixie", "uml", "faults", 1, None), tmp_path).argv
    assert argv[-7:-2] == ("faults", "--shard", "1/4", "--faults", "all")


@pytest.mark.parametrize(
    ("output", "progress"),
    [
        ("TASK [Take the snapset] *****\nok: [one]\n", "Take the snapset"),
        (
            "TASK [one] **\ntests/test_a.py::test_it[x] PASSED [ 3%]\ntests/test_a.py::test_more ",
            "test_a.py::test_more",
        ),
        ("[  12 s] copying the system\n", "copying the system"),
        ("[12:00:01] cut 1-12, data begins\n", "cut 1-12, data begins"),
        ("nothing of that\n", ""),
    ],
)
def test_the_progress_of_a_program(tmp_path: Path, output: str, progress: str) -> None:
    log = tmp_path / "log"
    log.write_text(output)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert programs.Running(process, "title", log).progress() == progress


def test_a_result_is_void_if_the_tested_files_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "listed_files", lambda: [Path("plugins/a.py"), Path("docs/b.md")])
    for name in ("plugins/a.py", "docs/b.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("one")

    def now() -> str:
        results.tested_files_digest.cache_clear()
        return results.tested_files_digest()

    first = now()
    (tmp_path / "docs/b.md").write_text("two")
    assert now() == first
    (tmp_path / "plugins/a.py").write_text("two")
    assert now() != first
    results.tested_files_digest.cache_clear()


def test_passed_results_replace_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = plan.Job("thick", "trixie", "uml", "all", 1, None)
    monkeypatch.setattr(results, "KEPT", tmp_path / "passed")
    monkeypatch.setattr(results, "image_key", lambda _name, _machine: "image")
    reports.write(tmp_path / "new" / "report.xml", "thick", [reports.Case("it", 1)])
    for tree in ("first", "second"):
        monkeypatch.setattr(results, "tested_files_digest", lambda tree=tree: tree)
        results.keep(job, tmp_path / "new")
    assert results.passed(results.kept_reports(job))
    assert [path.parent.name for path in (tmp_path / "passed").glob("*/*")] == ["second-image"]
    reports.write(tmp_path / "bad" / "report.xml", "thick", [reports.Case("it", 1, "no")])
    assert not results.passed(tmp_path / "bad")


def test_a_job_that_names_an_image_has_a_second_machine() -> None:
    job = plan.Job("controller core-2.21 bookworm", "trixie", "uml", "all", 5, None)
    assert list(jobs.machines(job).values()) == ["trixie", "bookworm"]
    alone = plan.Job("thin core-2.16", "trixie", "uml", "all", 5, None)
    assert jobs.machines(alone) == {alone.slug: "trixie"}


def test_the_machines_of_the_table_have_unique_names_and_known_images() -> None:
    machines = [machine for job in all_jobs() for machine in jobs.machines(job).items()]
    assert len(dict(machines)) == len(machines)
    assert {name for _machine, name in machines} <= set(RECIPES)
    # A host name has at most 64 characters.
    assert max(len(machine) for machine, _name in machines) <= 64


def test_a_program_that_does_not_exist_is_a_problem_without_traceback(tmp_path: Path) -> None:
    problem = programs.Programs().run("title", ["/no/such/program"], env={}, log=tmp_path / "log", limit=10)
    assert problem is not None
    assert problem.startswith("it cannot be started: ")
    assert "/no/such/program" in problem


def test_a_job_is_run_with_its_ansible_core() -> None:
    job = plan.Job("controller core-2.21 bookworm", "trixie", "uml", "all", 5, None)
    assert jobs.environment_of(job).name == "core-2.21"
    names = {jobs.environment_of(job).name for job in all_jobs()}
    assert names == {"main", *(environment.name for environment in envs.CONTROLLERS)}


def all_jobs() -> tuple[plan.Job, ...]:
    return plan.parse_table(plan.README.read_text(encoding="utf-8"))
