# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual machine whose power is cut: its life, what runs inside it, and Ansible on it."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.paths import ROOT
from tools.tree import build_artefact
from vm.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = (sys.executable, str(ROOT / "tests" / "vm"))
INSIDE = ROOT / "tests" / "power_cuts" / "inside.py"
# Serial consoles move the cursor and colour their words.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
# Whatever takes longer is not going to end.
STEP_SECONDS = 30 * 60
END_SECONDS = 15


class Wrong(Exception):
    """Something is not as it has to be; the message says what."""


@dataclass
class Running:
    """A program that runs, and the file with its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 25) -> str:
        """What it has printed last."""
        return "\n".join(self.text().splitlines()[-lines:])

    def end(self) -> None:
        """End it and what it has started; nothing if it has ended."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(END_SECONDS)


@dataclass(frozen=True)
class Machine:
    """A virtual machine of a kind of the lab, qemu or uml.

    `state` is a directory for the collection, the inventory and Ansible's own files.
    """

    name: str
    suite: str
    kind: str
    cache: Path
    state: Path

    @property
    def control(self) -> Controller:
        """Ansible on it."""
        return Controller(self.cache / "envs" / "main", self.state, self.cache)

    @property
    def directory(self) -> Path:
        """Where the lab keeps it."""
        return self.cache / "vms" / self.name

    @property
    def console(self) -> Path:
        """What the guest wrote to its serial console, in all of its boots."""
        return self.directory / "serial.log"

    def create(self, *options: str) -> None:
        """Make it and boot it, in the place of one that an earlier run has left."""
        self.remove()
        self._lab("up", self.name, "--image", self.suite, "--machine", self.kind, "--cache", "writethrough", *options)
        shutil.rmtree(self.state, ignore_errors=True)
        self.control.install(artefact())
        self.control.reach(self.name)

    def boot(self) -> None:
        """Boot it after a cut."""
        self._lab("start", self.name)
        self.control.reach(self.name)

    def cut(self) -> None:
        """Cut its power."""
        self._lab("cut", self.name)

    def remove(self) -> None:
        """End it and delete it; nothing if there is none."""
        if self.directory.exists():
            self._lab("down", self.name)

    def shell(self, script: str) -> str:
        """Run a shell script in it; what it prints."""
        return self._lab("run", self.name, "--", "sh", "-eu", "-c", script)

    def inside(self, command: str, *directories: str) -> Any:
        """Run a command of inside.py in it; the JSON that it prints."""
        printed = self._lab("run", self.name, "--", "python3", "-", command, *directories, stdin=INSIDE)
        return as_json(printed)

    def pull(self, source: str, destination: Path) -> None:
        """Copy a file out of it."""
        self._lab("pull", self.name, source, str(destination))

    @contextmanager
    def changing(self, directories: list[str], log: Path) -> Iterator[Running]:
        """While it changes its files."""
        argv = [*LAB, "run", self.name, "--", "python3", "-", "change", *directories]
        with INSIDE.open("rb") as program, started(argv, log, stdin=program.fileno()) as running:
            yield running

    @contextmanager
    def playing(self, playbook: str, variables: dict[str, str], log: Path) -> Iterator[Running]:
        """While a playbook of the collection runs on it."""
        extra = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
        argv = self.control.command("ansible-playbook", f"safepoint.lvm.{playbook}", *extra)
        with started(argv, log, env=self.control.variables()) as running:
            yield running

    def module(self, name: str, *arguments: str) -> tuple[bool, dict[str, Any]]:
        """Run a module of the collection on it: whether that went well, and the result."""
        argv = self.control.command("ansible", "all", "--one-line", "-m", f"safepoint.lvm.{name}", *arguments)
        done = subprocess.run(
            argv, env=self.control.variables(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if not (found := re.search(r"^\S+ \| (SUCCESS|CHANGED|FAILED!) => (\{.*\})$", done.stdout, re.MULTILINE)):
            raise Wrong(f"the module {name} did not run: {done.stdout}{done.stderr}")
        return found[1] != "FAILED!", as_json(found[2])

    def snapset(self, name: str) -> dict[str, Any]:
        """What `snapset_info` tells of a set; its state is absent when there is none."""
        well, result = self.module("snapset_info", "-a", f"name={name}")
        if not well:
            raise Wrong(f"snapset_info failed: {result.get('msg')}")
        found: list[dict[str, Any]] = result["snapsets"]
        if len(found) > 1:
            raise Wrong(f"there are {len(found)} sets of one name: {', '.join(one['state'] for one in found)}")
        return found[0] if found else {"state": "absent", "members": []}

    def _lab(self, *arguments: str, stdin: Path = Path(os.devnull)) -> str:
        # A session of its own: Ctrl-C at the terminal is not for it.
        with stdin.open("rb") as source:
            done = subprocess.run(
                [*LAB, *arguments], stdin=source, capture_output=True, text=True, check=False, start_new_session=True
            )
        if done.returncode:
            raise Wrong(f"this failed: lab {' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout


@functools.cache
def artefact() -> Path:
    """The collection as users get it; of a longer series all cuts are made with the same one."""
    given = os.environ.get("SAFEPOINT_ARTEFACT")
    return Path(given) if given else build_artefact()


@contextmanager
def started(
    argv: list[str], log: Path, *, env: dict[str, str] | None = None, stdin: int | None = None
) -> Iterator[Running]:
    """While a program runs with its output in a file; it is ended afterwards."""
    log.parent.mkdir(parents=True, exist_ok=True)
    source = subprocess.DEVNULL if stdin is None else stdin
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env=env, stdin=source, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    running = Running(process, log)
    try:
        yield running
    finally:
        running.end()


def finish(running: Running) -> str:
    """Wait for the end of a program; what it has printed. Wrong when it fails or does not end."""
    try:
        code = running.process.wait(STEP_SECONDS)
    except subprocess.TimeoutExpired:
        raise Wrong(f"this did not end: {running.log.name}\n{running.tail()}") from None
    if code:
        raise Wrong(f"this failed: {running.log.name}\n{running.tail()}")
    return running.text()


def wait_for(pattern: str, path: Path, running: Running, *, offset: int = 0) -> None:
    """Wait until a file has what a regular expression says, behind `offset` bytes; Wrong if the program ends first."""
    expression = re.compile(pattern.encode())
    deadline = time.monotonic() + STEP_SECONDS
    while True:
        ended = running.process.poll() is not None
        with path.open("rb") as file:
            file.seek(offset)
            if expression.search(file.read()):
                return
        if ended or time.monotonic() > deadline:
            raise Wrong(f"{running.log.name} {'ended' if ended else 'went on'} without: {pattern}\n{running.tail()}")
        time.sleep(0.05)


def what_was_done(running: Running, console: Path, offset: int, code: int | None) -> str:
    """What a step and the console, from `offset` on, said last before the cut; `code` is that of a step that ended."""
    lines = [line for line in running.text().splitlines() if line.startswith(("TASK [", '["'))]
    # The rest of a task's line are asterisks.
    said = lines[-1].rstrip("* ").removeprefix("TASK ").strip("[]") if lines else ""
    with console.open("rb") as file:
        file.seek(offset)
        text = CONTROL.sub("", file.read().decode(errors="replace"))
    shown = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return "; ".join(part for part in (said, shown[:100], "" if code is None else "it had ended") if part)


def as_json(text: str) -> Any:
    """What a text in JSON means; Wrong when it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise Wrong(f"this is no JSON: {text[-2000:]}") from None
