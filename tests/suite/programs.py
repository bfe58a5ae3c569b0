# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that are running now. All of them can be stopped, and their progress can be read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The progress in the output of a program: Ansible's tasks, pytest's tests, the lab's steps.
PROGRESS = re.compile(
    rb"^(?:TASK \[(.+?)\]|\S*?(test_\w+\.py::\S+)|\[ *\d+ s\] (.+)|\[\d\d:\d\d:\d\d\] (.+))", re.MULTILINE
)
END_SECONDS = 15
READ_BYTES = 20_000


class Stopped(Exception):
    """Nothing more must be started."""


@dataclass(eq=False)
class Running:
    """A running program: its title, the file with its output, and its start."""

    process: subprocess.Popen[bytes]
    title: str
    log: Path
    started: float = field(default_factory=time.monotonic)

    def progress(self) -> str:
        """The last progress that the output of the program shows; empty if there is none yet."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - READ_BYTES))
            found = PROGRESS.findall(log.read())
        return next((part for part in found[-1] if part), b"").decode(errors="replace") if found else ""


@dataclass
class Programs:
    """The programs that are running now."""

    running: set[Running] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    def run(self, title: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path, limit: float) -> str | None:
        """Run a program with its output in a file, for at most `limit` seconds. Return why it failed, or None.

        Raises Stopped.
        """
        with self.lock, log.open("ab") as output:
            if self.stopped:
                raise Stopped
            try:
                process = subprocess.Popen(
                    argv,
                    cwd=ROOT,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                return f"it cannot be started: {error}"
            running = Running(process, title, log)
            self.running.add(running)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"it was stopped after {limit / 60:.0f} minutes, which is the limit"
        finally:
            terminate(process)
            with self.lock:
                self.running.discard(running)
        if self.stopped:
            raise Stopped
        return f"it exited with {code}" if code else None

    def progress(self) -> list[str]:
        """A line for each program: how many seconds it has been running, and its progress."""
        with self.lock:
            running = sorted(self.running, key=lambda one: one.started)
        now = time.monotonic()
        return [f"{one.title}: {now - one.started:.0f} s, at: {one.progress() or 'its start'}" for one in running]

    def stop(self) -> None:
        """Stop all running programs, and start nothing more."""
        with self.lock:
            self.stopped = True
            running = list(self.running)
        for one in running:
            terminate(one.process)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Stop a program and everything that it started in its session, if it is still running."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
