# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The static checks. Each one is a function that runs one tool on the checkout or on a copy of it."""

from __future__ import annotations

import functools
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from tools import sanity
from tools.envs import IMPORTER, MAIN, install_package
from tools.jobs import Outcome, run_command
from tools.paths import CACHE, ROOT, ToolError
from tools.tree import Tree, build_artefact, copy_checkout, listed_files

if TYPE_CHECKING:
    from pathlib import Path

_SHEBANG = re.compile(rb"#!.*\b(sh|bash)\b")
_SHELLS = {"sh": (("sh",), ("busybox", "sh")), "bash": (("bash",),)}
# Ignore the user's settings, and search for sourced files beside the program.
_SHELLCHECK = ("--norc", "--external-sources", "--source-path=SCRIPTDIR", "--enable=check-unassigned-uppercase")
# The beginning of paths in the output of a tool that works on a copy.
_COPY = re.compile(r"\S*ansible_collections/safepoint/lvm/")


def _on_checkout(tool: str, *arguments: str) -> Outcome:
    return run_command([MAIN.tool(tool), *arguments], cwd=ROOT, env=MAIN.variables())


def _on_copy(tree: Tree, tool: str, *arguments: str) -> Outcome:
    env = MAIN.variables(ANSIBLE_COLLECTIONS_PATH=str(tree.base))
    return _with_paths_of_checkout(run_command([MAIN.tool(tool), *arguments], cwd=tree.home, env=env))


def _with_paths_of_checkout(outcome: Outcome) -> Outcome:
    return replace(outcome, output=_COPY.sub("", outcome.output))


def ruff_check() -> Outcome:
    """Search for mistakes in the Python files."""
    return _on_checkout("ruff", "check", "--cache-dir", str(CACHE / "ruff"), ".")


def ruff_format() -> Outcome:
    """Check that the Python files are formatted."""
    return _on_checkout("ruff", "format", "--check", "--diff", "--cache-dir", str(CACHE / "ruff"), ".")


def mypy() -> Outcome:
    """Check the types of the plugins, of the programs for tests, and of each series of tests with its own imports."""
    tree = copy_checkout("mypy")
    programs = sorted({path.parent.name for path in tree.home.glob("tests/*/__init__.py")})
    series = sorted({path.parent.name for path in tree.home.glob("tests/*/conftest.py")})
    outcomes = [
        _mypy(tree, "plugins", []),
        # The programs are packages and import each other. Two series of tests can have modules of the same name.
        _mypy(tree, "programs", ["tests"], *(f"tests/{name}" for name in programs)),
        *(_mypy(tree, name, [f"tests/{name}", "tests"], f"tests/{name}") for name in series),
    ]
    bad = [outcome for outcome in outcomes if not outcome.ok]
    return _with_paths_of_checkout(Outcome(ok=not bad, output="\n".join(outcome.output for outcome in bad)))


def _mypy(tree: Tree, name: str, imports: list[str], *roots: str) -> Outcome:
    """Check the Python files below `roots`, or below the directory `name`. They can import from `imports`."""
    files = [file for root in roots or [name] for file in sorted((tree.home / root).rglob("*.py"))]
    argv = [MAIN.tool("mypy"), "--config-file", str(ROOT / "pyproject.toml")]
    argv += ["--cache-dir", str(CACHE / "mypy" / name)]
    env = MAIN.variables(MYPYPATH=os.pathsep.join(str(path) for path in [*map(tree.home.joinpath, imports), tree.base]))
    return run_command([*argv, *(str(path.relative_to(tree.base)) for path in files)], cwd=tree.base, env=env)


def yamllint() -> Outcome:
    """Check the format of the YAML files."""
    return _on_checkout("yamllint", "--strict", ".")


def ansible_lint() -> Outcome:
    """Check roles, playbooks and metadata with the production profile, without network."""
    return _on_copy(copy_checkout("ansible-lint"), "ansible-lint", "--profile", "production", "--offline", "--nocolor")


