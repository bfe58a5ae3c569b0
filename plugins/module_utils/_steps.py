# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of every plan have in common, and what they are carried out with. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ._errors import SafepointError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._model import HostState


@dataclass(frozen=True)
class CommandResult:
    """The result of a command."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


class StepFailed(SafepointError):
    """An LVM command failed. ``result`` is its exit code and output."""

    def __init__(self, result: CommandResult) -> None:
        self.result = result
        said = result.stderr.strip() or result.stdout.strip() or "nothing"
        super().__init__(f"LVM exited with {result.rc} and said: {said}", cmd=list(result.argv), rc=result.rc)


class Runner(Protocol):
    """What steps are carried out with. It records every command in the result ``commands``.

    ``lock`` is the file descriptor of the host lock. A process that inherits it keeps the host locked until it ends.
    """

    @property
    def lock(self) -> int:
        """The file descriptor; -1 if the host is not locked."""

    def note(self, text: str) -> None:
        """Write to the journal what is about to be changed."""

    def warn(self, text: str) -> None:
        """Show a warning to the user."""

    def run(self, arguments: Sequence[str], *, vgs: Sequence[str]) -> CommandResult:
        """Run one LVM command that changes the VGs ``vgs``, and wait until it has ended. A failure is not an error.

        The journal shows the command itself, so its step must not be noted as well.
        """

    def run_program(self, name: str, *arguments: str) -> None:
        """Run another program of the host, and wait until it has ended. Raises FilesFailed when it fails."""

    def observe(self) -> HostState:
        """Read the state of the host again. Raises ReportFailed."""


class Step(Protocol):
    """One step of a plan, as a value. The plans of all modules consist of these."""

    @property
    def changes(self) -> bool:
        """Whether the step changes the host."""

    @property
    def vgs(self) -> tuple[str, ...]:
        """The names of the VGs whose metadata the step changes; empty if it does not run LVM."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""

    def carry_out(self, runner: Runner) -> None:
        """Carry out the step. Raises SafepointError or OSError."""


class HostStep:
    """The base of steps that change the host without LVM."""

    changes = True
    vgs = ()


@runtime_checkable
class UndoableStep(Step, Protocol):
    """A step that creates something. When a later step fails, it is removed again."""

    @property
    def makes(self) -> str:
        """What the step creates, for messages."""

    def undo(self, runner: Runner) -> bool:
        """Remove what the step has created, even if it is incomplete. Raises SafepointError or OSError.

        Returns whether there was something to remove.
        """


@dataclass(frozen=True)
class FileChange:
    """A file for the diff. ``before`` and ``after`` are its text if it is short and not secret, else a description."""

    path: str
    before: str = ""
    after: str = ""

    def to_diff(self) -> dict[str, str]:
        """The change as Ansible shows it."""
        texts = [f"{text}\n" if text and not text.endswith("\n") else text for text in (self.before, self.after)]
        return {"before_header": self.path, "after_header": self.path, "before": texts[0], "after": texts[1]}


@runtime_checkable
class FileStep(Step, Protocol):
    """A step that writes, replaces or removes files."""

    def changed_files(self) -> list[FileChange]:
        """The files that the step changes."""


@dataclass(frozen=True)
class StepsPlan:
    """Steps in order, and the module's result ``after`` them. What only the real run can know is None there."""

    steps: tuple[Step, ...]
    after: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    subject: str = ""
