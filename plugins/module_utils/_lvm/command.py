# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How LVM is asked: one report, one process. Private to this collection.

The package ``_lvm`` knows how LVM is run and what it prints. It must not know what an LV is for: no tag, no snapset.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._errors import ReportFailed
from .._host.process import clean_environment
from .report import parse_report, report_arguments

if TYPE_CHECKING:
    from .._model import Volume, VolumeGroup


@dataclass(frozen=True)
class Report:
    """The VGs and LVs that LVM could read, and what it said if that was not everything."""

    volume_groups: tuple[VolumeGroup, ...]
    volumes: tuple[Volume, ...]
    unread: str


class Lvm:
    """LVM by the path of its program. ``reads`` counts the reports."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self.reads = 0

    def report(self) -> Report:
        """One report of everything.

        Raises ReportFailed when LVM gave none. What LVM could not read is missing from the result and told.
        """
        argv = [self.binary, *report_arguments()]
        self.reads += 1
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=clean_environment(), check=False)
        said = text_of(done.stderr).strip()
        try:
            groups, volumes = parse_report(text_of(done.stdout))
        except ReportFailed as error:
            details = {"cmd": argv, "rc": done.returncode, "stderr": said}
            raise ReportFailed(f"{error.message}; LVM said: {said or 'nothing'}", **details) from error
        return Report(volume_groups=groups, volumes=volumes, unread=said if done.returncode else "")


def text_of(output: bytes) -> str:
    """What LVM printed; the name of a device can have any bytes."""
    return output.decode(errors="surrogateescape")
