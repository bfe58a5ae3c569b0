# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host: found, and run to their end. Private to this collection."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from .._errors import FilesFailed

if TYPE_CHECKING:
    from collections.abc import Sequence


def clean_environment() -> dict[str, str]:
    """The environment for a program: nothing that changes the language, or how LVM behaves (lvm(8))."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LVM_", "DM_", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}


def missing_tools(names: Sequence[str]) -> list[str]:
    """Those of the programs that the host does not have."""
    return [name for name in names if find_tool(name) is None]


def find_tool(name: str) -> str | None:
    """Where the host has a program; also in the directories of administrators."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def run_tool(name: str, *arguments: str, keeps: tuple[int, ...] = ()) -> str:
    """Run a program of the host; what it prints. Raises FilesFailed when it fails.

    ``keeps`` are files that stay open while it runs, even when this process is killed: the host lock.
    """
    argv = [find_tool(name) or name, *arguments]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=clean_environment(),
        pass_fds=keeps,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise FilesFailed(f"{' '.join(argv)} failed with {done.returncode} and said: {said}", cmd=argv)
    return done.stdout
