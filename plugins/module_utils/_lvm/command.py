# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only place that knows how LVM is run. Private to this collection.

A command that changes something runs under a supervisor, with its output in files: LVM does not survive SIGPIPE.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from .._errors import ReportFailed
from .._host.lock import RUN_DIRECTORY
from .report import parse_report, report_arguments
from .._snapset.steps import POLL_SECONDS
from .supervisor import supervise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model import Volume, VolumeGroup

# Errors belong on stderr, and whoever watches a merge looks at it more often than every 15 seconds (lvm.conf(5)).
_MODIFY_CONFIG = f"log{{report_command_log=0}} activation{{polling_interval={POLL_SECONDS}}}"
_WITHOUT_ARCHIVE = f"{_MODIFY_CONFIG} backup{{archive=0 backup=0}}"


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Report:
    """The VGs and LVs that LVM could read, and what it said if that was not everything."""

    volume_groups: tuple[VolumeGroup, ...]
    volumes: tuple[Volume, ...]
    unread: str


class Lvm:
    """Runs LVM commands and remembers each of them, in order, in ``commands``."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self.commands: list[list[str]] = []

    def report(self) -> Report:
        """One report of everything.

        Raises ReportFailed when LVM gave none. What LVM could not read is missing from the result and told.
        """
        argv = self._remember(report_arguments())
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=clean_environment(), check=False)
        said = _text(done.stderr).strip()
        try:
            groups, volumes = parse_report(_text(done.stdout))
        except ReportFailed as error:
            details = {"cmd": argv, "rc": done.returncode, "stderr": said}
            raise ReportFailed(f"{error.message}; LVM said: {said or 'nothing'}", **details) from error
        return Report(volume_groups=groups, volumes=volumes, unread=said if done.returncode else "")

    def modify(self, arguments: Sequence[str], *, lock: int, archive: bool) -> Outcome:
        """Run one modifying command to its end, however long that takes.

        ``lock`` is the descriptor of the host lock, which stays locked until the command has ended. Without ``archive``
        LVM writes no copies of its metadata into its directory; it refuses to go on when it cannot (vgcfgbackup(8)).
        """
        config = _MODIFY_CONFIG if archive else _WITHOUT_ARCHIVE
        argv = self._remember((arguments[0], "--config", config, *arguments[1:]))
        vgs = sorted({word.split("/")[0] for word in arguments if "/" in word})
        with _output_file() as stdout, _output_file() as stderr:
            rc = supervise(argv, env=clean_environment(), stdout=stdout, stderr=stderr, lock=lock, vgs=vgs)
            return Outcome(argv=tuple(argv), rc=rc, stdout=_read(stdout), stderr=_read(stderr))

    def _remember(self, arguments: Sequence[str]) -> list[str]:
        argv = [self._binary, *arguments]
        self.commands.append(argv)
        return argv


def clean_environment() -> dict[str, str]:
    """The environment for LVM: nothing that changes its behaviour or its language (lvm(8), ENVIRONMENT VARIABLES)."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LVM_", "DM_", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}


def _output_file() -> IO[bytes]:
    # Without a name from the start, so that nothing is left behind whoever dies.
    return tempfile.TemporaryFile(dir=RUN_DIRECTORY)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return _text(file.read())


def _text(output: bytes) -> str:
    # The name of a device can have any bytes.
    return output.decode(errors="surrogateescape")
