# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of /boot: what stands against making, using and removing one. Pure; private to this collection.

A backup is an auxiliary LV, outside every snapset, with a filesystem that holds copies and a manifest.

The package ``_boot_backup`` knows how boot filesystems are saved on an LV and brought back. It must not know boot
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
from .._snapset.instances import instances
from .._snapset.tags import BootTags
from .._snapset.volumes import ROOM_FOR_ENTRY, plan_volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._boot_files.tree import Tree
    from .._snapset.context import SnapsetContext
    from .._snapset.volumes import NewVolume

_STAGE_ONE = ("active", "partly_merged", "merge_pending", "merging")
_GOES_BACK = ("partly_merged", "merge_pending", "merging", "merge_failed")


@dataclass(frozen=True)
class NewBackup:
    """A backup that is to be made, with ``inodes`` entries."""

    place: NewVolume
    inodes: int
    tags: BootTags


def keep_problems(now: SnapsetContext) -> Iterator[str]:
    """What stands against making a backup, or against keeping the one that is there."""
    yield from host_problems(now)
    if now.instance is not None and now.set_state in _GOES_BACK:
        yield f"the set is being rolled back (state {now.set_state}): finish that first"
    elif now.is_taken and now.bound is None:
        yield (
            "the set exists and was taken without a backup of /boot; one that is made now would be of another moment: "
            "let go of the set (safepoint.lvm.commit), then take both"
        )
    if not boot_mounts(now.host_state):
        yield (
            f"none of {', '.join(BOOT_MOUNTPOINTS)} is a filesystem of its own: what boots this host lies on / and "
            "goes back with it"
        )


def plan_new(now: SnapsetContext, trees: Sequence[Tree], vg: str | None) -> NewBackup:
    """The backup of ``trees`` that is to be made, in ``vg`` or else in the VG of /. Raises Refused."""
    place = plan_volume(
        now.host_state,
        f"the backup of /boot for {now.name}",
        names=generated_names("safepoint_boot", now.name),
        vg=vg,
        needed=sum(entry.room + ROOM_FOR_ENTRY for tree in trees for entry in tree.entries.values()),
        going=[backup.volume for backup in now.backups],
    )
    return NewBackup(
        place=place,
        inodes=sum(len(tree.entries) for tree in trees) + 64,
        tags=BootTags(set_name=now.name, set_id=uuid.uuid4().hex, taken=now.host_state.host.now, vg=place.vg_uuid),
    )


def restore_problems(now: SnapsetContext) -> Iterator[str]:
    """What stands against bringing /boot back."""
    yield from host_problems(now)
    if now.instance is None:
        known = sorted({instance.name for instance in instances(now.host_state)})
        yield f"there is no such set; {'these exist: ' + ', '.join(known) if known else 'there is none'}"
    elif now.bound is None:
        whole = [one for one in now.backups if one.tags.manifest]
        yield "its backup belongs to another taking" if whole else "there is no whole backup of /boot for it"
    elif now.set_state not in (*_STAGE_ONE, "rolled_back"):
        yield f"the set is {now.set_state} and cannot go back, and /boot must not go back alone"


def is_final(now: SnapsetContext) -> bool:
    """Whether the rest of the host is back, so that nothing of the change is needed any more."""
    return now.set_state == "rolled_back"


def removal_problems(now: SnapsetContext) -> Iterator[str]:
    """What stands against removing the backups."""
    yield from host_problems(now)
    if now.set_state in _GOES_BACK:
        yield f"the set is being rolled back (state {now.set_state}), and /boot goes back with it: finish that first"
    for backup in now.backups:
        if backup.volume.open:
            yield f"{backup.volume.full_name} is in use: unmount it (findmnt /dev/{backup.volume.full_name})"
