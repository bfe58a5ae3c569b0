# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual machine whose power is cut: create it, run programs in it, and use Ansible on it."""

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
# Control sequences in the output of a serial console: cursor movements, colours.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
# A step that takes longer has failed.
STEP_SECONDS = 30 * 60
END_SECONDS = 15


class Wrong(Exception):
    """Something is not as it must be. The message describes it."""


@dataclass
class Running:
    """A running program, and the file with its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """Its output."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 25) -> str:
        """The last lines of its output."""
        return "\n".join(self.text().splitlines()[-lines:])

    def end(self) -> None:
        """End it and its children, if it is still running."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(END_SECONDS)


@dataclass(frozen=True)
class Machine:
    """A virtual machine of the lab. Its kind is qemu or uml.

    `state` is a directory for the collection, the inventory and the files of Ansible.
    """

    name: str
    suite: str
    kind: str
    cache: Path
    state: Path

    @property
    def control(self) -> Controller:
        """Runs Ansible on it."""
        return Controller(self.cache / "envs" / "main", self.state, self.cache)

    @property
    def directory(self) -> Path:
        """Its directory in the lab."""
        return self.cache / "vms" / self.name

    @property
    def console(self) -> Path:
        """The file with the output of the serial console, of all boots."""
        return self.directory / "serial.log"

    def create(self, *options: str) -> None:
        """Create and boot it. A machine that an earlier run has left is removed first."""
        self.remove()
        self._lab("up", self.name, "--image", self.suite, "--machine", self.kind, "--cache", "writethrough", *options)
        shutil.rmtree(self.state, ignore_errors=True)
        self.control.install(artefact())
        self.control.write_inventory(self.name)

    def boot(self) -> None:
        """Boot it after a cut."""
        self._lab("start", self.name)
        self.control.write_inventory(self.name)

    def cut(self) -> None:
        """Cut its power."""
        self._lab("cut", self.name)

    def remove(self) -> None:
        """Stop and delete it, if it exists."""
        if self.directory.exists():
            self._lab("down", self.name)

    def shell(self, script: str) -> str:
        """Run a shell script in it. Return its output."""
        return self._lab("run", self.name, "--", "sh", "-eu", "-c", script)

    def inside(self, command: str, *directories: str) -> Any:
        """Run a command of inside.py in it. Return its JSON output."""
        printed = self._lab("run", self.name, "--", "python3", "-", command, *directories, stdin=INSIDE)
        return as_json(printed)

    def pull(self, source: str, destination: Path) -> None:
        """Copy a file out of it."""
        self._lab("pull", self.name, source, str(destination))

    @contextmanager
    def changing(self, directories: list[str], log: Path) -> Iterator[Running]:
        """Run the step "change" in it."""
        argv = [*LAB, "run", self.name, "--", "python3", "-", "change", *directories]
        with INSIDE.open("rb") as program, started(argv, log, stdin=program.fileno()) as running:
            yield running

    @contextmanager
    def playing(self, playbook: str, variables: dict[str, str], log: Path) -> Iterator[Running]:
        """Run a playbook of the collection on it."""
        extra = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
        argv = self.control.command("ansible-playbook", f"safepoint.lvm.{playbook}", *extra)
        with started(argv, log, env=self.control.variables()) as running:
            yield running

    def module(self, name: str, *arguments: str) -> tuple[bool, dict[str, Any]]:
        """Run a module of the collection on it. Return whether it succeeded, and the result."""
        argv = self.control.command("ansible", "all", "--one-line", "-m", f"safepoint.lvm.{name}", *arguments)
        done = subprocess.run(
            argv, env=self.control.variables(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if not (found := re.search(r"^\S+ \| (SUCCESS|CHANGED|FAILED!) => (\{.*\})$", done.stdout, re.MULTILINE)):
            raise Wrong(f"the module {name} did not run: {done.stdout}{done.stderr}")
        return found[1] != "FAILED!", as_json(found[2])

    def snapset(self, name: str) -> dict[str, Any]:
        """A set as `snapset_info` reports it, with the state absent if it does not exist."""
        well, result = self.module("snapset_info", "-a", f"name={name}")
        if not well:
            raise Wrong(f"snapset_info failed: {result.get('msg')}")
        found: list[dict[str, Any]] = result["snapsets"]
        if len(found) > 1:
            raise Wrong(f"there are {len(found)} sets with this name: {', '.join(one['state'] for one in found)}")
        return found[0] if found else {"state": "absent", "members": []}

    def _lab(self, *arguments: str, stdin: Path = Path(os.devnull)) -> str:
        # In its own session: Ctrl-C at the terminal must not reach it.
        with stdin.open("rb") as source:
            done = subprocess.run(
                [*LAB, *arguments], stdin=source, capture_output=True, text=True, check=False, start_new_session=True
            )
        if done.returncode:
            raise Wrong(f"failed: lab {' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout


@functools.cache
def artefact() -> Path:
    """The collection as users get it. All cuts of a long series use the same file."""
    given = os.environ.get("SAFEPOINT_ARTEFACT")
    return Path(given) if given else build_artefact()


@contextmanager
def started(
    argv: list[str], log: Path, *, env: dict[str, str] | None = None, stdin: int | None = None
) -> Iterator[Running]:
    """Run a program with its output in a file, and end it afterwards."""
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
    """Wait for the end of a program. Return its output. Raises Wrong if it fails or does not end."""
    try:
        code = running.process.wait(STEP_SECONDS)
    except subprocess.TimeoutExpired:
        raise Wrong(f"did not end: {running.log.name}\n{running.tail()}") from None
    if code:
        raise Wrong(f"failed: {running.log.name}\n{running.tail()}")
    return running.text()


def wait_for(pattern: str, path: Path, running: Running, *, offset: int = 0) -> None:
    """Wait until a file matches a pattern after `offset` bytes. Raises Wrong if the program ends before that."""
    expression = re.compile(pattern.encode())
    deadline = time.monotonic() + STEP_SECONDS
    while True:
        ended = running.process.poll() is not None
        with path.open("rb") as file:
            file.seek(offset)
            if expression.search(file.read()):
                return
        if ended or time.monotonic() > deadline:
            raise Wrong(f"{running.log.name} {'ended' if ended else 'continued'} without: {pattern}\n{running.tail()}")
        time.sleep(0.05)


def last_output(running: Running, console: Path, offset: int, code: int | None) -> str:
    """The last output of a step and of the console (from `offset` on) before the cut. `code` is None if it ran."""
    lines = [line for line in running.text().splitlines() if line.startswith(("TASK [", '["'))]
    # The rest of the line of a task consists of asterisks.
    said = lines[-1].rstrip("* ").removeprefix("TASK ").strip("[]") if lines else ""
    with console.open("rb") as file:
        file.seek(offset)
        text = CONTROL.sub("", file.read().decode(errors="replace"))
    shown = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return "; ".join(part for part in (said, shown[:100], "" if code is None else "it had ended") if part)


def as_json(text: str) -> Any:
    """Parse a JSON text. Raises Wrong if it is not valid."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise Wrong(f"not valid JSON: {text[-2000:]}") from None
