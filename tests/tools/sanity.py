# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-test sanity` in a home directory of its own, without its one download."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from tools.envs import MAIN
from tools.jobs import Outcome, run_command
from tools.paths import CACHE, ToolError
from tools.pythons import find_all

if TYPE_CHECKING:
    from pathlib import Path

    from tools.tree import Tree

# ansible-test makes virtual environments without pip and downloads get-pip.py for them. This stands in for
# that file: Python brings a pip of its own, which then installs what get-pip.py would have been asked for.
_GET_PIP = """
import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *packages], check=False).returncode)
"""


def run(tree: Tree) -> Outcome:
    """Run every sanity test on a real copy of the collection, on each Python found; none run is a failure."""
    home = CACHE / "home"
    _write_get_pip(home / ".ansible" / "test" / "cache")
    _write_pip_settings(home / ".config" / "pip" / "pip.conf")
    env = MAIN.variables(HOME=str(home))
    env["PATH"] = os.pathsep.join([str(MAIN.home / "bin"), str(_link_pythons()), env["PATH"]])
    outcome = run_command([MAIN.tool("ansible-test"), "sanity", "--color", "no"], cwd=tree.home, env=env)
    tests = len(set(re.findall(r"^Running sanity test \"(\S+)\"", outcome.output, re.MULTILINE)))
    pythons = " ".join(f"3.{python.minor}" for python in sorted(find_all(), key=lambda python: python.minor))
    return replace(outcome, ok=outcome.ok and tests > 0, remark=f"{tests} tests; Python {pythons}")


def _write_get_pip(folder: Path) -> None:
    module = next(MAIN.home.glob("lib/python3.*/site-packages/ansible_test/_internal/python_requirements.py"))
    version = re.search(r"\bpip='([\d.]+)'", module.read_text())
    if version is None:
        raise ToolError(f"{module} names no version of pip: this ansible-core is newer than the tests know.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"get_pip_{version[1].replace('.', '_')}.py").write_text(_GET_PIP)


def _write_pip_settings(path: Path) -> None:
    """Write the settings pip has here, from files and variables alike: ansible-test drops PIP_* and HOME is another."""
    argv = [MAIN.tool("python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    settings = configparser.RawConfigParser()
    # pip lists the variables first, and they win over the files.
    for key, value in reversed(re.findall(r"^(\S+?)=(.+)$", listed, re.MULTILINE)):
        section, option = key.split(".", 1)
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, ast.literal_eval(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        settings.write(file)


def _link_pythons() -> Path:
    """Make a directory of the interpreters that work, for PATH: ansible-test takes the first of each name."""
    folder = CACHE / "pythons"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for python in find_all():
        (folder / f"python3.{python.minor}").symlink_to(python.path)
    return folder
