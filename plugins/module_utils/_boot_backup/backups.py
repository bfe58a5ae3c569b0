# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of /boot: how they are told by tags, and what stands against making, using and removing one. Pure; private.

A backup is an LV of its own, outside every snapset, with a filesystem that holds copies and a manifest.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._snapset import tags as _tags
from .._model import BOOT_MOUNTPOINTS
from .._names import generated_names
from .._snapset.volumes import ROOM_FOR_ENTRY, NewVolume, plan_volume
from .._snapset.checks import (
    doubts_about,
    kernel_problems,
    look_problems,
    udev_problems,
)
from .._snapset.state import Taking, named, takings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._boot_files.tree import Tree
    from .._model import Mount, Picture, Volume

BackupState = Literal["incomplete", "present", "restored"]

_STAGE_ONE = ("active", "partly_merged", "merge_pending", "merging")
_GOES_BACK = ("partly_merged", "merge_pending", "merging", "merge_failed")


@dataclass(frozen=True)
class BootBackup:
    """A backup, by the LV that holds it and by its tags."""

    volume: Volume
    tags: _tags.BootTags

    @property
    def state(self) -> BackupState:
        """What it is good for."""
        if not self.tags.manifest:
            return "incomplete"
        return "restored" if self.tags.restored else "present"


def backups_in(picture: Picture) -> tuple[BootBackup, ...]:
    """The backups on the host, the youngest last."""
    found = [BootBackup(one, tags) for one in picture.volumes if (tags := _tags.parse_boot(one.tags)) is not None]
    return tuple(sorted(found, key=lambda backup: backup.tags.taken))


def backup_view(backup: BootBackup) -> dict[str, Any]:
    """A backup as results show it."""
    return {
        "name": backup.tags.set_name,
        "id": backup.tags.set_id,
        "state": backup.state,
        "vg": backup.volume.vg,
        "volume": backup.volume.name,
        "size": backup.volume.size,
    }


@dataclass(frozen=True)
class Situation:
    """What is there of a set and of its backups."""

    picture: Picture
    name: str
    taking: Taking | None
    backups: tuple[BootBackup, ...]

    @property
    def set_state(self) -> str:
        """The state of the set."""
        return self.taking.state if self.taking else "absent"

    @property
    def bound(self) -> BootBackup | None:
        """The whole backup that belongs to the set as it is."""
        wanted = self.taking.set_id if self.taking else None
        return next((one for one in self.backups if one.tags.set_id == wanted and one.tags.manifest), None)

    @property
    def unbound(self) -> BootBackup | None:
        """The whole backup that was made for a set which is yet to be taken; the youngest."""
        taken = {taking.set_id for taking in takings(self.picture)}
        return next((one for one in reversed(self.backups) if one.tags.manifest and one.tags.set_id not in taken), None)

    @property
    def is_taken(self) -> bool:
        """Whether the set exists, whole or on its way back."""
        return bool(self.taking and self.taking.live and self.taking.sealed) or self.set_state == "merging"


def situation(picture: Picture, name: str) -> Situation:
    """What ``picture`` has of the set ``name`` and of its backups."""
    backups = tuple(backup for backup in backups_in(picture) if backup.tags.set_name == name)
    return Situation(picture, name, named(takings(picture), name).current, backups)


def boot_mounts(picture: Picture) -> tuple[Mount, ...]:
    """The filesystems that boot the host and do not go back with /."""
    mounts = {mount.mountpoint: mount for mount in picture.host.mounts if mount.mountpoint in BOOT_MOUNTPOINTS}
    return tuple(mounts[mountpoint] for mountpoint in sorted(mounts))


@dataclass(frozen=True)
class NewBackup:
    """A backup that is to be made, with ``inodes`` entries."""

    place: NewVolume
    inodes: int
    tags: _tags.BootTags


def cannot_keep(now: Situation) -> Iterator[str]:
    """What stands against making a backup, or against keeping the one that is there."""
    yield from host_problems(now)
    if now.taking is not None and now.set_state in _GOES_BACK:
        yield f"the set is being rolled back (state {now.set_state}): finish that first"
    elif now.is_taken and now.bound is None:
        yield (
            "the set exists and was taken without a backup of /boot; one that is made now would be of another moment: "
            "let go of the set (safepoint.lvm.commit), then take both"
        )
    if not boot_mounts(now.picture):
        yield (
            f"none of {', '.join(BOOT_MOUNTPOINTS)} is a filesystem of its own: what boots this host lies on / and "
            "goes back with it"
        )


def host_problems(now: Situation) -> Iterator[str]:
    """What stands against any change of what is kept for the set."""
    yield from kernel_problems(now.picture)
    yield from look_problems(now.picture)
    yield from udev_problems(now.picture.host)
    yield from doubts_about(now.picture, now.name)


def plan_new(now: Situation, trees: Sequence[Tree], vg: str | None) -> NewBackup:
    """The backup of ``trees`` that is to be made, in ``vg`` or else in the VG of /. Raises Refused."""
    place = plan_volume(
        now.picture,
        f"the backup of /boot for {now.name}",
        names=generated_names("safepoint_boot", now.name),
        vg=vg,
        needed=sum(entry.room + ROOM_FOR_ENTRY for tree in trees for entry in tree.entries.values()),
        going=[backup.volume for backup in now.backups],
    )
    return NewBackup(
        place=place,
        inodes=sum(len(tree.entries) for tree in trees) + 64,
        tags=_tags.BootTags(set_name=now.name, set_id=uuid.uuid4().hex, taken=now.picture.host.now, vg=place.vg_uuid),
    )


def cannot_restore(now: Situation) -> Iterator[str]:
    """What stands against bringing /boot back."""
    yield from host_problems(now)
    if now.taking is None:
        known = sorted({taking.name for taking in takings(now.picture)})
        yield f"there is no such set; {'these exist: ' + ', '.join(known) if known else 'there is none'}"
    elif now.bound is None:
        whole = [one for one in now.backups if one.tags.manifest]
        yield "its backup belongs to another taking" if whole else "there is no whole backup of /boot for it"
    elif now.set_state not in (*_STAGE_ONE, "rolled_back"):
        yield f"the set is {now.set_state} and cannot go back, and /boot must not go back alone"


def is_final(now: Situation) -> bool:
    """Whether the rest of the host is back, so that nothing of the change is needed any more."""
    return now.set_state == "rolled_back"


def cannot_remove(now: Situation) -> Iterator[str]:
    """What stands against removing the backups."""
    yield from host_problems(now)
    if now.set_state in _GOES_BACK:
        yield f"the set is being rolled back (state {now.set_state}), and /boot goes back with it: finish that first"
    for backup in now.backups:
        if backup.volume.open:
            yield f"{backup.volume.full_name} is in use: unmount it (findmnt /dev/{backup.volume.full_name})"
