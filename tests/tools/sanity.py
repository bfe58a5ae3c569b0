# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-test sanity` with its own home directory, and without its one download."""

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

# ansible-test creates virtual environments without pip, and downloads get-pip.py for them. This program replaces that
# file: it installs the pip that comes with Python, which then installs what get-pip.py would have installed.
_GET_PIP = """
import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *packages], check=False).returncode)
"""


def run(tree: Tree) -> Outcome:
    """Run all sanity tests on a real copy of the collection, with each Python. If none was run, that is a failure."""
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
        raise ToolError(f"{module} contains no version of pip: the tests do not support this ansible-core yet")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"get_pip_{version[1].replace('.', '_')}.py").write_text(_GET_PIP)


def _write_pip_settings(path: Path) -> None:
    """Write this machine's settings of pip to a file: ansible-test removes PIP_* and uses another HOME."""
    argv = [MAIN.tool("python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    settings = configparser.RawConfigParser()
    # pip lists variables before files, and variables have priority.
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
    """Create a directory with the working interpreters, for PATH: ansible-test uses the first one of each name."""
    folder = CACHE / "pythons"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for python in find_all():
        (folder / f"python3.{python.minor}").symlink_to(python.path)
    return folder
