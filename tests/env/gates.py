# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The static checks, each a function that runs one tool on the checkout or on a copy of it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

import sanity
from envs import IMPORTER, MAIN
from jobs import Outcome, run_command
from paths import CACHE, ROOT
from tree import Tree, build_artefact, copy_checkout

if TYPE_CHECKING:
    from pathlib import Path

# What stands before a path of the checkout in the words of a tool that works on a copy.
_COPY = re.compile(r"\S*ansible_collections/safepoint/lvm/")


def _on_checkout(tool: str, *arguments: str) -> Outcome:
    return run_command([MAIN.tool(tool), *arguments], cwd=ROOT, env=MAIN.variables())


def _on_copy(tree: Tree, tool: str, *arguments: str) -> Outcome:
    env = MAIN.variables(ANSIBLE_COLLECTIONS_PATH=str(tree.base))
    return _with_paths_of_checkout(run_command([MAIN.tool(tool), *arguments], cwd=tree.home, env=env))


def _with_paths_of_checkout(outcome: Outcome) -> Outcome:
    return replace(outcome, output=_COPY.sub("", outcome.output))


def ruff_check() -> Outcome:
    """Look for mistakes in the Python files."""
    return _on_checkout("ruff", "check", "--cache-dir", str(CACHE / "ruff"), ".")


def ruff_format() -> Outcome:
    """Compare the layout of the Python files with the formatter's."""
    return _on_checkout("ruff", "format", "--check", "--diff", "--cache-dir", str(CACHE / "ruff"), ".")


def mypy() -> Outcome:
    """Check the types of the plugins, and of each directory of programs or tests with its own imports."""
    tree = copy_checkout("mypy")
    outcomes = [_mypy_program(tree, program) for program in _programs(tree.home)]
    bad = [outcome for outcome in outcomes if not outcome.ok]
    return _with_paths_of_checkout(Outcome(ok=not bad, output="\n".join(outcome.output for outcome in bad)))


def _programs(home: Path) -> list[list[Path]]:
    tests = home / "tests"
    roots = [home / "plugins", *(path for path in sorted(tests.glob("*")) if path.is_dir())]
    found = [sorted(root.rglob("*.py")) for root in roots] + [sorted(tests.glob("*.py"))]
    return [files for files in found if files]


def _mypy_program(tree: Tree, files: list[Path]) -> Outcome:
    parts = files[0].relative_to(tree.home).parts
    # Programs import their neighbours by bare names; plugins and tests import plugins by their full names.
    program = tree.home.joinpath(*parts[: min(2, len(parts) - 1)])
    paths = [tree.base] if parts[0] == "plugins" else [program, tree.base]
    argv = [MAIN.tool("mypy"), "--config-file", str(ROOT / "pyproject.toml")]
    argv += ["--cache-dir", str(CACHE / "mypy" / "-".join(program.relative_to(tree.home).parts))]
    env = MAIN.variables(MYPYPATH=os.pathsep.join(str(path) for path in paths))
    return run_command([*argv, *(str(path.relative_to(tree.base)) for path in files)], cwd=tree.base, env=env)


def yamllint() -> Outcome:
    """Check the layout of the YAML files."""
    return _on_checkout("yamllint", "--strict", ".")


def ansible_lint() -> Outcome:
    """Check roles, playbooks and metadata by the production profile, without a network."""
    return _on_copy(copy_checkout("ansible-lint"), "ansible-lint", "--profile", "production", "--offline", "--nocolor")


def ansible_test() -> Outcome:
    """Run every sanity test of ansible-test on every Python of this machine that it knows."""
    return sanity.run(copy_checkout("sanity"))


def antsibull_docs() -> Outcome:
    """Check the documentation of modules and roles, and every reference in it."""
    arguments = ["lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."]
    return _on_copy(copy_checkout("antsibull-docs"), "antsibull-docs", *arguments)


def antsibull_changelog() -> Outcome:
    """Check the changelog and its fragments."""
    return _on_copy(copy_checkout("antsibull-changelog"), "antsibull-changelog", "lint")


def galaxy_importer() -> Outcome:
    """Import the built collection as Galaxy would; a warning of the importer is a failure."""
    artefact = build_artefact()
    scratch = CACHE / "importer"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    env = IMPORTER.variables(GALAXY_IMPORTER_CHECK_REQUIRED_TAGS="true", GALAXY_IMPORTER_TMP_ROOT_DIR=str(scratch))
    argv = [IMPORTER.tool("python"), "-m", "galaxy_importer.main", str(artefact)]
    outcome = run_command(argv, cwd=scratch, env=env)
    complaint = re.search(r"^(WARNING|ERROR|CRITICAL)\b", outcome.output, re.MULTILINE)
    return Outcome(ok=outcome.ok and complaint is None, output=outcome.output, remark=artefact.name)


def reuse() -> Outcome:
    """Check that every file states its copyright and licence."""
    # On a copy: in a checkout it also looks into ignored directories that lie in untracked ones.
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
    "reuse": reuse,
}
