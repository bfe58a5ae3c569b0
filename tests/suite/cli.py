# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run what needs guests: the tests inside them, the scenarios, the other controllers, the power cuts.

    python3 tests/suite                       # what `make test` runs of this
    python3 tests/suite --series all          # everything; goes on where it was stopped
    python3 tests/suite --series faults       # all that breaks a host on purpose; goes on where it was stopped
    python3 tests/suite --list                # the jobs of all series
    python3 tests/suite --only thin --image bookworm
    python3 tests/suite --only "look on trixie-uefi" --only "guest 1/2 20"

The jobs are those of the table in tests/README.md. It needs the environments of `make setup`. Reports (JUnit) and logs
go below $SAFEPOINT_RESULTS, a directory for each job. Where user-mode Linux does not run, `make test` is a smaller set
in QEMU, and says at the end what was not run.
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


def chosen(options: argparse.Namespace) -> tuple[Job, ...]:
    """The jobs that were asked for: of a series, or of all when they are named. ToolError if there is none."""
    by_name = options.only or options.image or options.machine
    every = [*plan.jobs_of("all"), *plan.jobs_of("faults")] if by_name else plan.jobs_of(options.series)
    wanted = tuple(
        job
        for job in every
        if (not options.only or names_of(job).intersection(options.only))
        and options.image in (None, job.image)
        and options.machine in (None, job.machine)
    )
    if not wanted:
        raise ToolError("there is no such job: see --list")
    return wanted


def names_of(job: Job) -> set[str]:
    """What a job may be called by: `confirm`, `root_rollback once`, `look on trixie-uefi`, and its title."""
    return {job.name.split()[0], job.name, f"{job.name} on {job.image}", job.title}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python3 tests/suite", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--series", choices=get_args(plan.Series), default="test", help="which jobs; default: test")
    top.add_argument("--only", action="append", metavar="JOB", help="only this job, whatever its series")
    top.add_argument("--image", metavar="IMAGE", help="only jobs on this image")
    top.add_argument("--machine", choices=get_args(plan.Machine), help="only jobs on such machines")
    top.add_argument("--list", action="store_true", help="list the jobs and end")
    return top


def stop(_signal: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


def run(options: argparse.Namespace) -> bool:
    """Run what was asked for; whether all went well."""
    wanted = chosen(options)
    if not (jobs.MAIN / "bin" / "molecule").exists():
        raise ToolError(f"there is no Molecule in {jobs.MAIN}: run make setup first")
    setup()
    not_run: tuple[Job, ...] = ()
    problem = uml_trial.usable_kernel()[1] if any(job.machine == "uml" for job in wanted) else ""
    if problem:
        say(f"user-mode Linux does not run here: {problem}. A smaller set is run, in QEMU")
        wanted, not_run = plan.without_uml(wanted)
        plan.check(wanted)
    named = options.only or options.image or options.machine
    all_well = Suite(RESULTS, resume=options.series != "test" and not named).run(wanted)
    for job in not_run:
        say(f"not run here: {job.title}")
    say(f"{count(RESULTS)}")
    return all_well


def main() -> int:
    """Run what was asked for; 0 if all of it passed."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        if options.list:
            for job in chosen(options):
                print(f"{job.series:7} {job.minutes:5g} min  {job.title}")
            return 0
        with locked(ALL_RESULTS.parent / "suite.lock"):
            shutil.rmtree(RESULTS, ignore_errors=True)
            RESULTS.mkdir(parents=True)
            return 0 if run(options) else 1
    except (KeyboardInterrupt, Stopped):
        say("interrupted; every machine has been ended")
        return 130
    except (ToolError, LabError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
