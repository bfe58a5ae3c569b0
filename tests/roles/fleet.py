# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated hosts for the playbook `report`: each answers snapset_info, and some are not there."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plays import Controller

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK = "Look at the host"
GIB = 1024**3
_RECAP = re.compile(r"^(\S+) +: ok=.*?unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


def info(*snapsets: str, **more: Any) -> dict[str, Any]:
    """An answer of snapset_info with snapsets in these states."""
    found = [
        {"name": "patch", "id": "0", "state": state, "created": "2026-11-28T10:00:00+00:00", "members": []}
        for state in snapsets
    ]
    lists = (
        "boot_backups",
        "rollback_timers",
        "boot_entries",
        "unmanaged_snapshots",
        "copies",
        "foreign",
        "thin_pools",
        "coverage",
    )
    groups = [{"name": "sysvg", "size": 20 * GIB, "free": 6 * GIB, "partial": False}]
    known = {"snapsets": found, "booted_from": None, "host_id": None, "volume_groups": groups, "reads": 1}
    return {LOOK: {**known, **{name: [] for name in lists}, **more}}


def broken(message: str) -> dict[str, Any]:
    """An answer of a module that fails."""
    return {LOOK: {"failed": True, "msg": message}}


GONE: dict[str, Any] = {}
"""The answers of a host that cannot be reached."""


@dataclass(frozen=True)
class Reported:
    """What a run has left: its exit code, the hosts that failed in the recap, the lines shown, and the files."""

    status: int
    failed: list[str]
    shown: list[str]
    directory: Path

    @property
    def document(self) -> dict[str, Any]:
        """The JSON report."""
        value: dict[str, Any] = json.loads((self.directory / "safepoint-report.json").read_text())
        return value

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each host, in the order of the report."""
        return {host["host"]: host["outcome"] for host in self.document["hosts"]}

    @property
    def cells(self) -> list[dict[str, str]]:
        """The lines of the CSV."""
        with (self.directory / "safepoint-report.csv").open(newline="") as file:
            return list(csv.DictReader(file))


class FleetController(Controller):
    """A controller with the real actions of the report, and a module that only answers."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, real=["host_report", "fleet_report"])
        self._gone: set[str] = set()

    def line(self, folder: Path, host: str) -> str:
        """Return a host with a Python that tells the module which host it is on."""
        if host in self._gone:
            return f"{host} ansible_connection=gone"
        python = folder / f"{host}.python"
        python.write_text(f'#!/bin/sh\nSAFEPOINT_HOST={host} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return f"{host} ansible_connection=local ansible_python_interpreter={python}"

    def report(
        self, hosts: Mapping[str, Any], *options: str, playbook: str = "safepoint.lvm.report", **variables: Any
    ) -> Reported:
        """Run the playbook on these hosts. Names of variables in capitals are those of the environment."""
        self._gone = {name for name, answers in hosts.items() if answers is GONE}
        environment = {name: value for name, value in variables.items() if name.isupper()}
        given = {name: value for name, value in variables.items() if not name.isupper()}
        directory = self.home / f"report{self._runs}"
        known = {"report_directory": str(directory), "ansible_become": False, **given}
        places = {"ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).with_name("connections"))}
        seen = self.run(playbook, hosts, known, *options, **places, **environment)
        lines = [one.message for host in seen.values() for one in host.shown if one.task == "Show the report"]
        counts = {name: int(gone) + int(failed) for name, gone, failed in _RECAP.findall(self.output)}
        return Reported(self.status, [name for name, bad in counts.items() if bad], lines[0].splitlines(), directory)
