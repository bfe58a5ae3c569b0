# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a rollback timer depend on, as a value. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .timers import timers_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_files.tree import Tree
    from .._host_model import Initramfs
    from .._model import HostState
    from .._snapset.context import SnapsetContext
    from .timers import Timer


@dataclass(frozen=True)
class TimerObserved:
    """The snapset, its timers, and the host as far as the timer needs it.

    ``has_unit`` says whether the unit exists, ``running`` whether its program is watching. The other values are read
    only before arming: ``systemd`` says whether systemd booted the host, ``missing_tools`` are missing programs,
    ``tools_size`` is the size of the toolbox in bytes, ``initramfs`` is empty if / has the same type of filesystem as
    the timer, ``saved`` is the content of the backup of /boot, ``devices`` are the boot devices by mountpoint.
    """

    context: SnapsetContext
    has_unit: bool
    running: bool
    systemd: bool = True
    missing_tools: tuple[str, ...] = ()
    tools_size: int = 0
    initramfs: tuple[Initramfs, ...] = ()
    saved: tuple[Tree, ...] = ()
    devices: Mapping[str, str] = field(default_factory=dict)

    @property
    def host_state(self) -> HostState:
        """The state of LVM and of the host."""
        return self.context.host_state

    @property
    def timers(self) -> list[Timer]:
        """The timers of the snapset, the newest last."""
        return [timer for timer in timers_in(self.host_state) if timer.tags.set_name == self.context.name]

    def is_current(self, after: int, boots: int) -> bool:
        """Whether a running timer already has these parameters: ``after`` in seconds, ``boots`` failed boots."""
        requested = (self.context.set_id, after, boots)
        same = any(
            (one.tags.set_id, one.tags.after, one.tags.boots) == requested and one.state == "armed"
            for one in self.timers
        )
        return same and self.running and self.context.instance is not None
