# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the boot filesystems are still as a backup has them, when the snapset is created. Private.

The backup is made first. What changed /boot afterwards, for example the upgrade of a kernel, may be in the snapshot of
/ and not in the backup, or the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_files.difference import changes_since
from .._boot_files.firmware import Firmware, is_recorded
from .._boot_files.manifest import read_manifest
from .._boot_files.scan import scan
from .._boot_files.tree import digest_of
from .._errors import FilesFailed
from .._host.efi import read_variables
from .._host.filesystem import mounted
from .._steps import HostStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._host_model import Mount
    from .._snapset.context import BootBackup
    from .._steps import Runner

_MOST_NAMES = 5


def boot_problems(backup: BootBackup, mounts: tuple[Mount, ...]) -> Iterator[str]:
    """Why ``backup`` cannot belong to a snapset that is created now. ``mounts`` are what boots the host.

    Raises FilesFailed, Refused, OSError.
    """
    trees = tuple(scan(Path(one.mountpoint), mountpoint=one.mountpoint, fstype=one.fstype) for one in mounts)
    firmware = Firmware(read_variables(is_recorded))
    if digest_of(trees, firmware) == backup.tags.manifest:
        return
    with mounted(backup.device) as mountpoint:
        saved = read_manifest(mountpoint, backup.tags.manifest)
    changes = list(changes_since(saved, trees, firmware))
    if changes:
        more = len(changes) - _MOST_NAMES
        names = ", ".join(changes[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        yield (
            f"what boots the host changed after it was saved ({names}): find out what changed it, for example a "
            "package manager, save it again (boot_backup), then run this again"
        )


@dataclass(frozen=True)
class CheckBoot(HostStep):
    """Check that ``mounts``, the boot filesystems, are still as ``backup`` has them."""

    backup: BootBackup
    mounts: tuple[Mount, ...]

    changes = False

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "check_boot", "mountpoints": [mount.mountpoint for mount in self.mounts]}

    def carry_out(self, _runner: Runner) -> None:
        """Read them again. Raises FilesFailed, Refused, OSError."""
        if problems := list(boot_problems(self.backup, self.mounts)):
            raise FilesFailed("; ".join(problems))
