# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run checks, two at a time. Print one line for each, and the whole output if it fails."""

from __future__ import annotations

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from tools.paths import ToolError
from tools.reports import Case

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PRINTING = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """The result of a check: whether it passed, its output, and a remark for its line (may be empty)."""

    ok: bool
    output: str
    remark: str = ""


@dataclass(frozen=True)
class Job:
    """A check, with its name in the report."""

    name: str
    run: Callable[[], Outcome]


def run_command(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Outcome:
    """Run one program. It passes if its exit code is 0."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Outcome(ok=done.returncode == 0, output=f"$ {' '.join(argv)}\n{done.stdout}")


def run_all(jobs: Sequence[Job]) -> list[Case]:
    """Run the jobs, and print a line when one ends. Return their results in the given order."""
    width = max(len(job.name) for job in jobs)

    def run(job: Job) -> Case:
        started = time.monotonic()
        outcome = _run_one(job)
        seconds = time.monotonic() - started
        with _PRINTING:
            verdict = "ok    " if outcome.ok else "FAILED"
            print(f"  {job.name:{width}}  {verdict} {seconds:6.1f} s  {outcome.remark}".rstrip(), flush=True)
            if not outcome.ok:
                print(outcome.output.rstrip() + "\n", flush=True)
        return Case(job.name, seconds, None if outcome.ok else outcome.output)

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(run, jobs))


def _run_one(job: Job) -> Outcome:
    try:
        return job.run()
    except (ToolError, OSError) as error:
        return Outcome(ok=False, output=str(error))
