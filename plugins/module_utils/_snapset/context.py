# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a host has of one set: the snapset and its backups of /boot. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._names import device_path
from .checks import ambiguity_problems, kernel_problems
from .foreign import foreign_problems
from .instances import instances, lookup
from .tags import BootTags, parse_boot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._model import HostState, Volume
    from .state import Instance

BackupState = Literal["incomplete", "present", "restored"]


@dataclass(frozen=True)
class BootBackup:
    """A backup of /boot: its LV and its tags."""

    volume: Volume
    tags: BootTags

    @property
    def state(self) -> BackupState:
        """Whether it is incomplete, complete, or already restored."""
        if not self.tags.manifest:
            return "incomplete"
        return "restored" if self.tags.restored else "present"

    @property
    def device(self) -> str:
        """The path of its LV in /dev/mapper."""
        return device_path(self.volume.vg, self.volume.name)

    def to_result(self) -> dict[str, Any]:
        """The backup as results show it."""
        return {
            "name": self.tags.set_name,
            "id": self.tags.set_id,
            "state": self.state,
            "vg": self.volume.vg,
            "volume": self.volume.name,
            "size": self.volume.size,
        }


def backups_in(host_state: HostState) -> tuple[BootBackup, ...]:
    """The backups on the host, the newest last."""
    found = [BootBackup(one, tags) for one in host_state.volumes if (tags := parse_boot(one.tags)) is not None]
    return tuple(sorted(found, key=lambda backup: backup.tags.taken))


@dataclass(frozen=True)
class SnapsetContext:
    """One set by its name: the instance that counts, if any, and all backups made for that name."""

    host_state: HostState
    name: str
    instance: Instance | None
    backups: tuple[BootBackup, ...]

    @property
    def set_id(self) -> str:
        """The ID of the instance; empty if there is none."""
        return self.instance.set_id if self.instance else ""

    @property
    def set_state(self) -> str:
        """The state of the set."""
        return self.instance.state if self.instance else "absent"

    @property
    def bound(self) -> BootBackup | None:
        """The complete backup that belongs to the instance, or None."""
        return next((one for one in self.backups if one.tags.set_id == self.set_id and one.tags.manifest), None)

    @property
    def unbound(self) -> BootBackup | None:
        """The newest complete backup whose instance is not on the host, because it is yet to be created; or None."""
        taken = {instance.set_id for instance in instances(self.host_state)}
        return next((one for one in reversed(self.backups) if one.tags.manifest and one.tags.set_id not in taken), None)

    @property
    def is_taken(self) -> bool:
        """Whether the set is complete or is being rolled back."""
        return bool(self.instance and self.instance.live and self.instance.sealed) or self.set_state == "merging"


def snapset_context(host_state: HostState, name: str) -> SnapsetContext:
    """The set ``name`` and its backups in ``host_state``."""
    backups = tuple(backup for backup in backups_in(host_state) if backup.tags.set_name == name)
    return SnapsetContext(host_state, name, lookup(instances(host_state), name).current, backups)


def missing_problems(now: SnapsetContext) -> Iterator[str]:
    """Why nothing can be done for a set that this host does not have."""
    yield f"snapset {now.name} does not exist: take it first, or check the name"
    yield from foreign_problems(now.host_state, now.name)


def host_problems(now: SnapsetContext) -> Iterator[str]:
    """Why nothing that belongs to the set can be changed."""
    yield from kernel_problems(now.host_state)
    yield from ambiguity_problems(now.host_state, now.name)
