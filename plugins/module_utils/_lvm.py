# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only place that runs LVM. Private to this collection.

A modifying command runs under a small supervisor: a forked child in a session of its own that holds the host lock
until the command has ended. Whatever happens to the module or to its SSH connection never reaches the command, because
a killed ``lvcreate`` can leave its origin suspended. Output goes to files: LVM does not survive SIGPIPE.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import ReportFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._lock import RUN_DIRECTORY
from ansible_collections.safepoint.lvm.plugins.module_utils._report import parse_report, report_arguments
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume, VolumeGroup

# Errors belong on stderr, and whoever watches a merge looks at it more often than every 15 seconds (lvm.conf(5)).
_MODIFY_CONFIG = f"log{{report_command_log=0}} activation{{polling_interval={POLL_SECONDS}}}"
_SUPERVISOR_FAILED = 255
_STANDARD_STREAMS = (0, 1, 2)
_IGNORED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


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
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=clean_environment(),
            check=False,
        )
        try:
            groups, volumes = parse_report(done.stdout)
        except ReportFailed as error:
            details = {"cmd": argv, "rc": done.returncode, "stderr": done.stderr}
            raise ReportFailed(f"{error.message}; LVM said: {done.stderr.strip() or 'nothing'}", **details) from error
        return Report(volume_groups=groups, volumes=volumes, unread=done.stderr.strip() if done.returncode else "")

    def modify(self, arguments: Sequence[str], *, lock: int) -> Outcome:
        """Run one modifying command to its end, however long that takes.

        ``lock`` is the descriptor of the host lock, which the supervisor keeps until the command has ended.
        """
        argv = self._remember((arguments[0], "--config", _MODIFY_CONFIG, *arguments[1:]))
        with _output_file() as stdout, _output_file() as stderr:
            rc = _supervise(argv, stdout, stderr, keep=(lock,))
            return Outcome(argv=tuple(argv), rc=rc, stdout=_text(stdout), stderr=_text(stderr))

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


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _supervise(argv: Sequence[str], stdout: IO[bytes], stderr: IO[bytes], keep: Sequence[int]) -> int:
    supervisor = os.fork()
    if supervisor == 0:
        _leave(lambda: _run_detached(argv, stdout, stderr, keep))
    _pid, status = os.waitpid(supervisor, 0)
    return os.waitstatus_to_exitcode(status)


def _leave(work: Callable[[], int]) -> None:
    # A forked child never returns into the module, whatever happens: that would run the module twice.
    rc = _SUPERVISOR_FAILED
    try:
        rc = work()
    finally:
        os._exit(rc)


def _run_detached(argv: Sequence[str], stdout: IO[bytes], stderr: IO[bytes], keep: Sequence[int]) -> int:
    os.setsid()
    for number in _IGNORED_SIGNALS:
        # LVM inherits this: a signal to the whole session must not end it half-way.
        signal.signal(number, signal.SIG_IGN)
    _close_all_but({stdout.fileno(), stderr.fileno(), *keep})
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=clean_environment(),
            restore_signals=False,
        )
    except OSError as error:
        stderr.write(f"{argv[0]} could not be started: {error.strerror}\n".encode())
        stderr.flush()
        return _SUPERVISOR_FAILED
    rc = child.wait()
    return rc if rc >= 0 else 128 - rc


def _close_all_but(kept: set[int]) -> None:
    # The module's own stdout and stderr are pipes of the connection: held open they would keep SSH waiting.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in _STANDARD_STREAMS:
        os.dup2(null, standard)
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in {*_STANDARD_STREAMS, *kept}:
            # The descriptor that listed the directory is among them, and is closed already.
            with suppress(OSError):
                os.close(int(entry.name))
