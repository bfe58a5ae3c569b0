# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one LVM command that changes something, and wait until it ends. Private to this collection.

A supervisor runs the command. Its output goes to files, not to pipes, because SIGPIPE kills LVM.
"""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

from .._errors import error_text
from .._host.process import clean_environment
from .._paths import RUN_DIRECTORY
from .._settings import POLL_SECONDS
from .._steps import CommandResult
from .command import text_of
from .supervisor import FAILED, supervise

if TYPE_CHECKING:
    from collections.abc import Sequence

# Print errors on stderr. Poll merges more often than every 15 seconds, which is LVM's default (lvm.conf(5)).
_CONFIG = f"log{{report_command_log=0}} activation{{polling_interval={POLL_SECONDS}}}"
_WITHOUT_ARCHIVE = f"{_CONFIG} backup{{archive=0 backup=0}}"


def command_line(binary: str, arguments: Sequence[str], *, archive: bool) -> list[str]:
    """The command line of one modifying command.

    If ``archive`` is false, LVM does not back up its metadata to /etc/lvm. With archiving, it fails if it cannot write
    there (vgcfgbackup(8)).
    """
    config = _CONFIG if archive else _WITHOUT_ARCHIVE
    return [binary, arguments[0], "--config", config, *arguments[1:]]


def modify(argv: Sequence[str], *, lock: int, vgs: Sequence[str]) -> CommandResult:
    """Run one command that changes ``vgs``, and wait until it ends.

    There is no time limit, other than for a report: LVM that is killed between two writes of its metadata, or while a
    device is suspended, leaves LVs that are incomplete, and processes that wait for the device forever.

    ``lock`` is the descriptor of the host lock, which stays locked until the command has ended.
    """
    try:
        with _output_file() as stdout, _output_file() as stderr:
            rc = supervise(argv, env=clean_environment(), stdout=stdout, stderr=stderr, lock=lock, vgs=sorted(vgs))
            return CommandResult(argv=tuple(argv), rc=rc, stdout=_read(stdout), stderr=_read(stderr))
    except OSError as error:
        # There is no file or process for it. That is undone like a command that LVM refused.
        return CommandResult(tuple(argv), FAILED, "", f"cannot run {argv[0]}: {error_text(error)}")


def _output_file() -> IO[bytes]:
    # The file never has a name, so nothing is left behind when a process is killed.
    return tempfile.TemporaryFile(dir=RUN_DIRECTORY)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return text_of(file.read())
