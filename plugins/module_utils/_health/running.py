# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the health program on the host. Private to this collection."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .._errors import FilesFailed
from .._host.process import SYSTEM_PATH, clean_environment, find_tool
from .._paths import RUN_DIRECTORY
from .program.main import PROGRAM

PATH = f"{SYSTEM_PATH}:/usr/local/sbin:/usr/local/bin"
"""Where the program and the commands of users find programs, whoever runs them."""


@dataclass(frozen=True)
class Run:
    """A run of the program: whether it found the host well, the differences that it printed, and two observations."""

    well: bool
    printed: tuple[str, ...]
    first: str
    now: str


def run_program(mode: Literal["record", "wait"], settings: str, assertions: str = "") -> Run:
    """Run the program and wait until it ends, which its own deadline limits. Raises FilesFailed, OSError.

    Its files are in memory, because the disk may be full. What a killed module leaves is gone at the next boot.
    """
    Path(RUN_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    here = Path(tempfile.mkdtemp(prefix="health-", dir=RUN_DIRECTORY))
    try:
        for name, text in (("program", PROGRAM), ("settings", settings), ("assertions", assertions)):
            (here / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        return _run(here, mode)
    finally:
        shutil.rmtree(here, ignore_errors=True)


def _run(here: Path, mode: str) -> Run:
    program = str(here / "program")
    argv = [find_tool("sh") or "sh", program, program, str(here), mode]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        env=clean_environment(),
        check=False,
    )
    files = [here / name for name in ("first", "now")]
    if done.returncode not in (0, 1) or not all(file.exists() for file in files):
        said = done.stdout.strip() or done.stderr.strip() or f"exit code {done.returncode}"
        raise FilesFailed(f"the health program could not run: {said}")
    first, now = (file.read_text(encoding="ascii", errors="backslashreplace") for file in files)
    return Run(done.returncode == 0, tuple(done.stdout.splitlines()), first, now)
