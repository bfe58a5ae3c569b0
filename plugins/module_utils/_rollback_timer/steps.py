# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rollback timer that are not LVM commands: its filesystem and its systemd unit. Private."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._steps import FileChange, HostStep
from .running import UNITS
from .service import start, stop, wait_for
from .timers import unit_name
from .volume import write_term, write_timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._steps import Runner


@dataclass(frozen=True)
class WriteTimer(HostStep):
    """Fill the LV of a timer. ``files`` and ``changing`` are texts by file name. ``uuid`` is for the filesystem.

    The program or the module changes the files in ``changing`` later.
    """

    volume: str
    device: str
    uuid: str
    files: Mapping[str, str]
    changing: Mapping[str, str]

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "write_timer", "volume": self.volume}

    def carry_out(self, runner: Runner) -> None:
        """Create and fill the filesystem, and let the program verify it. Raises FilesFailed, OSError."""
        write_timer(self.device, self.uuid, self.files, self.changing, lock=runner.lock)


@dataclass(frozen=True)
class SetTime(HostStep):
    """Give a timer whose program is running another request: the text ``term``, which begins with ``serial``."""

    name: str
    volume: str
    device: str
    serial: str
    term: str

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "set_time", "volume": self.volume}

    def carry_out(self, _runner: Runner) -> None:
        """Replace the request, and wait until the program counts by it. Raises FilesFailed, OSError."""
        write_term(self.device, self.term)
        wait_for(self.name, self.serial)


@dataclass(frozen=True)
class StartUnit(HostStep):
    """Make systemd run the unit of a timer, with this ``text``, now and at every boot.

    ``serial`` is that of the request that the program must count by.
    """

    name: str
    text: str
    serial: str

    @property
    def makes(self) -> str:
        """What the step creates, for messages."""
        return unit_name(self.name)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "start_timer", "unit": unit_name(self.name)}

    def changed_files(self) -> list[FileChange]:
        """The file of the unit, for the diff."""
        return [FileChange(str(Path(UNITS) / unit_name(self.name)), after=self.text)]

    def carry_out(self, _runner: Runner) -> None:
        """Start the unit and wait until its program is watching. Raises FilesFailed, OSError."""
        start(self.name, self.text, self.serial)

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
