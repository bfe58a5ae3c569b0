# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the Python interpreters of this machine by running them, because a name in PATH can be a shim that fails."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MAJOR, OLDEST, NEWEST = 3, 9, 14
# In an active virtual environment, which may be one of ours, use the interpreter from which it was created.
_PROBE = """
import importlib.util, json, os, sys
path = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
print(json.dumps([list(sys.version_info[:3]), path, importlib.util.find_spec("ensurepip") is not None]))
"""


@dataclass(frozen=True)
class Python:
    """A Python that works: its version, its path, and whether it can create virtual environments.

    `prefix` precedes each command line of its programs, if they do not run directly on this machine.
    """

    version: tuple[int, int, int]
    path: Path
    has_venv: bool
    prefix: tuple[str, ...] = ()

    @property
    def minor(self) -> int:
        """The second number of the version: 11 for Python 3.11.7."""
        return self.version[1]

    @property
    def text(self) -> str:
        """The version as text: 3.11.7."""
        return ".".join(str(part) for part in self.version)


def probe(path: Path, prefix: tuple[str, ...] = ()) -> Python | None:
    """Run the interpreter. None if it does not work or is not Python 3."""
    try:
        done = subprocess.run(
            [*prefix, str(path), "-c", _PROBE], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
        version, executable, has_venv = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if version[0] != MAJOR:
        return None
    return Python((version[0], version[1], version[2]), Path(executable), has_venv=has_venv, prefix=prefix)


def _on_path() -> list[Path]:
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST, NEWEST + 1))]
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    candidates = (Path(folder) / name for name in names for folder in folders if folder)
    return [path for path in candidates if os.access(path, os.X_OK)]


def _output_lines(*argv: str) -> list[str]:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


def _of_pyenv() -> list[Path]:
    # The shims of pyenv run only the versions that its settings select, but the others exist too.
    if shutil.which("pyenv") is None:
        return []
    versions = [name for name in _output_lines("pyenv", "versions", "--bare") if name.startswith("3.")]
    return [Path(prefix) / "bin" / "python3" for name in versions for prefix in _output_lines("pyenv", "prefix", name)]


@functools.cache
def find_all() -> tuple[Python, ...]:
    """Return one Python for each minor version: first `python3` in PATH, then the others from the oldest to the newest.

    If there are two with the same minor version, it is the earlier one in PATH, unless only the later one can create
    virtual environments.
    """
    found: dict[int, Python] = {}
    for path in [*_on_path(), *_of_pyenv()]:
        python = probe(path)
        if python is None or python.minor < OLDEST:
            continue
        if python.minor not in found or (python.has_venv and not found[python.minor].has_venv):
            found[python.minor] = python
    first = next(iter(found.values()), None)
    others = sorted((python for python in found.values() if python is not first), key=lambda python: python.minor)
    return (first, *others) if first else ()
