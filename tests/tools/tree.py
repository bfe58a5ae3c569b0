# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of the checkout in the directory that Ansible's tools expect, and the artefact.

The copies are real ones: in a tree of symbolic links `ansible-test` passes without testing anything. Files that a tool
leaves there do not get into the checkout.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.envs import MAIN
from tools.paths import CACHE, ROOT, ToolError


@dataclass(frozen=True)
class Tree:
    """A copy of the checkout: `base` is for ANSIBLE_COLLECTIONS_PATH, `home` is the collection."""

    base: Path

    @property
    def home(self) -> Path:
        """The directory with galaxy.yml."""
        return self.base / "ansible_collections" / "safepoint" / "lvm"


def listed_files() -> list[Path]:
    """Return the files of the checkout that git tracks or would add, relative to it. Raises ToolError without git."""
    argv = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ToolError("the checks get the list of files from git, which is not installed: install git") from None
    if done.returncode:
        raise ToolError(
            f"git cannot list the files of {ROOT}, and the checks need a git checkout: {done.stderr.strip()}"
        )
    names = sorted(set(done.stdout.split("\0")) - {""})
    return [Path(name) for name in names if (ROOT / name).is_symlink() or (ROOT / name).is_file()]


def copy_checkout(purpose: str) -> Tree:
    """Create a new copy for one purpose (a word), in `<cache>/tree/PURPOSE`."""
    tree = Tree(CACHE / "tree" / purpose)
    shutil.rmtree(tree.base, ignore_errors=True)
    for name in listed_files():
        target = tree.home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    # With its own repository. Otherwise tools would use the checkout's, which ignores the cache, and test nothing.
    subprocess.run(["git", "init", "--quiet", str(tree.home)], stdin=subprocess.DEVNULL, check=True)
    return tree


def build_artefact() -> Path:
    """Build the collection from a copy into `<cache>/build`; return its path. Raises ToolError with Ansible's text."""
    output = CACHE / "build"
    shutil.rmtree(output, ignore_errors=True)
    argv = [MAIN.tool("ansible-galaxy"), "collection", "build", "--output-path", str(output)]
    done = subprocess.run(
        argv,
        cwd=copy_checkout("build").home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    artefacts = list(output.glob("*.tar.gz"))
    if done.returncode or len(artefacts) != 1:
        raise ToolError(f"ansible-galaxy cannot build the collection:\n{done.stdout}")
    return artefacts[0]
