# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a backup of /boot depend on: the set, its backups, the boot filesystems. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_files.tree import Tree
    from .._model import HostState
    from .._snapset.context import BootBackup, SnapsetContext


@dataclass(frozen=True)
class Room:
    """What can be written to a filesystem: ``free`` bytes, unless it is ``read_only``."""

    free: int
    read_only: bool


@dataclass(frozen=True)
class BootObserved:
    """What is there of a set, of its backups, and on the boot filesystems of the host.

    ``present`` is what the boot filesystems hold now, and ``kept`` what the backup that counts holds; both are empty
    where no plan depends on them. ``restoring`` are the mountpoints on which a restoration has begun, by the backup's
    id. ``entries`` are the names of sets that have an entry in the boot menu.
    """

    now: SnapsetContext
    present: tuple[Tree, ...] = ()
    kept: tuple[Tree, ...] = ()
    rooms: Mapping[str, Room] | None = None
    restoring: Mapping[str, tuple[str, ...]] | None = None
    missing_tools: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()

    @property
    def host_state(self) -> HostState:
        """LVM, and the host around it."""
        return self.now.host_state

    def restoring_of(self, backup: BootBackup) -> tuple[str, ...]:
        """The mountpoints on which a restoration from ``backup`` has begun, the deeper first."""
        return (self.restoring or {}).get(backup.tags.set_id, ())
