# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read all that the plans for a backup of /boot depend on. Private to this collection."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._boot_files.firmware import Firmware, is_recorded
from .._boot_files.manifest import read_manifest
from .._boot_files.scan import scan
from .._boot_files.tree import Manifest, workspace
from .._host.crypt import kernels_with_keys
from .._host.efi import read_variables
from .._host.filesystem import NEEDED_TOOLS, free_bytes, mounted
from .._host.hold import HOLD_TOOLS, holder_of
from .._host.process import missing_tools
from .._paths import BOOT_MOUNTPOINTS
from .._snapset.coverage import boot_mounts
from .._snapset.volumes import is_encrypted
from .observed import BootObserved, Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model import HostState
    from .._snapset.context import BootBackup, SnapsetContext
    from .observed import BackupRequest


def observe(context: SnapsetContext, entries: Sequence[str], *, state: str, request: BackupRequest) -> BootObserved:
    """Return all that the plan for ``state`` depends on; ``entries`` are the names of snapsets with a boot entry.

    What a backup has is restored in any case, whatever the ``request`` is. Raises FilesFailed, Refused, OSError.
    """
    restoring = {backup.tags.set_id: _restoring(backup) for backup in context.backups}
    observed = BootObserved(
        context,
        restoring=restoring,
        held={one: holder for one in BOOT_MOUNTPOINTS if (holder := holder_of(one))},
        entries=tuple(entries),
        request=request,
    )
    backup = _read_from(context, state)
    if (
        request.only_undo
        or state == "absent"
        or (state == "present" and context.bound is not None and context.is_taken)
    ):
        return observed
    if state == "restored" and backup is None:
        return observed
    mounts = boot_mounts(context.host_state, request.ignore if state == "present" else ())
    return replace(
        observed,
        present=tuple(scan(Path(one.mountpoint), mountpoint=one.mountpoint, fstype=one.fstype) for one in mounts),
        saved=Manifest() if backup is None else _saved(backup),
        firmware=Firmware(read_variables(is_recorded)),
        rooms={one.mountpoint: _room(one.mountpoint) for one in mounts},
        missing_tools=tuple(missing_tools((*NEEDED_TOOLS, *HOLD_TOOLS))),
        machine=os.uname().machine,
        keys=kernels_with_keys() if state == "present" and _can_leak(context.host_state) else (),
    )


def _can_leak(host_state: HostState) -> bool:
    """Whether the host opens encrypted devices, and has a VG that is not encrypted."""
    opens = host_state.host.encrypted_below([*host_state.host.devices])
    return bool(opens) and not all(is_encrypted(host_state, group.name) for group in host_state.volume_groups)


def _read_from(context: SnapsetContext, state: str) -> BootBackup | None:
    """Return the backup whose content the plan depends on, or None."""
    backup = context.unbound if state == "present" else context.bound
    if backup is None or not backup.volume.active or (state == "restored" and backup.state == "restored"):
        return None
    return backup


def _saved(backup: BootBackup) -> Manifest:
    with mounted(backup.device) as mountpoint:
        return read_manifest(mountpoint, backup.tags.manifest)


def _room(mountpoint: str) -> Room:
    status = os.statvfs(mountpoint)
    return Room(free_bytes(status), bool(status.f_flag & os.ST_RDONLY), status.f_frsize)


def _restoring(backup: BootBackup) -> tuple[str, ...]:
    # The ESP may be mounted below /boot, so the deeper mountpoint comes first.
    mountpoints = sorted(BOOT_MOUNTPOINTS, reverse=True)
    return tuple(one for one in mountpoints if workspace(one, backup.tags.set_id).is_dir())
