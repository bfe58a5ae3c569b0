# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a rollback timer depend on, as a value. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._paths import BOOT_MOUNTPOINTS
from .._settings import FILESYSTEM
from .._snapset.timers import timers_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_files.tree import Tree
    from .._host_model import Initramfs
    from .._model import HostState
    from .._snapset.context import SnapsetContext
    from .._snapset.timers import Timer
    from .timers import TimerStatus

# Kernels mount older versions of ext4 with its driver (CONFIG_EXT4_USE_FOR_EXT2).
_DRIVERS = {"ext2": "ext4", "ext3": "ext4"}


@dataclass(frozen=True)
class TimerRequest:
    """What a user requests, in seconds. ``boots`` is how many failed boots trigger the rollback, 0 for none.

    With ``restart`` the time counts from now on even if a running timer has the same values. ``allow_passphrase`` arms
    it even if the reboot needs a person.
    """

    after: int
    spread: int
    boots: int
    vg: str | None = None
    restart: bool = False
    allow_passphrase: bool = False


@dataclass(frozen=True)
class TimerObserved:
    """The snapset, its timers, and the host as far as the timer needs it.

    ``has_unit`` says whether the unit exists, ``runs`` whether systemd runs it and will start it at the next boot,
    ``status`` what its program says. The other values are read only before arming: ``drawn`` is a random number from 0
    to 1 and ``serial`` a random UUID, ``target`` is the default target of systemd if it is active, else empty,
    ``machine`` the DMI product UUID if there is one, ``systemd`` says whether systemd booted the host,
    ``missing_tools`` are missing programs, ``tools_size`` is the size of the toolbox in bytes, ``initramfs`` is empty
    if it does not matter, ``saved`` is the content of the backup of /boot, ``devices`` are two names of each boot
    device by mountpoint.
    """

    context: SnapsetContext
    has_unit: bool
    runs: bool
    status: TimerStatus | None = None
    drawn: float = 0
    serial: str = ""
    target: str = ""
    machine: str = ""
    systemd: bool = True
    missing_tools: tuple[str, ...] = ()
    tools_size: int = 0
    initramfs: tuple[Initramfs, ...] = ()
    saved: tuple[Tree, ...] = ()
    devices: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def host_state(self) -> HostState:
        """The state of LVM and of the host."""
        return self.context.host_state

    @property
    def timers(self) -> list[Timer]:
        """The timers of the snapset, the newest last."""
        return [timer for timer in timers_in(self.host_state) if timer.tags.set_name == self.context.name]

    @property
    def needed_filesystems(self) -> list[str]:
        """The types of the filesystems that the program mounts, except that of /, which every initramfs has.

        The change may break the modules on /. An ESP that cannot be mounted does not prevent the rollback.
        """
        mounts = self.host_state.host.mount_at("/"), self.host_state.host.mount_at(BOOT_MOUNTPOINTS[0])
        root, boot = (_DRIVERS.get(mount.fstype, mount.fstype) if mount else "" for mount in mounts)
        needed = {FILESYSTEM, boot if self.context.bound else ""}
        return sorted(needed - {root, ""})

    @property
    def watching(self) -> Timer | None:
        """The timer of this snapset whose program runs; None if there is none, or if there are several."""
        mine = [one for one in self.timers if one.state == "armed" and one.tags.set_id == self.context.set_id]
        is_watched = self.runs and self.status is not None and self.context.instance is not None
        return mine[0] if is_watched and len(mine) == len(self.timers) == 1 else None

    def is_current(self, request: TimerRequest) -> bool:
        """Whether a running timer already has what is requested."""
        found, status = self.watching, self.status
        if found is None or status is None or request.restart or status.phase not in ("watching", "postponed"):
            return False
        requested = (request.after, request.spread, request.boots)
        recorded = (found.tags.after, found.tags.spread, found.tags.boots)
        return requested == recorded == (status.after, status.spread, status.boots)
