# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that write or remove the initramfs hook, and build an initramfs again. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._host.files import sync_directory, write_atomically
from .._paths import INITRAMFS_SCRIPT
from .._steps import FileChange, HostStep
from .program import PROGRAM
from .script import WANTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._steps import Runner
    from .script import Script

BUILDER = "update-initramfs"
# initramfs-tools runs every file in the directory of the script, so a temporary file must not be there.
_TEMPORARY = INITRAMFS_SCRIPT.parents[2]


@dataclass(frozen=True)
class WriteScript(HostStep):
    """Write the script where initramfs-tools reads it, in the place of ``former``."""

    former: Script | None

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "write_script", **WANTED.to_result()}

    def changed_files(self) -> list[FileChange]:
        """The script before and after, for the diff."""
        return [_change(self.former, WANTED)]

    def carry_out(self, _runner: Runner) -> None:
        """Write it at once, so that it is never incomplete. Raises OSError."""
        INITRAMFS_SCRIPT.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(INITRAMFS_SCRIPT, PROGRAM, mode=WANTED.mode, directory=_TEMPORARY)


@dataclass(frozen=True)
class RemoveScript(HostStep):
    """Remove the script ``former``."""

    former: Script

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove_script", "path": str(INITRAMFS_SCRIPT)}

    def changed_files(self) -> list[FileChange]:
        """The script before, for the diff."""
        return [_change(self.former, None)]

    def carry_out(self, _runner: Runner) -> None:
        """Remove it. Raises OSError."""
        INITRAMFS_SCRIPT.unlink(missing_ok=True)
        sync_directory(INITRAMFS_SCRIPT.parent)


@dataclass(frozen=True)
class Build(HostStep):
    """Build the initramfs of a kernel again."""

    kernel: str
    path: str

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "build_initramfs", "kernel": self.kernel, "path": self.path}

    @property
    def command(self) -> tuple[str, ...]:
        """The command that builds it (update-initramfs(8))."""
        return BUILDER, "-u", "-k", self.kernel

    def carry_out(self, runner: Runner) -> None:
        """Build it. Raises FilesFailed."""
        runner.run_program(*self.command)


def _change(before: Script | None, after: Script | None) -> FileChange:
    texts = [script.to_description() if script else "" for script in (before, after)]
    return FileChange(str(INITRAMFS_SCRIPT), *texts)