def ansible_test() -> Outcome:
    """Run all sanity tests of ansible-test with every Python of this machine that it supports."""
    return sanity.run(copy_checkout("sanity"))


def antsibull_docs() -> Outcome:
    """Check the documentation of modules and roles, and all references in it."""
    arguments = ["lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."]
    return _on_copy(copy_checkout("antsibull-docs"), "antsibull-docs", *arguments)


def antsibull_changelog() -> Outcome:
    """Check the changelog and its fragments."""
    return _on_copy(copy_checkout("antsibull-changelog"), "antsibull-changelog", "lint")


def galaxy_importer() -> Outcome:
    """Import the built collection like Galaxy. A warning of the importer is a failure."""
    artefact = build_artefact()
    scratch = CACHE / "importer"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    env = IMPORTER.variables(GALAXY_IMPORTER_CHECK_REQUIRED_TAGS="true", GALAXY_IMPORTER_TMP_ROOT_DIR=str(scratch))
    argv = [IMPORTER.tool("python"), "-m", "galaxy_importer.main", str(artefact)]
    outcome = run_command(argv, cwd=scratch, env=env)
    complaint = re.search(r"^(WARNING|ERROR|CRITICAL)\b", outcome.output, re.MULTILINE)
    return Outcome(ok=outcome.ok and complaint is None, output=outcome.output, remark=artefact.name)


def shell() -> Outcome:
    """Check all shell programs with sh, busybox and shellcheck, also those that the collection and its roles write."""
    if shutil.which("busybox") is None:
        install_package("busybox", "the shell of many initramfs")
    if shutil.which("busybox") is None:
        raise ToolError("the check `shell` needs busybox, which is not installed: install it, then try again")
    tree = copy_checkout("shell")
    written = tree.base / "written"
    run = functools.partial(run_command, cwd=tree.home, env=MAIN.variables(PYTHONPATH=str(tree.base)))
    outcomes = [run([MAIN.tool("python"), "tests/unit/shell_programs.py", str(written)])]
    programs = _shell_programs(tree, written)
    # Programs source these. shellcheck reads them together with the programs.
    parts = {path: "sh" for path in written.rglob("*") if path.is_file() and path not in programs}
    for path, name in {**programs, **parts}.items():
        outcomes += [run([*words, "-n", str(path)]) for words in _SHELLS[name]]
    for name in _SHELLS:
        mine = [str(path) for path, its in programs.items() if its == name]
        outcomes.append(run([MAIN.tool("shellcheck"), *_SHELLCHECK, f"--shell={name}", *mine]))
    bad = [outcome for outcome in outcomes if not outcome.ok]
    return Outcome(ok=not bad, output="\n".join(one.output for one in bad), remark=f"{len(programs)} programs")


def _shell_programs(tree: Tree, written: Path) -> dict[Path, str]:
    """The shell of each program: files of the checkout with a shebang, and programs written for this check."""
    named = ((path, _SHEBANG.match(path.read_bytes())) for path in map(tree.home.joinpath, listed_files()))
    found = {path: match[1].decode() for path, match in named if match}
    return {**found, **{path: "sh" for path in written.rglob("*") if path.is_file() and os.access(path, os.X_OK)}}


def reuse() -> Outcome:
    """Check that every file has a copyright and a licence."""
    # On a copy, because in a checkout it also reads ignored directories inside untracked ones.
    return _on_copy(copy_checkout("reuse"), "reuse", "lint")


# The longest first, so that the short ones fill the gaps.
GATES: dict[str, Callable[[], Outcome]] = {
    "ansible-test": ansible_test,
    "ansible-lint": ansible_lint,
    "galaxy-importer": galaxy_importer,
    "mypy": mypy,
    "antsibull-docs": antsibull_docs,
    "ruff-check": ruff_check,
    "ruff-format": ruff_format,
    "yamllint": yamllint,
    "antsibull-changelog": antsibull_changelog,
    "shell": shell,
    "reuse": reuse,
}
