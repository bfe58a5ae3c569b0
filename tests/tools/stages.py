# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stages of `make test`: setup, static checks, unit tests, roles, browser, guests; and the counts of all tests."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from tools import envs, reports
from tools.gates import GATES
from tools.jobs import Job, Outcome, run_all, run_command
from tools.paths import CACHE, RESULTS, ROOT, ToolError
from tools.reports import Case, Counts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.envs import Environment

SUMMARY = RESULTS / "summary.txt"


@dataclass(frozen=True)
class Stage:
    """A stage. Its directory of reports has the same name. `run` returns whether it passed."""

    name: str
    run: Callable[[Path], bool]


def set_up(environments: Sequence[Environment]) -> bool:
    """Build the environments that this machine can have. Return whether they, and that of the tools, are ready."""
    errors = envs.build_all(tuple(one for one in environments if envs.unavailable_reason(one) is None))
    for message in [*errors.values(), *filter(None, map(envs.unavailable_reason, environments))]:
        print(message, flush=True)
    return not errors and envs.MAIN.home.exists()


def lint(folder: Path, names: Sequence[str] = ()) -> bool:
    """Run the named static checks, or all that this machine can run. Return whether they passed."""
    wanted = names or [
        name for name in GATES if name != "galaxy-importer" or envs.unavailable_reason(envs.IMPORTER) is None
    ]
    cases = run_all([Job(name, gate) for name, gate in GATES.items() if name in wanted])
    reports.write(folder / "lint.xml", "lint", cases)
    return all(case.failure is None for case in cases)


def unit(folder: Path) -> bool:
    """Run the unit tests in each of their environments. Return whether they passed."""
    return _series("unit", envs.UNIT, folder)


def roles(folder: Path) -> bool:
    """Run the tests of the roles with each supported ansible-core. Return whether they passed."""
    return _series("roles", envs.CONTROLLERS, folder)


def browser(folder: Path) -> bool:
    """Run the tests of the report's page in Debian's Chromium, installed if needed. Return whether they passed."""
    cases = run_all([Job("chromium", functools.partial(_browser, folder))])
    return all(case.failure is None for case in cases)


def _browser(folder: Path) -> Outcome:
    if shutil.which("chromium") is None:
        envs.install_package("chromium", "in which the page of the report is tested")
    if shutil.which("chromium") is None:
        raise ToolError(
            "the page of the report is tested in Debian's chromium, which is not installed: install it, then try again"
        )
    return _pytest(envs.MAIN, "browser", folder)


def _series(name: str, environments: Sequence[Environment], folder: Path) -> bool:
    # If a supported ansible-core cannot be run, that is a failure.
    wanted = [one for one in environments if one in envs.CONTROLLERS or envs.unavailable_reason(one) is None]
    cases = run_all([Job(one.name, functools.partial(_pytest, one, name, folder / one.name)) for one in wanted])
    return all(case.failure is None for case in cases)


def guests(folder: Path, arguments: Sequence[str] = ()) -> bool:
    """Run the jobs that need guests. They write JUnit reports below SAFEPOINT_RESULTS. Return whether they passed."""
    env = {**os.environ, "SAFEPOINT_RESULTS": str(folder), "PYTHONUNBUFFERED": "1"}
    argv = [*_containment(), sys.executable, str(ROOT / "tests" / "suite"), *arguments]
    return subprocess.run(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode == 0


def _containment() -> list[str]:
    """What precedes a program, so that everything that it starts ends with it, even if it is killed."""
    # If this program is killed, its child is killed too. Then the kernel ends all processes of the namespace.
    with_parent = ["setpriv", "--pdeathsig", "KILL", "--"]
    namespace = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]
    return [*with_parent, *(namespace if os.geteuid() == 0 else [])]


def faults() -> bool:
    """Run the jobs of the series `faults`, and print the counts. An interrupted run is continued."""
    folder = RESULTS / "faults"
    passed = guests(folder, ("--series", "faults"))
    print(reports.count(folder), flush=True)
    return passed


def run_stages(stages: Sequence[Stage]) -> bool:
    """Run all stages, even if one fails, and print the counts. The last line is their sum."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    started = time.monotonic()
    print("== setup", flush=True)
    ready = set_up(envs.ALL)
    lines = [f"setup: {'ok' if ready else 'FAILED'}, {time.monotonic() - started:.0f} s"]
    total = Counts() if ready else Counts(failed=1)
    if envs.MAIN.home.exists():
        for stage in stages:
            counts, line = _run_stage(stage)
            total += counts
            lines.append(line)
    lines += [line for line in map(envs.unavailable_reason, envs.ALL) if line]
    print("== summary", *lines, f"total: {time.monotonic() - started:.0f} s", sep="\n")
    last = f"{total.passed} passed, {total.failed} failed"
    SUMMARY.write_text(last + "\n")
    print(last, flush=True)
    return total.failed == 0


def _run_stage(stage: Stage) -> tuple[Counts, str]:
    print(f"== {stage.name}", flush=True)
    folder = RESULTS / stage.name
    folder.mkdir()
    started = time.monotonic()
    passed = stage.run(folder)
    counts = reports.count(folder)
    if (passed and not counts.passed) or (not passed and not counts.failed):
        # It stopped before it could count, or it tested nothing. Both are failures.
        counts += Counts(failed=1)
    return counts, f"{stage.name}: {counts}, {time.monotonic() - started:.0f} s"


def _pytest(environment: Environment, series: str, folder: Path) -> Outcome:
    outcome = _run_pytest(environment, series, folder / f"{series}.xml")
    if not outcome.ok and not reports.count(folder).failed:
        reports.write(folder / "broken-off.xml", environment.name, [Case("pytest", 0, outcome.output)])
    python = envs.choose_python(environment)
    version = f"Python {python.text}: " if python else ""
    return replace(outcome, remark=f"{version}{reports.count(folder)}")


def _run_pytest(environment: Environment, series: str, report: Path) -> Outcome:
    problem = envs.unavailable_reason(environment)
    if problem:
        return Outcome(ok=False, output=problem)
    argv = environment.command("python", "-m", "pytest", f"tests/{series}", "--quiet", f"--junitxml={report}")
    argv += [f"--override-ini=cache_dir={CACHE / 'pytest' / environment.name}"]
    if environment != envs.MAIN:
        # They run shell programs, for which neither the Python nor the ansible-core matters.
        argv.append("--ignore-glob=*/test_program_*.py")
    return run_command(argv, cwd=ROOT, env=environment.variables(SAFEPOINT_CACHE=str(CACHE)))
