# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to run each job: its command, its environment variables, and whether it needs a running machine."""

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
# The callback counts as tests all tasks whose names begin with this, and every task that fails.
TEST_PREFIX = "Check that"
# Determines which tests of tests/guest/faults are in a sample.
SEED = "21"


@dataclass(frozen=True)
class Command:
    """A program with its environment variables. If `booted`, it needs running machines; else it creates its own."""

    argv: tuple[str, ...]
    env: dict[str, str]
    booted: bool = False


def artefact() -> Path:
    """The artefact that users install. It is tested instead of the checkout, which may contain more files."""
    return next((CACHE / "build").glob("*.tar.gz"))


def state_directory(job: Job) -> Path:
    """The directory with a job's inventory, configuration and copy of the collection."""
    return CACHE / "state" / job.slug


def machines(job: Job) -> dict[str, str]:
    """The images of a job's machines, by their names. A job that names an image has a second machine with it."""
    return {job.slug: job.image} | {f"{job.slug}-second": word for word in job.name.split() if word in RECIPES}


def command(job: Job, folder: Path) -> Command:
    """The command of a job. Its reports are written to `folder`. ToolError if the job does not exist."""
    kind, _space, rest = job.name.partition(" ")
    if kind in ("guest", "faults"):
        return guest_tests(job, kind, rest.split(), folder)
    if kind == "cut":
        return power_cuts(job, rest.split(","), folder)
    if kind == "controller":
        return controller_tests(job, folder)
    if (SCENARIOS / kind / "converge.yml").exists():
        return scenario(job, kind, rest, folder)
    raise ToolError(f"tests/README.md contains a job that does not exist: {job.name}")


def guest_tests(job: Job, kind: str, words: list[str], folder: Path) -> Command:
    """The tests inside a guest: those of tests/guest, or with the kind `faults` those of tests/guest/faults.

    `words` can contain a part such as 1/2, files such as test_races.py, and the size of a sample of the faults.
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
    """The options of the lab for a machine of a job. `2cpu` in the job's name means two processors."""
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
    """Calls of the modules as users make them: from a controller with an ansible-core, on one or two guests."""
    environment = environment_of(job)
    argv = environment.command("python", "-m", "pytest", str(ROOT / "tests/controller"), "-v")
    guests = (part for name in machines(job) for part in ("--guest", name))
    env = variables(job, environment.home) | {"SAFEPOINT_STATE": str(state_directory(job))}
    return Command((*argv, *guests, f"--junitxml={folder / 'controller.xml'}"), env, booted=True)


def scenario(job: Job, name: str, core: str, folder: Path) -> Command:
    """A scenario, run by Molecule, or by ansible-playbook of another ansible-core, such as `core-2.16`."""
    if not core or core == "once":
        env = variables(job, MAIN, folder) | ({"SAFEPOINT_ONCE": "1"} if core else {})
        env |= {"SAFEPOINT_ARTEFACT": str(artefact()), "MOLECULE_EPHEMERAL_DIRECTORY": str(state_directory(job))}
        return Command((str(MAIN / "bin/molecule"), "test", "--scenario-name", name), env)
    control = controller(job)
    env = variables(job, control.home, folder) | control.variables()
    argv = control.command("ansible-playbook", str(SCENARIOS / name / "converge.yml"))
    return Command(tuple(argv), env, booted=True)


def environment_of(job: Job) -> Environment:
    """The Python environment of a job: that of the ansible-core in its name, such as `core-2.16`, or the main one."""
    return next((one for one in envs.CONTROLLERS if one.name in job.name.split()), envs.MAIN)


def controller(job: Job) -> Controller:
    """The Ansible of a job."""
    environment = environment_of(job)
    return Controller(environment.home, state_directory(job), CACHE, environment.prefix)


def prepare(job: Job) -> None:
    """Write the configuration with which Ansible reaches the running machines of a job."""
    control = controller(job)
    control.install(artefact())
    control.write_inventory(*machines(job))


def variables(job: Job, home: Path, reports: Path | None = None) -> dict[str, str]:
    """The environment variables for programs of the Python environment `home`; `reports` is for Ansible's reports."""
    removed = ("ANSIBLE_", "JUNIT_", "MOLECULE_", "PYTHON", "SAFEPOINT_", "VIRTUAL_ENV")
    values = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
    values["PATH"] = os.pathsep.join([str(home / "bin"), values.get("PATH", os.defpath)])
    values |= {"ANSIBLE_HOME": str(CACHE / "ansible"), "SAFEPOINT_CACHE": str(CACHE)}
    values |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    values |= {"SAFEPOINT_GUEST": job.image, "SAFEPOINT_VM": job.slug, "SAFEPOINT_MACHINE": job.machine}
    if reports:
        values |= {"ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit", "JUNIT_OUTPUT_DIR": str(reports)}
        values |= {"JUNIT_TEST_CASE_PREFIX": TEST_PREFIX, "JUNIT_HIDE_TASK_ARGUMENTS": "true"}
    return values
