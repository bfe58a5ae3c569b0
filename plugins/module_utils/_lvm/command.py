# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run LVM and read its report. Private to this collection.

The package ``_lvm`` knows how to run LVM and what LVM prints. It must not know the purpose of an LV: no tags, no
snapsets.
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
    """The VGs and LVs that LVM could read.

    ``unread`` is empty if LVM read everything. Otherwise it holds LVM's error output.
    """

    volume_groups: tuple[VolumeGroup, ...]
    volumes: tuple[Volume, ...]
    unread: str


class Lvm:
    """The LVM program at the path ``binary``. ``reads`` counts the reports."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self.reads = 0

    def report(self) -> Report:
        """Return one report of all VGs and LVs.

        VGs that LVM could not read are missing from the result; then ``unread`` says why. Raises ReportFailed if LVM
        printed no valid report.
        """
        argv = [self.binary, *report_arguments()]
        self.reads += 1
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=clean_environment(), check=False)
        errors = text_of(done.stderr).strip()
        try:
            groups, volumes = parse_report(text_of(done.stdout))
        except ReportFailed as error:
            details = {"cmd": argv, "rc": done.returncode, "stderr": errors}
            raise ReportFailed(f"{error.message}; LVM said: {errors or 'nothing'}", **details) from error
        return Report(volume_groups=groups, volumes=volumes, unread=errors if done.returncode else "")


def text_of(output: bytes) -> str:
    """Decode what LVM printed.

    The name of a device can contain any bytes, so bytes that are not UTF-8 become surrogates.
    """
    return output.decode(errors="surrogateescape")
