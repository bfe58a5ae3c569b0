# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the jobs that need guests: tests inside guests, scenarios, other controllers, power cuts.

    python3 tests/suite                       # the jobs of `make test`
    python3 tests/suite --series all          # all jobs except the series `faults`; continues an interrupted run
    python3 tests/suite --series faults       # everything that breaks a host on purpose; continues an interrupted run
    python3 tests/suite --series all --list   # list the jobs of a series
    python3 tests/suite --only thin --image bookworm
    python3 tests/suite --only "look on trixie-uefi" --only "guest 1/3 20"

The table in tests/README.md lists the jobs. Run `make setup` first: the jobs use its environments. Reports (JUnit) and
logs are written below $SAFEPOINT_RESULTS, in one directory for each job. If user-mode Linux does not work here, a
smaller set of jobs runs in QEMU, and the jobs that did not run are listed at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_args

from tools.paths import RESULTS as ALL_RESULTS
from tools.paths import ToolError
from tools.reports import count
from vm import uml_trial
from vm.host import LabError, locked, setup

from suite import jobs, plan
from suite.programs import Stopped
from suite.run import Suite, say

if TYPE_CHECKING:
    from suite.plan import Job

RESULTS = Path(os.environ.get("SAFEPOINT_RESULTS") or ALL_RESULTS / "guests").resolve()


def selected_jobs(options: argparse.Namespace) -> tuple[Job, ...]:
    """The selected jobs: those of a series, or of all series if options select them. ToolError if there are none."""
    by_name = options.only or options.image or options.machine
    every = (
        [*plan.jobs_in_series("all"), *plan.jobs_in_series("faults")]
        if by_name
        else plan.jobs_in_series(options.series)
    )
    wanted = tuple(
        job
        for job in every
        if (not options.only or names_of(job).intersection(options.only))
        and options.image in (None, job.image)
        and options.machine in (None, job.machine)
    )
    if not wanted:
        raise ToolError("there is no such job: list the jobs with --series all --list")
    return wanted


def names_of(job: Job) -> set[str]:
    """The names that select a job: `confirm`, `root_rollback once`, `look on trixie-uefi`, and its title."""
    return {job.name.split()[0], job.name, f"{job.name} on {job.image}", job.title}


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python3 tests/suite", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument(
        "--series", choices=get_args(plan.Series), default="test", help="run the jobs of this series (default: test)"
    )
    top.add_argument("--only", action="append", metavar="JOB", help="run only this job, of any series")
    top.add_argument("--image", metavar="IMAGE", help="run only jobs on this image")
    top.add_argument("--machine", choices=get_args(plan.Machine), help="run only jobs on this kind of machine")
    top.add_argument("--list", action="store_true", help="list the jobs, and run nothing")
    return top


def stop(_signal: int, _frame: object) -> NoReturn:
    """Stop as with Ctrl-C."""
    raise KeyboardInterrupt


def run(options: argparse.Namespace) -> bool:
    """Run the selected jobs. Return whether all of them passed."""
    wanted = selected_jobs(options)
    if not (jobs.MAIN / "bin" / "molecule").exists():
        raise ToolError(f"{jobs.MAIN} contains no Molecule: run make setup first")
    setup()
    not_run: tuple[Job, ...] = ()
    problem = uml_trial.usable_kernel()[1] if any(job.machine == "uml" for job in wanted) else ""
    if problem:
        say(f"user-mode Linux does not work here: {problem}. A smaller set of jobs runs in QEMU")
        wanted, not_run = plan.without_uml(wanted)
        plan.check(wanted)
    named = options.only or options.image or options.machine
    all_passed = Suite(RESULTS, resume=options.series != "test" and not named).run(wanted)
    for job in not_run:
        say(f"not run: {job.title}")
    say(f"{count(RESULTS)}")
    return all_passed


def main() -> int:
    """Run the selected jobs. Return 0 if all of them passed."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        if options.list:
            for job in selected_jobs(options):
                print(f"{job.series:7} {job.minutes:5g} min  {job.title}")
            return 0
        with locked(ALL_RESULTS.parent / "suite.lock"):
            shutil.rmtree(RESULTS, ignore_errors=True)
            RESULTS.mkdir(parents=True)
            return 0 if run(options) else 1
    except (KeyboardInterrupt, Stopped):
        say("interrupted: all machines were stopped")
        return 130
    except (ToolError, LabError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
