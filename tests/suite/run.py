# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run jobs: several at a time, the longest first, each on its own machine, which is always removed afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tools.paths import CACHE, ROOT
from tools.reports import Case, Counts, count, write

from suite import jobs, results
from suite.plan import PARALLEL_JOBS, PREFIX, longest_first
from suite.programs import Programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from suite.plan import Job

TOOLS = (sys.executable, str(ROOT / "tests" / "tools"))
# In seconds. Machines may be busy, but a job that needs many times its minutes will never end.
PREPARATION_LIMIT = 30 * 60
LIMIT_FACTOR, LEAST_SECONDS = 5, 25 * 60
PROGRESS_SECONDS = 45
SHOWN_LINES = 60

PROGRAMS = Programs()
STARTED = time.monotonic()
PRINTING = threading.Lock()


def say(text: str) -> None:
    """Print a line without buffering, with the seconds since the start."""
    with PRINTING:
        print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


class Suite:
    """A run of jobs, with reports and logs below `folder`. With `resume`, jobs that passed before are not run."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self.folder = folder
        self.resume = resume
        self.built: dict[str, Future[bool]] = {}
        self.durations: dict[Job, float] = {}

    def run(self, wanted: Sequence[Job]) -> bool:
        """Run all jobs. Return whether all passed. A job starts when everything that it needs has been built."""
        remove_leftovers()
        order = longest_first(wanted)
        needed = {title: argv for job in order if not self.passed(job) for title, argv in prerequisites(job).items()}
        with printed_progress(), ThreadPoolExecutor(PARALLEL_JOBS) as pool:
            self.built = {title: pool.submit(self.prepare, title, argv) for title, argv in needed.items()}
            all_passed = self.all_passed([*self.built.values(), *(pool.submit(self.run_job, job) for job in order)])
        self.print_durations()
        return all_passed

    @staticmethod
    def all_passed(futures: Sequence[Future[bool]]) -> bool:
        """Whether all of them succeeded. After an interruption, all programs are stopped."""
        try:
            verdicts = [future.result() for future in futures]
        except BaseException:
            # From here on, nothing may interrupt the cleaning up: the thread of each job removes its machine.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            PROGRAMS.stop()
            raise
        return all(verdicts)

    def passed(self, job: Job) -> bool:
        """Whether a job passed in an earlier run that this one continues."""
        return self.resume and results.passed(results.kept_reports(job))

    def prepare(self, title: str, argv: tuple[str, ...]) -> bool:
        """Build the artefact or an image. Return whether that succeeded."""
        log = self.folder / f"{title.replace(' ', '-')}.log"
        started = time.monotonic()
        # With the variables of this process: the Python of an environment would be taken for the machine's own.
        problem = PROGRAMS.run(title, argv, env=os.environ, log=log, limit=PREPARATION_LIMIT)
        seconds = time.monotonic() - started
        if problem is not None:
            report_failure(f"{title}: {problem}", log)
            write(log.with_suffix(".xml"), "prepare", [Case(title, seconds, f"{problem}\n{tail(log)}")])
            return False
        say(f"{title}: ready, {seconds:.0f} s")
        return True

    def run_job(self, job: Job) -> bool:
        """Run a job with its log and its reports in its own directory. Return whether it passed."""
        folder = self.folder / job.slug
        shutil.rmtree(folder, ignore_errors=True)
        if self.passed(job):
            shutil.copytree(results.kept_reports(job), folder)
            say(f"{job.title}: passed before, {count(folder)}")
            return True
        if not all(self.built[title].result() for title in prerequisites(job)):
            say(f"{job.title}: not run, because something that it needs could not be built")
            return False
        folder.mkdir(parents=True)
        log = folder / "output.log"
        say(f"{job.title}: started")
        started = time.monotonic()
        try:
            problem = execute(job, folder, log)
        finally:
            for name in jobs.machines(job):
                remove(name)
        seconds = self.durations[job] = time.monotonic() - started
        counts = count(folder)
        if problem is None and counts.passed == 0:
            problem = "it tested nothing"
        if problem is not None and counts.failed == 0:
            write(folder / "broken-off.xml", job.slug, [Case(job.name, seconds, f"{problem}\n{tail(log)}")])
            counts += Counts(failed=1)
        if problem is None and counts.failed == 0:
            results.keep(job, folder)
            say(f"{job.title}: ok, {counts}, {seconds:.0f} s")
            return True
        report_failure(f"{job.title}: FAILED, {counts}, {seconds:.0f} s: {problem or 'see its reports'}", log)
        return False

    def print_durations(self) -> None:
        """Print how long each job took, and how long according to the table, so that slow ones are noticed."""
        for job, seconds in sorted(self.durations.items(), key=lambda item: -item[1]):
            say(f"{seconds / 60:5.1f} min, {job.minutes:g} in the table: {job.title}")


def prerequisites(job: Job) -> dict[str, tuple[str, ...]]:
    """What must be built before a job starts: the commands, by their titles."""
    return {"the collection's artefact": (*TOOLS, "build")} | {
        f"the image of {image} for {job.machine}": (*jobs.LAB, "build", image, "--machine", job.machine)
        for image in jobs.machines(job).values()
    }


def execute(job: Job, folder: Path, log: Path) -> str | None:
    """Boot the machines of a job if it needs them, and run the job. Return why it failed, or None."""
    shutil.rmtree(jobs.state_directory(job), ignore_errors=True)
    jobs.state_directory(job).mkdir(parents=True)
    command = jobs.command(job, folder)
    limit = max(LEAST_SECONDS, job.minutes * 60 * LIMIT_FACTOR)
    if command.booted:
        for name, image in jobs.machines(job).items():
            argv = (*jobs.LAB, "up", name, *jobs.machine_options(job, image))
            if problem := PROGRAMS.run(job.title, argv, env=jobs.variables(job, jobs.MAIN), log=log, limit=limit):
                return f"its machine {name} did not boot: {problem}"
        jobs.prepare(job)
    return PROGRAMS.run(job.title, command.argv, env=command.env, log=log, limit=limit)


@contextmanager
def printed_progress() -> Iterator[None]:
    """Print the progress of each program at least once a minute."""
    ended = threading.Event()

    def print_progress() -> None:
        while not ended.wait(PROGRESS_SECONDS):
            for line in PROGRAMS.progress():
                say(f"... {line}")

    printer = threading.Thread(target=print_progress)
    printer.start()
    try:
        yield
    finally:
        ended.set()
        printer.join()


def remove_leftovers() -> None:
    """Remove the machines of an earlier run that was killed."""
    for directory in (CACHE / "vms").glob(f"{PREFIX}*"):
        remove(directory.name)


def remove(name: str) -> None:
    """Stop a machine and delete it, if it exists."""
    if (CACHE / "vms" / name).exists():
        # In its own session, so that Ctrl-C on the terminal does not interrupt it.
        subprocess.run([*jobs.LAB, "down", name], stdin=subprocess.DEVNULL, start_new_session=True, check=False)


def report_failure(text: str, log: Path) -> None:
    """Print what failed, and the end of its log."""
    say(f"{text}\n{tail(log)}\n    (the whole log: {log})")


def tail(log: Path) -> str:
    """The last lines of a log, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])
