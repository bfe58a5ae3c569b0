# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of /boot: what prevents making, restoring and removing one. Pure; private to this collection.

A backup is an auxiliary LV, outside of every snapset. Its filesystem contains copies of the files and a manifest.

The package ``_boot_backup`` knows how boot filesystems are saved on an LV and restored from it. It must not know boot
entries or rollback timers.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._names import generated_names
from .._paths import BOOT_MOUNTPOINTS
from .._snapset.context import host_problems
from .._snapset.coverage import boot_mounts
from .._snapset.foreign import foreign_problems
from .._snapset.instances import instances
from .._snapset.tags import BootTags
from .._snapset.volumes import ROOM_FOR_ENTRY, plan_volume

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .._boot_files.tree import Tree
    from .._snapset.context import SnapsetContext
    from .._snapset.volumes import NewVolume

# Of the ext4 filesystem of a backup. mkfs.ext4 makes smaller blocks only on a small device.
_BLOCK = 4096
_RESTORABLE_STATES = ("active", "partly_merged", "merge_pending", "merging")
_ROLLBACK_STATES = ("partly_merged", "merge_pending", "merging", "merge_failed")


@dataclass(frozen=True)
class NewBackup:
    """A backup to be made: its LV, the number of inodes of its filesystem, and its tags."""

    place: NewVolume
    inodes: int
    tags: BootTags


def undo_problems(context: SnapsetContext) -> Iterator[str]:
    """Yield what prevents undoing a restoration."""
    yield from host_problems(context)
    if context.instance is not None and context.set_state in _ROLLBACK_STATES:
        yield f"the snapset is being rolled back (state {context.set_state}): finish the rollback first"


def present_problems(context: SnapsetContext, ignore: Collection[str] = ()) -> Iterator[str]:
    """Yield what prevents the state ``present``: making a backup without ``ignore``, or keeping the existing one."""
    problems = [*undo_problems(context)]
    yield from problems
    if not problems and context.is_taken and context.bound is None:
        yield (
            "the snapset already exists, without a backup of /boot, and a backup made now would not match it: remove "
            "the snapset (safepoint.lvm.commit), then save /boot and take the snapset again"
        )
    if not boot_mounts(context.host_state, ignore):
        yield (
            f"there is nothing to save: none of {', '.join(BOOT_MOUNTPOINTS)} is a separate filesystem, so the boot "
            "files are on / and roll back with it"
        )


def plan_new(context: SnapsetContext, trees: Sequence[Tree], vg: str | None) -> NewBackup:
    """Plan a new backup of ``trees``, in ``vg`` or, if that is None, in the VG of /. Raises Refused."""
    place = plan_volume(
        context.host_state,
        f"the backup of /boot for {context.name}",
        names=generated_names("safepoint_boot", context.name),
        vg=vg,
        needed=sum(entry.room(_BLOCK) + ROOM_FOR_ENTRY for tree in trees for entry in tree.entries.values()),
        going=[backup.volume for backup in context.backups],
    )
    return NewBackup(
        place=place,
        inodes=sum(len(tree.entries) for tree in trees) + 64,
        tags=BootTags(
            set_name=context.name,
            set_id=uuid.uuid4().hex,
            taken=context.host_state.host.now,
            vg=place.vg_uuid,
            host=context.host_state.host.host_id,
        ),
    )


def restore_problems(context: SnapsetContext) -> Iterator[str]:
    """Yield what prevents restoring /boot."""
    yield from host_problems(context)
    if context.instance is None:
        names = sorted({instance.name for instance in instances(context.host_state)})
        yield f"snapset {context.name} does not exist: {'use one of ' + ', '.join(names) if names else 'there is none'}"
        yield from foreign_problems(context.host_state, context.name)
    elif context.bound is None:
        complete = [one for one in context.backups if one.tags.manifest]
        yield (
            f"the backup was not made for this snapset, but for an earlier or later one named {context.name}"
            if complete
            else "no complete backup of /boot exists for this snapset"
        )
    elif context.set_state not in (*_RESTORABLE_STATES, "rolled_back"):
        yield f"the snapset is {context.set_state} and cannot be rolled back, and /boot must not be restored without it"


def is_rolled_back(context: SnapsetContext) -> bool:
    """Whether the rest of the host has been rolled back, so that no file of the change is needed any more."""
    return context.set_state == "rolled_back"


def removal_problems(context: SnapsetContext) -> Iterator[str]:
    """Yield what prevents removing the backups."""
    yield from host_problems(context)
    if context.set_state in _ROLLBACK_STATES:
        yield (
            f"the snapset is being rolled back (state {context.set_state}), and the rollback still needs the backup: "
            "finish the rollback first"
        )
    for backup in context.backups:
        if backup.volume.open:
            yield f"{backup.volume.full_name} is in use: unmount it (findmnt /dev/{backup.volume.full_name})"
