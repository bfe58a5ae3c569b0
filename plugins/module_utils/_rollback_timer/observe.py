# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read all that the plans for a rollback timer depend on. Private to this collection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._boot_files.manifest import read_manifest
from .._host.boot import read_boot
from .._host.filesystem import NEEDED_TOOLS, mounted
from .._host.mounts import persistent_name
from .._host.process import missing_tools
from .._settings import FILESYSTEM
from .._snapset.coverage import boot_mounts
from .._snapset.volumes import ROOM_FOR_ENTRY
from .observed import TimerObserved
from .running import SYSTEMD, UNITS, is_active, is_running
from .timers import unit_name
from .toolbox import TOOLS, toolbox

if TYPE_CHECKING:
    from .._boot_files.tree import Tree
    from .._snapset.context import SnapsetContext


def observe(context: SnapsetContext) -> TimerObserved:
    """Return the snapset, its timers and the state of their unit."""
    active = is_active(context.name)
    unit = (UNITS / unit_name(context.name)).exists()
    return TimerObserved(context, has_unit=unit or active, running=is_running(context.name))


def observe_for_arming(observed: TimerObserved) -> TimerObserved:
    """Return ``observed`` with everything else that arming depends on. Raises FilesFailed, Refused, OSError."""
    missing = tuple(missing_tools((*NEEDED_TOOLS, "ldd", "systemctl", *TOOLS)))
    root = observed.host_state.host.mount_at("/")
    backup = observed.context.bound
    saved: tuple[Tree, ...] = ()
    if backup is not None and backup.volume.active:
        with mounted(backup.device) as mountpoint:
            saved = read_manifest(mountpoint, backup.tags.manifest).trees
    return replace(
        observed,
        systemd=SYSTEMD.is_dir(),
        missing_tools=missing,
        tools_size=0 if missing else sum(Path(one).stat().st_size + ROOM_FOR_ENTRY for one, _target in toolbox()),
        # Every initramfs has the kernel module for the filesystem of /. If the timer uses the same one, skip this.
        initramfs=() if root is not None and root.fstype == FILESYSTEM else read_boot().initramfs,
        saved=saved,
        devices={one.mountpoint: persistent_name(one.source) for one in boot_mounts(observed.host_state)}
        if saved
        else {},
    )
