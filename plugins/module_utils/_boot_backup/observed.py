# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a backup of /boot depend on, as a value. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._boot_files.firmware import Firmware
from .._boot_files.tree import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_files.tree import Tree
    from .._model import HostState
    from .._snapset.context import BootBackup, SnapsetContext


@dataclass(frozen=True)
class Room:
    """The free space of a filesystem in bytes, the size of its blocks, and whether it is mounted read-only."""

    free: int
    read_only: bool
    block: int = 4096


@dataclass(frozen=True)
class BackupRequest:
    """What a user requests for the state ``present``.

    ``ignore`` are the mountpoints that a new backup leaves out. ``allow_unencrypted`` allows one with secrets in a VG
    that is not encrypted. With ``only_undo`` none is made.
    """

    ignore: tuple[str, ...] = ()
    allow_unencrypted: bool = False
    only_undo: bool = False


@dataclass(frozen=True)
class BootObserved:
    """The snapset, its backups, and the boot filesystems of the host.

    ``present`` is the current content of the boot filesystems, ``saved`` the content of the backup that the plan uses,
    ``firmware`` what the firmware keeps about booting now. They are empty if the plan does not depend on them.
    ``rooms`` has the free space by mountpoint. ``restoring`` has, by backup ID, the mountpoints on which a restoration
    has started. ``held`` has, by mountpoint, the backup ID for which it is kept read-only. ``entries`` are the names of
    the snapsets that have an entry in the boot menu.
    ``machine`` is the architecture of the host (uname(2)). ``keys`` are the kernels whose initramfs contains key files,
    read only if there is a VG that is not encrypted. ``request`` is what the user has requested for a new backup.
    """

    context: SnapsetContext
    present: tuple[Tree, ...] = ()
    saved: Manifest = field(default_factory=Manifest)
    firmware: Firmware = field(default_factory=Firmware)
    rooms: Mapping[str, Room] | None = None
    restoring: Mapping[str, tuple[str, ...]] | None = None
    held: Mapping[str, str] = field(default_factory=dict)
    missing_tools: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    machine: str = ""
    keys: tuple[str, ...] = ()
    request: BackupRequest = BackupRequest()

    @property
    def host_state(self) -> HostState:
        """The state of LVM and of the host."""
        return self.context.host_state

    def restoring_of(self, backup: BootBackup) -> tuple[str, ...]:
        """Return the mountpoints on which a restoration from ``backup`` has started, deeper ones first."""
        return (self.restoring or {}).get(backup.tags.set_id, ())

    def held_for(self, backup: BootBackup) -> tuple[str, ...]:
        """Return the mountpoints that are kept read-only because ``backup`` was restored."""
        return tuple(mountpoint for mountpoint, holder in self.held.items() if holder == backup.tags.set_id)
