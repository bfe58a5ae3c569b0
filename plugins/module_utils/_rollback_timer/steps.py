# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rollback timer that are not LVM commands: its filesystem and its systemd unit. Private."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._steps import FileChange, HostStep
from .running import UNITS
from .timers import unit_name
from .unit import start, stop, unit
from .volume import write_timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._steps import Runner


@dataclass(frozen=True)
class WriteTimer(HostStep):
    """Fill the LV of a timer. ``files`` and ``changing`` are texts by file name.

    The program itself changes the files in ``changing``.
    """

    volume: str
    device: str
    files: Mapping[str, str]
    changing: Mapping[str, str]

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "write_timer", "volume": self.volume}

    def carry_out(self, _runner: Runner) -> None:
        """Create and fill the filesystem, and let the program verify it. Raises FilesFailed, OSError."""
        write_timer(self.device, self.files, self.changing)


@dataclass(frozen=True)
class StartUnit(HostStep):
    """Make systemd run the timer on ``device`` now and at every boot. ``deadline`` is in seconds since the epoch."""

    name: str
    deadline: int
    device: str

    @property
    def makes(self) -> str:
        """What the step creates, for messages."""
        return unit_name(self.name)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "start_timer", "unit": unit_name(self.name)}

    def changed_files(self) -> list[FileChange]:
        """The file of the unit, for the diff."""
        return [FileChange(_path(self.name), after=unit(self.name, self.deadline, self.device))]

    def carry_out(self, _runner: Runner) -> None:
        """Start the unit and wait until its program is watching. Raises FilesFailed, OSError."""
        start(self.name, self.deadline, self.device)

    def undo(self, _runner: Runner) -> bool:
        """Stop the unit and remove its file. Raises FilesFailed, OSError."""
        stop(self.name)
        return True


@dataclass(frozen=True)
class StopUnit(HostStep):
    """Stop the program of a timer, and remove its unit."""

    name: str

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "stop_timer", "unit": unit_name(self.name)}

    def carry_out(self, _runner: Runner) -> None:
        """Stop and remove the unit. Raises FilesFailed, OSError."""
        stop(self.name)


def _path(name: str) -> str:
    return str(Path(UNITS) / unit_name(name))
