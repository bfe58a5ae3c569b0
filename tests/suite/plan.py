# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs as the table in tests/README.md lists them: machine, series, duration.

A job that is not in the table does not exist. If the jobs of `make test` take too long, it fails at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from tools.paths import ROOT, ToolError

if TYPE_CHECKING:
    from collections.abc import Sequence

README = ROOT / "tests" / "README.md"
HEADER = "| job | image | machine | series | minutes | minutes without UML |"
# How many jobs run at a time. That fits two processors, because one job in three mostly waits.
PARALLEL_JOBS = 3
# How many minutes the jobs of `make test` may take, if several run at a time.
LIMIT_MINUTES = 60
Series = Literal["test", "all", "faults"]
Machine = Literal["uml", "qemu"]
NOT_RUN = "-"
# Begins the names of machines and directories, so that those of a killed run can be recognised.
PREFIX = "job-"


@dataclass(frozen=True)
class Job:
    """A row of the table: `name` says what is run, the other columns on which machine, and how many minutes it takes.

    `minutes_without_uml` is how many it takes without user-mode Linux; None if it is not run there.
    """

    name: str
    image: str
    machine: Machine
    series: Series
    minutes: float
    minutes_without_uml: float | None

    @property
    def title(self) -> str:
        """The job's name in messages."""
        return f"{self.name} on {self.image}, {self.machine}"

    @property
    def slug(self) -> str:
        """The job's name for files and machines: a-z, digits, hyphens."""
        return PREFIX + re.sub("[^a-z0-9]+", "-", f"{self.machine}-{self.image}-{self.name}".lower())


def parse_table(text: str) -> tuple[Job, ...]:
    """The jobs of the table in a text, in order. ToolError if a row is invalid or occurs twice."""
    lines = text.splitlines()
    if HEADER not in lines:
        raise ToolError(f"tests/README.md contains no table of jobs: its first line must be {HEADER}")
    start = lines.index(HEADER) + 2
    end = next((place for place in range(start, len(lines)) if not lines[place].startswith("|")), len(lines))
    jobs = tuple(parse_row(line) for line in lines[start:end])
    slugs = [job.slug for job in jobs]
    for job in jobs:
        if slugs.count(job.slug) > 1:
            raise ToolError(f"tests/README.md contains this job twice: {job.title}")
    return jobs


def parse_row(line: str) -> Job:
    """The job in a row. ToolError if the row is invalid."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    problem = ToolError(f"tests/README.md contains an invalid job: {line}; the columns must be {HEADER}")
    if len(cells) != HEADER.count("|") - 1:
        raise problem
    name, image, machine, series, minutes, minutes_without_uml = cells
    if machine not in get_args(Machine) or series not in get_args(Series):
        raise problem
    try:
        wanted = None if minutes_without_uml == NOT_RUN else float(minutes_without_uml)
        return Job(name, image, machine, series, float(minutes), wanted)  # type: ignore[arg-type]
    except ValueError:
        raise problem from None


def planned_minutes(jobs: Sequence[Job]) -> float:
    """How many minutes the jobs take if several run at a time, the longest first."""
    lanes = [0.0] * PARALLEL_JOBS
    for job in longest_first(jobs):
        lanes[lanes.index(min(lanes))] += job.minutes
    return max(lanes)


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """The jobs in the order in which they are started: the short ones at the end fill the gaps."""
    return sorted(jobs, key=lambda job: -job.minutes)


def without_uml(jobs: Sequence[Job]) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """The jobs that run without user-mode Linux, all of them in QEMU, and the jobs that do not run."""
    kept = [
        replace(job, machine="qemu", minutes=job.minutes_without_uml)
        for job in jobs
        if job.minutes_without_uml is not None
    ]
    return tuple(kept), tuple(job for job in jobs if job.minutes_without_uml is None)


def check(jobs: Sequence[Job]) -> None:
    """Raise ToolError if the jobs take longer than allowed."""
    if (minutes := planned_minutes(jobs)) > LIMIT_MINUTES:
        raise ToolError(
            f"the jobs of make test take {minutes:.0f} minutes according to the table in tests/README.md, and at most "
            f"{LIMIT_MINUTES} are allowed: move some of them to the series `all`"
        )


def jobs_in_series(series: Series) -> tuple[Job, ...]:
    """The jobs of a series; `all` contains those of `test`. ToolError if the table is invalid."""
    every = parse_table(README.read_text(encoding="utf-8"))
    check([job for job in every if job.series == "test"])
    wanted = ("test", "all") if series == "all" else (series,)
    return tuple(job for job in every if job.series in wanted)
