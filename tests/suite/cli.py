# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run everything that needs virtual machines: the tests inside guests, the scenarios, the other controllers.

    python3 tests/suite                                 # what matters most, on Debian 13, on Debian 12 with thin /,
                                                         # and one power cut
    python3 tests/suite --all                           # everything on every image, and with the other controllers
    python3 tests/suite --faults                        # all that breaks a host on purpose; goes on where it stopped
    python3 tests/suite --guest trixie --only thick     # by hand

It needs the environments of `make setup`. Reports (JUnit) and logs go below $SAFEPOINT_RESULTS, a directory per machine
and job. Two machines run at a time; whatever happens, none is left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tools.paths import CACHE, ENVS, ROOT
from tools.paths import RESULTS as ALL_RESULTS
from tools.reports import Case, Counts, count, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESULTS = Path(os.environ.get("SAFEPOINT_RESULTS") or ALL_RESULTS / "virtual-machines").resolve()
TOOLS = (sys.executable, str(ROOT / "tests" / "tools"))
LAB = (sys.executable, str(ROOT / "tests" / "vm"))
SCENARIOS = ROOT / "extensions" / "molecule"
GUEST = "guest"
CUT_OFF = "cut_off"
MAIN = ("thick", "thin", "workflows")
WORKFLOWS = (*MAIN, "mixed", "selection")
# A safe point booted to be looked at, and a host that comes back by itself: on the guest's own root filesystem.
LOOK, CONFIRM, FAILED_BOOTS = "look", "confirm", "failed_boots"
# What leaves the guest unfit for others when it fails; always a machine's last job.
BIG = "root_rollback"
# Which scenario is also run by every other ansible-core, and the names of these jobs.
CONTROLLED = "thick"
MAIN_ENVIRONMENT = ENVS / "main"
# How many of the tests in tests/guest/faults are run besides, and which; `make test-faults` runs all, in so many parts.
SAMPLE = ("--faults", "8", "--seed", "21")
# The one power cut that is made here: in the middle of merges that need no reboot. It makes a machine of its own.
CUT = "power_cut"
CUT_NUMBER = 12
FAULTS = tuple(f"faults-{number}" for number in range(1, 9))
# In seconds; in software emulation on a busy machine all of this takes many times longer than elsewhere.
PREPARATION_LIMIT = 30 * 60
JOB_LIMIT = 55 * 60
MACHINES_AT_A_TIME = 2
SHOWN_LINES = 60
# The callback counts the tasks whose names begin like this as tests, and every task that fails.
TESTS_BEGIN_WITH = "Check that"


@dataclass(frozen=True)
class Machine:
    """A virtual machine, the image of the lab that it boots from, and what is run on it, in order."""

    name: str
    image: str
    jobs: tuple[str, ...]

    @property
    def state(self) -> Path:
        """Where Molecule keeps the inventory, the configuration and the link to the checkout."""
        return CACHE / "molecule" / self.name


class Stopped(Exception):
    """Nothing more is to be started."""


