# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run programs and LVM commands as an administrator would, and read the reports of LVM."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = Path("/etc/lvm")
_LOCAL_SETTINGS = CONFIGURATION / "lvmlocal.conf"
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}


def run(*argv: str, stdin: str = "") -> str:
    """Run a program that must succeed. Return its standard output."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


def processes_per_report() -> int:
    """How many LVM processes a module needs to observe the host: two while LVM warns, as it does of duplicate PVs."""
    done = subprocess.run(["lvm", "fullreport"], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    return 2 if done.stderr.strip() else 1


def report(command: str, fields: str, *arguments: str) -> list[dict[str, str]]:
    """The rows of lvs, vgs or pvs with ``fields``, sizes in bytes."""
    options = ("--reportformat", "json", "--units", "b", "--nosuffix", "-o", fields)
    text = run(command, *options, "--config", "log{report_command_log=0} report{mark_hidden_devices=0}", *arguments)
    rows: list[dict[str, str]] = json.loads(text)["report"][0][command.removesuffix("s")]
    return rows


def lv(name: str, fields: str) -> dict[str, str]:
    """The ``fields`` of the LV ``name`` (VG/LV)."""
    return report("lvs", fields, "-a", name)[0]


def names(vg: str) -> set[str]:
    """The names of all visible LVs of a VG."""
    return {row["lv_name"] for row in report("lvs", "lv_name", vg)}


def tags(name: str) -> set[str]:
    """The tags of the LV ``name`` (VG/LV)."""
    return set(filter(None, lv(name, "lv_tags")["lv_tags"].split(",")))


@contextmanager
def settings(text: str) -> Iterator[None]:
    """Add ``text`` temporarily to the LVM configuration of the host (lvm.conf(5))."""
    former = _LOCAL_SETTINGS.read_text() if _LOCAL_SETTINGS.exists() else None
    try:
        _LOCAL_SETTINGS.write_text(f"{former or ''}\n{text}\n")
        yield
    finally:
        if former is None:
            _LOCAL_SETTINGS.unlink()
        else:
            _LOCAL_SETTINGS.write_text(former)
