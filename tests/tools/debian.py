# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another Debian in the cache, with a Python that this machine does not have. Programs run in it with chroot."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vm import host
from vm.recipe import EXCLUDED_PATHS, SUITES
from vm.sources import host_mirror

from tools.paths import CACHE, ROOT, ToolError, prepare_cache
from tools.pythons import Python, probe

if TYPE_CHECKING:
    from collections.abc import Sequence

# The Debian for each minor version of Python.
SUITE_OF = {11: "bookworm", 13: "trixie"}
# Ansible connects to guests with ssh.
PACKAGES = ("python3", "python3-venv", "openssh-client")
_ENTER = Path(__file__).with_name("inside.py")
_TREES = CACHE / "debian"


def suite_for(minors: Sequence[int]) -> str | None:
    """Return the Debian with one of these Pythons, the preferred one first. None if this machine cannot create any."""
    can_be_root = os.geteuid() == 0 or shutil.which("sudo")
    can_be_made = shutil.which("apt-get") or not host.missing_among(host.BOOTSTRAP)
    if not (can_be_root and can_be_made):
        return None
    return next((SUITE_OF[minor] for minor in minors if minor in SUITE_OF), None)


@functools.cache
def find(suite: str) -> Python | None:
    """Return the Python of a Debian that exists; None if it does not exist."""
    tree = _tree(suite)
    if not tree.is_dir():
        return None
    # Created by this user, so that this user can delete them.
    for path in (ROOT, CACHE):
        Path(f"{tree}{path}").mkdir(parents=True, exist_ok=True)
    return probe(Path("/usr/bin/python3"), _prefix(tree))


def make(suite: str) -> Python:
    """Create a Debian if it does not exist, and return its Python. Raises ToolError."""
    tree = _tree(suite)
    prepare_cache()
    with host.locked(_TREES / f"{suite}.lock"):
        if not tree.is_dir():
            try:
                _assemble(suite, tree)
            except host.LabError as error:
                raise ToolError(str(error)) from error
            find.cache_clear()
    python = find(suite)
    if python is None:
        raise ToolError(f"no Python works in {tree} with chroot as root: delete this directory, then try again")
    return python


def _tree(suite: str) -> Path:
    shaped_by = "\0".join([suite, *PACKAGES, *EXCLUDED_PATHS, Path(__file__).read_text(encoding="utf-8")])
    return _TREES / f"{suite}-{hashlib.sha256(shaped_by.encode()).hexdigest()[:12]}"


def _prefix(tree: Path) -> tuple[str, ...]:
    """What precedes a program that runs in the tree. The program and its mounts end together with the caller."""
    root = () if os.geteuid() == 0 else ("sudo", "--non-interactive", "--preserve-env", "--")
    with_caller = ("setpriv", "--pdeathsig", "KILL", "--")
    apart = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL", "--")
    inside = (sys.executable, str(_ENTER), str(tree), f"{os.getuid()}:{os.getgid()}", str(ROOT), str(CACHE), "--")
    return (*root, *with_caller, *apart, *inside)


def _assemble(suite: str, tree: Path) -> None:
    for other in _TREES.glob(f"{suite}-*"):
        shutil.rmtree(other) if other.is_dir() else other.unlink()
    if missing := host.missing_among(host.BOOTSTRAP):
        host.install(missing)
    progress = host.Progress(_TREES / f"{suite}.log")
    progress.step(f"creating a {SUITES[suite]} for its Python, which this machine does not have")
    archive, partial = tree.with_suffix(".tar"), tree.with_suffix(".partial")
    argv = ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(PACKAGES)}"]
    argv += [*(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED_PATHS), suite, str(archive), "-"]
    progress.run(*host.as_root(argv), stdin=host_mirror().lines(suite))
    partial.mkdir()
    # Everything belongs to this user, who can delete it without root.
    options = ["--extract", "--no-same-owner", "--exclude=./dev/*"]
    progress.run("tar", *options, "--file", str(archive), "--directory", str(partial))
    archive.unlink()
    partial.rename(tree)
    progress.step(f"{SUITES[suite]} is ready")
