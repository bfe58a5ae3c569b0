# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-playbook against simulated hosts and records which modules were called and which messages were shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staged import stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Answers = dict[str, Any]
_BANNER = re.compile(r"^TASK \[(?:\S+ : )?(.*)\] \*+$")
_RESULT = re.compile(r"^(\w+): \[([^] ]+)[^]]*\](?::? [A-Z]+!)?(?: \(item=.*?\))? => (?={)", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """One call of a module."""

    task: str
    action: str
    arguments: dict[str, Any]
    check: bool
    delegate_to: str | None

    @property
    def text(self) -> str:
        """The call as text: `snapset s absent, in check mode`."""
        words = [self.action.rpartition(".")[2], self.arguments.get("name"), self.arguments.get("state")]
        return " ".join(word for word in words if word) + (", in check mode" if self.check else "")


@dataclass(frozen=True)
class Shown:
    """One result with a message shown to the user; `kind` is its first word, such as `fatal`."""

    task: str
    kind: str
    message: str


@dataclass
class Seen:
    """What was recorded for one host."""

    calls: list[Call] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    # The role and the task of each result that was not skipped.
    results: list[tuple[str, str]] = field(default_factory=list)

    @property
    def tasks(self) -> list[str]:
        """The tasks whose modules were called, in order."""
        return [call.task for call in self.calls]

    @property
    def last(self) -> str:
        """The last message of a failed task; empty if none failed."""
        failures = [one.message for one in self.shown if one.kind in ("fatal", "failed")]
        return failures[-1] if failures else ""

    def after(self, task: str) -> list[str]:
        """The calls after the first call of a task, as text."""
        return [call.text for call in self.calls[self.tasks.index(task) + 1 :]]


class Controller:
    """A controller with a staged collection, in its own directory; action plugins in `real` are not stubbed."""

    def __init__(self, home: Path, *, real: Sequence[str] = ()) -> None:
        self.home = home
        self._runs = 0
        # Of the last run.
        self.status, self.output = 0, ""
        # Empty, so that the settings of this machine are not used.
        (home / "ansible.cfg").touch()
        stage(home / "collections", real=real)

    def run(
        self,
        playbook: str,
        hosts: Mapping[str, Answers],
        variables: Mapping[str, Any],
        *options: str,
        **environment: str,
    ) -> dict[str, Seen]:
        """Run a playbook (a name, or YAML text) on hosts with these answers; return what was recorded for each."""
        self._runs += 1
        folder = self.home / f"run{self._runs}"
        folder.mkdir()
        for host, answers in hosts.items():
            (folder / f"{host}.answers").write_text(json.dumps(answers))
        (folder / "hosts").write_text("".join(f"{self.line(folder, host)}\n" for host in hosts))
        if "\n" in playbook:
            (folder / "play.yml").write_text(playbook)
            playbook = str(folder / "play.yml")
        argv = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory", "hosts", playbook]
        done = subprocess.run(
            [*argv, "--extra-vars", json.dumps(variables), *options],
            cwd=folder,
            env={**self._environment(folder), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        (folder / "output").write_text(done.stdout + done.stderr)
        self.status, self.output = done.returncode, done.stdout
        seen = _seen(folder, done.stdout, list(hosts))
        assert any(one.calls or one.shown for one in seen.values()), done.stdout + done.stderr
        return seen

    def order(self, *tasks: str) -> list[list[str]]:
        """The hosts that called these tasks in the last run, in the order of the calls: one list for each change."""
        found: list[tuple[str, list[str]]] = []
        for line in (self.home / f"run{self._runs}" / "order").read_text().splitlines():
            host, task = json.loads(line)
            if task in tasks:
                if not found or found[-1][0] != task:
                    found.append((task, []))
                found[-1][1].append(host)
        return [hosts for _task, hosts in found]

    def line(self, folder: Path, host: str) -> str:
        """Return the line of a host in the inventory of a run, which is in `folder`."""
        del folder
        return f"{host} ansible_connection=local"

    def _environment(self, folder: Path) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callbacks")),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_CALLBACKS_ENABLED": "results",
            "ANSIBLE_COLLECTIONS_PATH": str(self.home / "collections"),
            "ANSIBLE_CONFIG": str(self.home / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "SAFEPOINT_STUBS": str(folder),
        }


def _seen(folder: Path, output: str, hosts: Sequence[str]) -> dict[str, Seen]:
    seen = {host: Seen() for host in hosts}
    for host, one in seen.items():
        calls = folder / f"{host}.calls"
        one.calls += [Call(**json.loads(line)) for line in calls.read_text().splitlines()] if calls.exists() else []
        results = folder / f"{host}.results"
        lines = results.read_text().splitlines() if results.exists() else []
        one.results += map(tuple, map(json.loads, lines))
    for part in re.split(r"(?m)^(?=TASK \[)", output):
        banner = _BANNER.match(part.partition("\n")[0])
        for match in _RESULT.finditer(part):
            result, _end = json.JSONDecoder().raw_decode(part, match.end())
            if banner and "msg" in result:
                message = result["msg"]
                text = message if isinstance(message, str) else "\n".join(message)
                seen[match[2]].shown.append(Shown(banner[1], match[1], text))
    return seen
