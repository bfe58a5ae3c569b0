# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of a module that changes the host: it holds the host lock and writes commands to the journal. Private."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._host.lock import host_lock
from .._host.process import run_tool
from .._lvm.modify import command_line, modify
from .session import Session, check, timeout_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._model import HostState
    from .._steps import CommandResult


class ChangeSession(Session):
    """A session that may change the host. ``subject`` precedes each line in the journal.

    ``lock`` is the file descriptor of the host lock. A process that inherits it keeps the host locked until it ends.
    """

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        self.subject = ""
        self.lock = -1
        self._archive = True

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold the host lock. Check mode does not need it: it changes nothing and does not wait."""
        timeout = self._module.params["lock_timeout"]
        check("lock_timeout", timeout_problem(timeout))
        if self._module.check_mode:
            yield
            return
        with host_lock(purpose, timeout=timeout) as descriptor:
            self.lock = descriptor
            yield

    def observe(self, paths: Sequence[str] = ()) -> HostState:
        """The state of the host now; ``paths`` are what the plan depends on. Raises ReportFailed."""
        host_state = super().observe(paths)
        self._archive = host_state.host.can_archive
        return host_state

    def note(self, text: str) -> None:
        """Write to the journal what is about to be changed."""
        self._module.log(f"{self.subject}: {text}")

    def run(self, arguments: Sequence[str], *, vgs: Sequence[str]) -> CommandResult:
        """Run one LVM command that changes ``vgs``, and wait until it has ended."""
        argv = command_line(self.lvm.binary, arguments, archive=self._archive)
        self.commands.append(argv)
        # Before it begins: this process may be killed while the command goes on.
        self.note(f"lvm {' '.join(arguments)}")
        outcome = modify(argv, lock=self.lock, vgs=vgs)
        self.note(f"lvm {arguments[0]} ended with exit code {outcome.rc}")
        return outcome

    def run_program(self, name: str, *arguments: str) -> None:
        """Run another program of the host, and wait until it has ended. Raises FilesFailed when it fails."""
        argv = [name, *arguments]
        self.commands.append(argv)
        run_tool(*argv, pass_fds=(self.lock,))
        self.note(f"{name} ended")