@dataclass
class Programs:
    """The programs that run now, so that all of them can be ended."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, limit: int) -> str | None:
        """Run a program with its output in a file; why it did not end well, or None. Raises Stopped."""
        with self.lock, log.open("ab") as output:
            if self.stopped:
                raise Stopped
            process = subprocess.Popen(
                argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            self.running.add(process)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"it was ended after {limit // 60} minutes, the limit"
        finally:
            end(process)
            with self.lock:
                self.running.discard(process)
        if self.stopped:
            raise Stopped
        return f"it ended with exit code {code}" if code else None

    def stop(self) -> None:
        """End what runs, and start nothing more."""
        with self.lock:
            self.stopped = True
            running = list(self.running)
        for process in running:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started in its session; nothing if it has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)


PROGRAMS = Programs()
STARTED = time.monotonic()
PRINTING = threading.Lock()


def say(text: str) -> None:
    """Print at once, with the seconds since the start."""
    with PRINTING:
        print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


def machines(*, everything: bool) -> tuple[Machine, ...]:
    """What there is to do, the longest first."""
    cut = Machine("mol-trixie-cut", "trixie", (CUT,))
    guest = Machine("mol-trixie-b", "trixie", (GUEST,))
    if not everything:
        return (
            guest,
            Machine("mol-trixie-a", "trixie", (LOOK, BIG)),
            Machine("mol-trixie-c", "trixie", MAIN),
            Machine("mol-bookworm-thin", "bookworm-thin", (CONFIRM, BIG)),
            cut,
        )
    controllers = tuple(f"{CONTROLLED}-{home.name}" for home in other_controllers())
    return (
        Machine("mol-trixie-a", "trixie", (*WORKFLOWS, LOOK, BIG)),
        guest,
        Machine("mol-bookworm-a", "bookworm", (*WORKFLOWS, LOOK, BIG)),
        Machine("mol-bookworm-b", "bookworm", (GUEST,)),
        Machine("mol-trixie-c", "trixie", (CONFIRM, FAILED_BOOTS)),
        Machine("mol-bookworm-c", "bookworm", (CONFIRM, FAILED_BOOTS)),
        *(Machine(f"mol-{image}", image, (CONFIRM, LOOK, BIG)) for image in ("trixie-thin", "bookworm-thin")),
        *(Machine(f"mol-{image}", image, (LOOK, BIG)) for image in ("trixie-dracut", "bookworm-dracut")),
        Machine("mol-trixie-d", "trixie", controllers),
        cut,
    )


def breaking() -> tuple[Machine, ...]:
    """The machines that are broken on purpose, and the parts of that."""
    jobs = (*FAULTS, CUT_OFF)
    return tuple(
        Machine(f"mol-{suite}-{name}", suite, jobs[start::2])
        for suite in ("trixie", "bookworm")
        for start, name in enumerate(("faults-a", "faults-b"))
    )


def other_controllers() -> list[Path]:
    """The environments with another ansible-core than that of the tools, which have no Molecule."""
    homes = [home for home in ENVS.glob("core-*") if home.is_symlink() and (home / "bin" / "ansible-playbook").exists()]
    return sorted(homes)


def variables(home: Path, machine: Machine, reports: Path | None = None) -> dict[str, str]:
    """The process environment for programs of the Python environment `home`, about a machine, with reports of tests."""
    misleading = ("ANSIBLE_", "JUNIT_", "MOLECULE_", "PYTHON", "SAFEPOINT_", "VIRTUAL_ENV")
    values = {name: value for name, value in os.environ.items() if not name.startswith(misleading)}
    values["PATH"] = os.pathsep.join([str(home / "bin"), values.get("PATH", os.defpath)])
    values |= {"ANSIBLE_HOME": str(CACHE / "ansible"), "SAFEPOINT_CACHE": str(CACHE)}
    values |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    values |= {"SAFEPOINT_GUEST": machine.image, "SAFEPOINT_VM": machine.name}
    # What users get is tested, not the checkout: the artefact may lack what the checkout has.
    values["SAFEPOINT_ARTEFACT"] = next(str(file) for file in (CACHE / "build").glob("*.tar.gz"))
    values |= {"MOLECULE_EPHEMERAL_DIRECTORY": str(machine.state)}
    if reports:
        values |= {"ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit", "JUNIT_OUTPUT_DIR": str(reports)}
        values |= {"JUNIT_TEST_CASE_PREFIX": TESTS_BEGIN_WITH, "JUNIT_HIDE_TASK_ARGUMENTS": "true"}
    return values


def command(machine: Machine, job: str, folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """The argv and the environment of a job whose reports go to `folder`."""
    home = ENVS / job.removeprefix(f"{CONTROLLED}-") if job.startswith(f"{CONTROLLED}-") else MAIN_ENVIRONMENT
    tools = home / "bin"
    env = variables(home, machine, folder)
    if job in (GUEST, *FAULTS):
        argv = (str(tools / "python"), str(ROOT / "tests" / "guest"), machine.name)
        part = ("faults", "--shard", f"{FAULTS.index(job) + 1}/{len(FAULTS)}") if job in FAULTS else ()
        return (*argv, "--junitxml", str(folder / "guest.xml"), "--", *(part or SAMPLE)), env
    if job == CUT:
        env |= {"SAFEPOINT_RESULTS": str(folder)}
        return (str(tools / "python"), str(ROOT / "tests" / "power_cuts"), "--only", str(CUT_NUMBER)), env
    if home == MAIN_ENVIRONMENT:
        return (str(tools / "molecule"), "test", "--scenario-name", job, "--destroy=never"), env
    # As Molecule does it, which wrote these files when it made the machine.
    env |= {"ANSIBLE_CONFIG": str(machine.state / "ansible.cfg")}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(machine.state / "collections")}
    playbook = str(SCENARIOS / CONTROLLED / "converge.yml")
    return (str(tools / "ansible-playbook"), "--inventory", str(machine.state / "inventory"), playbook), env


def run_machine(machine: Machine) -> bool:
    """Boot a machine, run those of its jobs that have not passed before, and end it; whether all went well."""
    folder = RESULTS / machine.name
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [job for job in machine.jobs if not passed(folder / job)]
    if len(jobs) < len(machine.jobs):
        say(f"{machine.name}: passed before: {', '.join(job for job in machine.jobs if job not in jobs)}")
    if not jobs:
        return True
    if CUT in machine.jobs:
        return run_job(machine, CUT, folder / CUT)
    shutil.rmtree(machine.state, ignore_errors=True)
    machine.state.mkdir(parents=True)
    try:
        if not boot(machine, folder):
            return False
        verdicts = [run_job(machine, job, folder / job) for job in jobs]
        return all(verdicts)
    finally:
        remove(machine)


def boot(machine: Machine, folder: Path) -> bool:
    """Make a machine; if that fails, each of its jobs counts as failed."""
    remove(machine)
    argv = (str(MAIN_ENVIRONMENT / "bin" / "molecule"), "create")
    say(f"{machine.name}: boots")
    log, report = folder / "boot.log", folder / "boot.xml"
    report.unlink(missing_ok=True)
    problem = PROGRAMS.run(argv, env=variables(MAIN_ENVIRONMENT, machine), log=log, limit=PREPARATION_LIMIT)
    if problem is None:
        say(f"{machine.name}: is up")
        return True
    report_failure(f"{machine.name}: did not boot: {problem}", log)
    write(report, machine.name, [Case(job, 0, "not run: the machine did not boot") for job in machine.jobs])
    return False


def run_job(machine: Machine, job: str, folder: Path) -> bool:
    """Run one job with its log and its reports in `folder`; whether it passed."""
    title = f"{machine.name}: {job}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "output.log"
    say(f"{title} begins")
    started = time.monotonic()
    argv, env = command(machine, job, folder)
    problem = PROGRAMS.run(argv, env=env, log=log, limit=JOB_LIMIT)
    seconds = time.monotonic() - started
    counts = count(folder)
    if problem is None and counts.passed == 0:
        problem = "it has tested nothing"
    if problem is not None and counts.failed == 0:
        write(folder / "broken-off.xml", machine.name, [Case(job, seconds, f"{problem}\n{tail(log)}")])
        counts += Counts(failed=1)
    if problem is None and counts.failed == 0:
        say(f"{title} ok, {counts}, {seconds:.0f} s")
        return True
    report_failure(f"{title} FAILED, {counts}, {seconds:.0f} s: {problem or 'see its reports'}", log)
    return False


def passed(folder: Path) -> bool:
    """Whether there are reports of a job that went well."""
    counts = count(folder)
    return counts.passed > 0 and counts.failed == 0


def report_failure(text: str, log: Path) -> None:
    """Say what failed, with the end of its log."""
    say(f"{text}\n{tail(log)}\n    (all of it: {log})")


def tail(log: Path) -> str:
    """The last lines of a log, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])


