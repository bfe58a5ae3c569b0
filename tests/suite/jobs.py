# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each job of the plan is run: its command line, its environment, and who boots its machine."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools import envs
from tools.paths import CACHE, ROOT, ToolError
from vm.controller import Controller
from vm.recipe import RECIPES

if TYPE_CHECKING:
    from pathlib import Path

    from tools.envs import Environment

    from suite.plan import Job

LAB = (sys.executable, str(ROOT / "tests" / "vm"))
SCENARIOS = ROOT / "extensions" / "molecule"
MAIN = envs.MAIN.home
# The callback counts the tasks whose names begin like this as tests, and every task that fails.
TESTS_BEGIN_WITH = "Check that"
# Which of the tests in tests/guest/faults a sample has.
SEED = "21"


@dataclass(frozen=True)
class Command:
    """A program with its environment. With `booted` it wants a machine that is up; otherwise it makes its own."""

    argv: tuple[str, ...]
    env: dict[str, str]
    booted: bool = False


def artefact() -> Path:
    """What users get: it is tested, not the checkout, which may have what the artefact lacks."""
    return next((CACHE / "build").glob("*.tar.gz"))


def state_of(job: Job) -> Path:
    """Where a job's inventory, configuration and copy of the collection are."""
    return CACHE / "state" / job.slug


def machines(job: Job) -> dict[str, str]:
    """The machines of a job by their names, with their images; one that names an image has two, the second of that."""
    return {job.slug: job.image} | {f"{job.slug}-second": word for word in job.name.split() if word in RECIPES}


def command(job: Job, folder: Path) -> Command:
    """How a job is run whose reports go to `folder`. ToolError if there is no such job."""
    kind, _space, rest = job.name.partition(" ")
    if kind in ("guest", "faults"):
        return guest_tests(job, kind, rest.split(), folder)
    if kind == "cut":
        return power_cuts(job, rest.split(","), folder)
    if kind == "controller":
        return controller_tests(job, folder)
    if (SCENARIOS / kind / "converge.yml").exists():
        return scenario(job, kind, rest, folder)
    raise ToolError(f"tests/README.md has a job that does not exist: {job.name}")


def guest_tests(job: Job, kind: str, words: list[str], folder: Path) -> Command:
    """The tests inside a guest, `guest`, or those of its directory `faults`.

    Words that may follow: a part such as 1/2, files such as test_races.py, and the size of a sample of the faults.
    """
    part = next((word for word in words if re.fullmatch(r"\d+/\d+", word)), "1/1")
    files = [word for word in words if word.endswith(".py")]
    sample = next((word for word in words if word.isdigit()), "all" if kind == "faults" else "0")
    program = (str(MAIN / "bin/python"), str(ROOT / "tests/guest"), job.slug)
    argv = (*program, f"--junitxml={folder / 'guest.xml'}", "--")
    where = [f"faults/{name}" for name in files] or ["faults"] if kind == "faults" else files
    options = ("--shard", part, "--faults", sample, "--seed", SEED)
    return Command((*argv, *where, *options), variables(job, MAIN), booted=True)


def machine_options(job: Job, image: str) -> list[str]:
    """The options of the lab for a machine of a job: `2cpu` in the job's name means two processors."""
    processors = ["--processors", "2"] if "2cpu" in job.name.split() else []
    return ["--image", image, "--machine", job.machine, *processors]


def power_cuts(job: Job, numbers: list[str], folder: Path) -> Command:
    """Power cuts, by their numbers."""
    program = (str(MAIN / "bin/python"), str(ROOT / "tests/power_cuts"))
    options = ("--machine", job.machine, "--name", job.slug)
    only = (part for number in numbers for part in ("--only", number))
    env = variables(job, MAIN) | {"SAFEPOINT_RESULTS": str(folder), "SAFEPOINT_ARTEFACT": str(artefact())}
    return Command((*program, *options, *only), env)


def controller_tests(job: Job, folder: Path) -> Command:
    """The modules as users call them, from the controller with an ansible-core, to one guest or two."""
    environment = environment_of(job)
    argv = environment.command("python", "-m", "pytest", str(ROOT / "tests/controller"), "-v")
    guests = (part for name in machines(job) for part in ("--guest", name))
    env = variables(job, environment.home) | {"SAFEPOINT_STATE": str(state_of(job))}
    return Command((*argv, *guests, f"--junitxml={folder / 'controller.xml'}"), env, booted=True)


def scenario(job: Job, name: str, core: str, folder: Path) -> Command:
    """A scenario: by Molecule, or by the plain ansible-playbook of another ansible-core, such as `core-2.16`."""
    if not core or core == "once":
        env = variables(job, MAIN, folder) | ({"SAFEPOINT_ONCE": "1"} if core else {})
        env |= {"SAFEPOINT_ARTEFACT": str(artefact()), "MOLECULE_EPHEMERAL_DIRECTORY": str(state_of(job))}
        return Command((str(MAIN / "bin/molecule"), "test", "--scenario-name", name), env)
    control = controller(job)
    env = variables(job, control.home, folder) | control.variables()
    argv = control.command("ansible-playbook", str(SCENARIOS / name / "converge.yml"))
    return Command(tuple(argv), env, booted=True)


def environment_of(job: Job) -> Environment:
    """The Python environment of a job: that of the ansible-core it names, such as `core-2.16`, or the main one."""
    return next((one for one in envs.CONTROLLERS if one.name in job.name.split()), envs.MAIN)


def controller(job: Job) -> Controller:
    """The Ansible of a job."""
    environment = environment_of(job)
    return Controller(environment.home, state_of(job), CACHE, environment.prefix)


def prepare(job: Job) -> None:
    """Write what Ansible needs to reach the machines that are up."""
    control = controller(job)
    control.install(artefact())
    control.reach(*machines(job))


def variables(job: Job, home: Path, reports: Path | None = None) -> dict[str, str]:
    """The process environment for programs of the Python environment `home`, with reports of Ansible's tests."""
    misleading = ("ANSIBLE_", "JUNIT_", "MOLECULE_", "PYTHON", "SAFEPOINT_", "VIRTUAL_ENV")
    values = {name: value for name, value in os.environ.items() if not name.startswith(misleading)}
    values["PATH"] = os.pathsep.join([str(home / "bin"), values.get("PATH", os.defpath)])
    values |= {"ANSIBLE_HOME": str(CACHE / "ansible"), "SAFEPOINT_CACHE": str(CACHE)}
    values |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    values |= {"SAFEPOINT_GUEST": job.image, "SAFEPOINT_VM": job.slug, "SAFEPOINT_MACHINE": job.machine}
    if reports:
        values |= {"ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit", "JUNIT_OUTPUT_DIR": str(reports)}
        values |= {"JUNIT_TEST_CASE_PREFIX": TESTS_BEGIN_WITH, "JUNIT_HIDE_TASK_ARGUMENTS": "true"}
    return values
