# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find and run programs of the host. Private to this collection."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from .._errors import FilesFailed
from .reading import read

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def clean_environment() -> dict[str, str]:
    """Return an environment in which programs use the C locale, and no variable changes LVM's behavior (lvm(8))."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LVM_", "DM_", "LC_", "LANG"))}
    return {**clean, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}


def missing_tools(names: Sequence[str]) -> list[str]:
    """Return those of the programs that the host does not have."""
    return [name for name in names if find_tool(name) is None]


def find_tool(name: str) -> str | None:
    """Return the path of a program, or None.

    The directories of the system come first. The PATH of a user who became root may contain others, and a program that
    is found is run as root, or copied for a rollback timer.
    """
    return shutil.which(name, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}")


def process_name(pid: int) -> str:
    """Return the name and PID of a process, for messages."""
    # It may have ended.
    return f"{read(f'/proc/{pid}/comm').strip() or 'a process'} (PID {pid})"


def run_tool(name: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> str:
    """Run a program of the host and return its output. Raises FilesFailed if it fails.

    The program inherits the descriptors ``pass_fds``. So a host lock stays locked while the program runs, even if this
    process is killed.
    """
    argv = [find_tool(name) or name, *arguments]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=clean_environment(),
        pass_fds=pass_fds,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "no output"
        raise FilesFailed(f"{shlex.join(argv)} failed with exit code {done.returncode}: {said}", cmd=argv)
    return done.stdout