def remove(machine: Machine) -> None:
    """End a machine and delete it; nothing if there is none."""
    if (CACHE / "vms" / machine.name).exists():
        # Its own session: Ctrl-C at the terminal is not for it.
        subprocess.run([*LAB, "down", machine.name], stdin=subprocess.DEVNULL, start_new_session=True, check=False)


def prepare(images: Sequence[str]) -> bool:
    """Build the artefact, install what the lab needs, build the images, one after the other; whether that went well."""
    steps = [
        ("the collection's artefact", (*TOOLS, "build")),
        ("the lab's packages", (*LAB, "setup")),
        *((f"the image of {image}", (*LAB, "build", image)) for image in images),
    ]
    for title, argv in steps:
        log = RESULTS / f"{title.split()[-1]}.log"
        started = time.monotonic()
        # Not that of an environment, which would be taken for the machine's own Python.
        problem = PROGRAMS.run(argv, env=os.environ, log=log, limit=PREPARATION_LIMIT)
        seconds = time.monotonic() - started
        if problem is not None:
            report_failure(f"{title}: {problem}", log)
            write(RESULTS / "prepare.xml", "prepare", [Case(title, seconds, f"{problem}\n{tail(log)}")])
            return False
        say(f"{title}: ready, {seconds:.0f} s")
    return True


