# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python environments of the tests: `<cache>/envs/NAME`, each with exactly the versions in `pins/NAME.txt`.

To update a file in pins: install the packages of its first block, without versions, into a new virtual environment, and
replace the file with the output of `pip freeze`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools import debian
from tools.paths import CACHE, ENVS, PINS, ToolError, prepare_cache
from tools.pythons import MAJOR, Python, find_all, probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COMPLETE = "complete"
_WHEELS = "wheels"
_VENV_PACKAGE = "python3-venv"
# Prints the platforms whose wheels a Python can use, according to its pip.
_PLATFORMS = "from pip._vendor.packaging.tags import platform_tags; print(*platform_tags())"


@dataclass(frozen=True)
class Environment:
    """An environment: its name for directories, its title for messages, and its Python.

    `minors` are the suitable minor versions of Python 3, the preferred one first. `requirement` is their description.
    """

    name: str
    title: str
    minors: tuple[int, ...]
    requirement: str

    @property
    def pins(self) -> Path:
        """The requirements file with the exact version of each package."""
        return PINS / f"{self.name}.txt"

    @property
    def home(self) -> Path:
        """The path of the environment, a symbolic link to the directory of its current version."""
        return ENVS / self.name

    def tool(self, name: str) -> str:
        """Return the path of a program of this environment."""
        return str(self.home / "bin" / name)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What precedes its programs: nothing, or a command that runs them in another Debian."""
        python = choose_python(self)
        return python.prefix if python else ()

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of a program of this environment, which may run in another Debian."""
        return [*self.prefix, self.tool(name), *arguments]

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment variables for its programs, without those that change what Ansible or Python do."""
        removed = ("ANSIBLE_", "MYPY", "PYTEST_", "PYTHON", "RUFF_", "VIRTUAL_ENV", "PIP_USER")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
        kept["PATH"] = os.pathsep.join([str(self.home / "bin"), kept.get("PATH", os.defpath)])
        ours = {
            "ANSIBLE_HOME": str(CACHE / "ansible"),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**kept, **ours, **more}


# The oldest controller runs on the oldest Python, the newest one on the newest, so the unit tests use both.
_MODERN = (11, 12, 13, 14)
MAIN = Environment("main", "the tools", _MODERN, "Python 3.11 or newer")
IMPORTER = Environment("importer", "galaxy-importer", (11, 12, 13), "Python 3.11, 3.12 or 3.13")
CONTROLLERS = (
    Environment("core-2.16", "ansible-core 2.16", (10, 11, 12), "Python 3.10, 3.11 or 3.12"),
    Environment("core-2.19", "ansible-core 2.19", (12, 13, 11), "Python 3.11, 3.12 or 3.13"),
    Environment("core-2.21", "ansible-core 2.21", (14, 13, 12), "Python 3.12 or newer"),
)
FLOOR = Environment("floor", "Python 3.9, the oldest of managed hosts", (9,), "Python 3.9")
UNIT = (MAIN, *CONTROLLERS, FLOOR)
ALL = (MAIN, IMPORTER, *CONTROLLERS, FLOOR)


def choose_python(environment: Environment) -> Python | None:
    """Return the Python for an environment. For the tools it is `python3` in PATH if suitable, else the preferred one.

    If this machine has none for a controller, it is that of another Debian, if that exists.
    """
    found = find_all()
    if environment is MAIN and found and found[0].minor in environment.minors:
        return found[0]
    by_minor = {python.minor: python for python in found}
    own = next((by_minor[minor] for minor in environment.minors if minor in by_minor), None)
    suite = _suite(environment)
    return debian.find(suite) if own is None and suite else own


def _suite(environment: Environment) -> str | None:
    return debian.suite_for(environment.minors) if environment in CONTROLLERS else None


def unavailable_reason(environment: Environment) -> str | None:
    """Return a line that says why an environment cannot exist on this machine, or None."""
    if choose_python(environment) or _suite(environment):
        return None
    return f"{environment.title}: not run, because this machine has no {environment.requirement}"


def build(environment: Environment) -> None:
    """Create the environment if it does not exist. Raises ToolError, which says what to do."""
    python, suite = choose_python(environment), _suite(environment)
    if python is None and suite:
        python = debian.make(suite)
    if python is None:
        raise ToolError(
            f"{environment.title} needs {environment.requirement}, which this machine does not have: install it"
        )
    if not python.has_venv:
        raise ToolError(f"{python.path} cannot create virtual environments: install {_VENV_PACKAGE}, then try again")
    prepare_cache()
    ENVS.mkdir(exist_ok=True)
    target = ENVS / f"{environment.name}-{_key(environment, python)}"
    with _locked(environment):
        if not _is_valid(target, python):
            # If this fails, nobody must find the one with other versions.
            environment.home.unlink(missing_ok=True)
            _make(environment, python, target)
        _set_link(environment.home, target)
        _remove_others(environment, target)


def build_all(environments: tuple[Environment, ...]) -> dict[str, str]:
    """Build the environments, two at a time. Return the error of each one that failed, by name."""
    errors: dict[str, str] = {}

    def attempt(environment: Environment) -> None:
        try:
            build(environment)
        except ToolError as error:
            errors[environment.name] = str(error)

    # Once, before the builds, because two builds at a time would disturb each other.
    if any(not python.has_venv for python in map(choose_python, environments) if python):
        install_package(_VENV_PACKAGE, "which Debian separates from Python")
        find_all.cache_clear()
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(attempt, environments))
    return errors


def _key(environment: Environment, python: Python) -> str:
    where = "another Debian" if python.prefix else "this machine"
    facts = "\0".join([environment.pins.read_text(), python.text, str(python.path), where, str(ENVS)])
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


@contextmanager
def _locked(environment: Environment) -> Iterator[None]:
    with (ENVS / f"{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_valid(target: Path, python: Python) -> bool:
    return (target / _COMPLETE).exists() and probe(target / "bin" / "python", python.prefix) is not None


def _make(environment: Environment, python: Python, target: Path) -> None:
    started = time.monotonic()
    _say(environment, f"Python {python.text}; installing the packages of {environment.pins.name}")
    shutil.rmtree(target, ignore_errors=True)
    # A virtual environment cannot be moved, so it is created in its final place. It is valid only with the mark.
    _run(environment, [*python.prefix, str(python.path), "-m", "venv", str(target)])
    pip = [*python.prefix, str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    source = _fetch_wheels(environment, python, target) if python.prefix else []
    _run(environment, [*pip, "install", "--quiet", "--no-deps", *source, "--requirement", str(environment.pins)])
    shutil.rmtree(target / _WHEELS, ignore_errors=True)
    _run(environment, [*pip, "check"])
    (target / _COMPLETE).touch()
    _say(environment, f"ready after {time.monotonic() - started:.0f} s")


def _fetch_wheels(environment: Environment, python: Python, target: Path) -> list[str]:
    """Fetch the wheels with this machine's pip, which has the settings for that. Return the options to install them."""
    build(MAIN)
    wheels = target / _WHEELS
    argv = [*python.prefix, str(target / "bin" / "python"), "-c", _PLATFORMS]
    platforms = _run(environment, argv).split()
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", f"{MAJOR}.{python.minor}"]
    options += [*(f"--platform={name}" for name in platforms), "--dest", str(wheels)]
    pip = [MAIN.tool("python"), "-m", "pip", "--disable-pip-version-check"]
    _run(environment, [*pip, "download", *options, "--requirement", str(environment.pins)])
    return ["--no-index", "--find-links", str(wheels)]


def _run(environment: Environment, argv: list[str]) -> str:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        command = " ".join(argv)
        raise ToolError(f"environment {environment.name}: `{command}` exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _set_link(link: Path, target: Path) -> None:
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.replace(link)


def _remove_others(environment: Environment, target: Path) -> None:
    for other in ENVS.glob(f"{environment.name}-{'[0-9a-f]' * 12}"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)


def install_package(name: str, why: str) -> None:
    """Install a Debian package with apt-get, if that is possible without a question."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if any(shutil.which(program) is None for program in ["apt-get", *as_root[:1]]):
        return
    print(f"installing {name}, {why}", flush=True)
    # Its output is hidden. If the package is still missing, a later message says what to do.
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", name]):
        argv = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet=2", *arguments]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _say(environment: Environment, what: str) -> None:
    print(f"environment {environment.name}: {what}", flush=True)
