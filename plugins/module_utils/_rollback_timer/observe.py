# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read all that the plans for a rollback timer depend on. Private to this collection."""

from __future__ import annotations

import functools
import secrets
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._boot_files.manifest import read_manifest
from .._errors import FilesFailed
from .._host.boot import list_each_initramfs, read_boot
from .._host.crypt import read_locks
from .._host.filesystem import NEEDED_TOOLS, mounted
from .._host.mounts import persistent_names
from .._host.process import missing_tools, run_tool
from .._host.reading import read
from .._paths import SYSTEMD
from .._snapset.coverage import boot_mounts
from .._snapset.volumes import ROOM_FOR_ENTRY
from .observed import TimerObserved
from .running import UNITS, is_active, read_status, runs
from .script import PLACES
from .timers import unit_name
from .toolbox import TOOLS, toolbox

if TYPE_CHECKING:
    from .._boot_files.tree import Tree
    from .._snapset.context import SnapsetContext

_PARTS = 1 << 32


def observe(context: SnapsetContext) -> TimerObserved:
    """Return the snapset, its timers and the state of their unit."""
    name = context.name
    has_unit = (UNITS / unit_name(name)).exists() or is_active(name)
    return TimerObserved(context, has_unit=has_unit, runs=runs(name), status=read_status(name))


def observe_for_arming(observed: TimerObserved) -> TimerObserved:
    """Return ``observed`` with everything else that arming depends on. Raises FilesFailed, Refused, OSError."""
    observed = replace(
        observed,
        drawn=secrets.randbelow(_PARTS) / _PARTS,
        serial=str(uuid.uuid4()),
        target=_default_target(),
        machine=read(PLACES["MACHINE"]).strip(),
        systemd=SYSTEMD.is_dir(),
    )
    # A running timer has everything else.
    return observed if observed.watching else _with_files(observed)


def _with_files(observed: TimerObserved) -> TimerObserved:
    context = observed.context
    # It takes seconds, and may be needed twice or not at all.
    listings = functools.cache(list_each_initramfs)
    host = replace(context.host_state.host, locks=read_locks(context.host_state.host, listings))
    missing = tuple(missing_tools((*NEEDED_TOOLS, "ldd", "systemctl", *TOOLS)))
    backup = observed.context.bound
    saved: tuple[Tree, ...] = ()
    if backup is not None and backup.volume.active:
        with mounted(backup.device) as mountpoint:
            saved = read_manifest(mountpoint, backup.tags.manifest).trees
    return replace(
        observed,
        context=replace(context, host_state=replace(context.host_state, host=host)),
        missing_tools=missing,
        tools_size=0 if missing else sum(Path(one).stat().st_size + ROOM_FOR_ENTRY for one, _target in toolbox()),
        initramfs=read_boot(listings).initramfs if observed.needed_filesystems else (),
        saved=saved,
        devices={one.mountpoint: persistent_names(one.source) for one in boot_mounts(observed.host_state)}
        if saved
        else {},
    )


def _default_target() -> str:
    """Return the target that the host boots to, or an empty text if it is not active now."""
    try:
        target = run_tool("systemctl", "get-default").strip()
        run_tool("systemctl", "is-active", "--quiet", target)
    except FilesFailed:
        return ""
    return target