def chosen(options: argparse.Namespace) -> list[Machine]:
    """The machines and jobs that were asked for."""
    wanted = []
    everything = bool(options.all or options.guest or options.only)
    image = options.guest or ("trixie" if options.faults else None)
    for machine in breaking() if options.faults else machines(everything=everything):
        jobs = tuple(job for job in machine.jobs if not options.only or job in options.only)
        if jobs and image in (None, machine.image):
            wanted.append(Machine(machine.name, machine.image, jobs))
    return wanted


def run_all(wanted: Sequence[Machine]) -> bool:
    """Run everything, two machines at a time; whether all went well. Whatever happens, no machine is left."""
    if not prepare(sorted({machine.image for machine in wanted})):
        return False
    with ThreadPoolExecutor(MACHINES_AT_A_TIME) as pool:
        futures = [pool.submit(run_machine, machine) for machine in wanted]
        try:
            verdicts = [future.result() for future in futures]
        except BaseException:
            # From here on nothing but an orderly end; each machine's thread removes it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            PROGRAMS.stop()
            raise
    return all(verdicts)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    everything = machines(everything=True)
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--all", action="store_true", help="everything on every guest")
    top.add_argument("--faults", action="store_true", help="break hosts on purpose; what has passed is not run again")
    top.add_argument("--guest", choices=sorted({machine.image for machine in everything}), help="only on this one")
    jobs = sorted({job for machine in (*everything, *breaking()) for job in machine.jobs})
    top.add_argument("--only", action="append", metavar="JOB", choices=jobs, help=f"only this: {', '.join(jobs)}")
    return top


def stop(_signal: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    """Run what was asked for; 0 if all of it passed."""
    options = parser().parse_args()
    wanted = chosen(options)
    if not wanted:
        parser().error("there is no such job on that guest, or it is one of --faults")
    if not (MAIN_ENVIRONMENT / "bin" / "molecule").exists():
        print(f"there is no Molecule in {MAIN_ENVIRONMENT}: run make setup first", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, stop)
    if not options.faults:
        shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    try:
        all_well = run_all(wanted)
    except (KeyboardInterrupt, Stopped):
        say("interrupted; every machine has been ended")
        return 130
    say(f"{count(RESULTS)}")
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
