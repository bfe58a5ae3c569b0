# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a rollback timer depend on: the set, its timers, systemd, tools, backup. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .timers import timers_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_files.tree import Tree
    from .._model import HostState, Initramfs
    from .._snapset.context import SnapsetContext
    from .timers import Timer


@dataclass(frozen=True)
class TimerObserved:
    """What is there of a set and of its timers.

    ``has_unit`` says whether systemd knows the unit, ``running`` whether the program watches. What is needed to arm a
    timer is only looked at when one is to be armed: ``tools_size`` in bytes with their directory entries, ``initramfs``
    where / has another filesystem than the timer, ``saved`` from the backup of /boot, ``devices`` by mountpoint.
    """

    now: SnapsetContext
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
        """LVM, and the host around it."""
        return self.now.host_state

    @property
    def timers(self) -> list[Timer]:
        """The timers of the set, the youngest last."""
        return [timer for timer in timers_in(self.host_state) if timer.tags.set_name == self.now.name]

    def is_wanted(self, after: int, boots: int) -> bool:
        """Whether a timer is just what is asked for, and runs."""
        wanted = (self.now.set_id, after, boots)
        same = any(
            (one.tags.set_id, one.tags.after, one.tags.boots) == wanted and one.state == "armed" for one in self.timers
        )
        return same and self.running and self.now.instance is not None
