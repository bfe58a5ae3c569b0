# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to run, as the table of tests/README.md says: jobs, where they run, in which series, for how long.

The table is the plan: a job that is not in it does not exist, and one that makes a series too long fails at once.
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
# For two processors: one job in three mostly waits, for a deadline or a connection.
LANES = 3
# How many minutes the jobs of `make test` may be planned to take, the lanes beside each other.
LIMIT = 60
Series = Literal["test", "all", "faults"]
Machine = Literal["uml", "qemu"]
NOT_RUN = "-"
# Of the names of machines and directories, so that what a run that was killed has left is known as such.
PREFIX = "job-"


@dataclass(frozen=True)
class Job:
    """One row: `name` says what is run, the rest on which machine, and in how many minutes it is planned to end.

    `instead` is how many minutes the job takes on a machine without user-mode Linux; None if it is not run there.
    """

    name: str
    image: str
    machine: Machine
    series: Series
    minutes: float
    instead: float | None

    @property
    def title(self) -> str:
        """The job's name for people."""
        return f"{self.name} on {self.image}, {self.machine}"

    @property
    def slug(self) -> str:
        """The job's name for files and machines: small letters, digits, hyphens."""
        return PREFIX + re.sub("[^a-z0-9]+", "-", f"{self.machine}-{self.image}-{self.name}".lower())


def read(text: str) -> tuple[Job, ...]:
    """The jobs of the table in a text, in its order. ToolError for a row that is not understood, or is there twice."""
    lines = text.splitlines()
    if HEADER not in lines:
        raise ToolError(f"tests/README.md has no table of jobs; it begins with: {HEADER}")
    start = lines.index(HEADER) + 2
    end = next((place for place in range(start, len(lines)) if not lines[place].startswith("|")), len(lines))
    jobs = tuple(read_row(line) for line in lines[start:end])
    slugs = [job.slug for job in jobs]
    for job in jobs:
        if slugs.count(job.slug) > 1:
            raise ToolError(f"tests/README.md has this job twice: {job.title}")
    return jobs


def read_row(line: str) -> Job:
    """The job of one row. ToolError if it cannot be understood."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    problem = ToolError(f"tests/README.md has a job that cannot be understood: {line}; expected: {HEADER}")
    if len(cells) != HEADER.count("|") - 1:
        raise problem
    name, image, machine, series, minutes, instead = cells
    if machine not in get_args(Machine) or series not in get_args(Series):
        raise problem
    try:
        wanted = None if instead == NOT_RUN else float(instead)
        return Job(name, image, machine, series, float(minutes), wanted)  # type: ignore[arg-type]
    except ValueError:
        raise problem from None


def planned(jobs: Sequence[Job]) -> float:
    """The minutes that jobs are planned to take, the lanes beside each other and the longest first."""
    lanes = [0.0] * LANES
    for job in longest_first(jobs):
        lanes[lanes.index(min(lanes))] += job.minutes
    return max(lanes)


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """The order in which jobs are begun, so that the short ones fill the gaps."""
    return sorted(jobs, key=lambda job: -job.minutes)


def without_uml(jobs: Sequence[Job]) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """What is run of `jobs` where there is no user-mode Linux, all of it in QEMU, and what is not."""
    kept = [replace(job, machine="qemu", minutes=job.instead) for job in jobs if job.instead is not None]
    return tuple(kept), tuple(job for job in jobs if job.instead is None)


def check(jobs: Sequence[Job]) -> None:
    """Raise ToolError if the plan is longer than it may be."""
    if (minutes := planned(jobs)) > LIMIT:
        raise ToolError(
            f"the jobs of make test are planned to take {minutes:.0f} minutes, and at most {LIMIT} are allowed: "
            "move some to the series `all` in the table of tests/README.md"
        )


def jobs_of(series: Series) -> tuple[Job, ...]:
    """The jobs of a series; `all` has those of `test` as well. ToolError if the table is not as it has to be."""
    every = read(README.read_text(encoding="utf-8"))
    check([job for job in every if job.series == "test"])
    wanted = ("test", "all") if series == "all" else (series,)
    return tuple(job for job in every if job.series in wanted)
