# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auxiliary LVs, beside origins and snapshots: where they lie and how large they are. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._errors import Refused
from .._names import device_path, fits_device_mapper
from .checks import group_problems
from .sizes import format_bytes
from .steps import CreateVolume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model import HostState, Volume, VolumeGroup

ROOM_FOR_ENTRY = 1024
"""What ext4 takes for an entry besides its content, in bytes: an inode and a place in a directory."""
# What it takes for its own tables.
_ROOM_FOR_TABLES = 8 * 1024 * 1024


@dataclass(frozen=True)
class NewVolume:
    """An LV that is to be made: ``extents`` extents, ``size`` bytes."""

    vg: str
    vg_uuid: str
    name: str
    extents: int
    size: int

    @property
    def full_name(self) -> str:
        """VG/LV."""
        return f"{self.vg}/{self.name}"

    @property
    def device(self) -> str:
        """Its path below /dev/mapper."""
        return device_path(self.vg, self.name)

    def step(self, purpose: Literal["backup", "timer"], tags: tuple[str, ...]) -> CreateVolume:
        """The step that makes it, with ``tags`` from the first moment."""
        return CreateVolume(purpose, self.vg, self.name, self.extents, self.size, tags)


def plan_volume(
    host_state: HostState, title: str, *, names: Sequence[str], vg: str | None, needed: int, going: Sequence[Volume]
) -> NewVolume:
    """An LV with a filesystem for ``needed`` bytes, in ``vg`` or else in the VG of /, with the first free of ``names``.

    ``title`` is what it is for, ``going`` are LVs that are removed before. Raises Refused.
    """
    group = _group(host_state, title, vg)
    extents = -(-(needed + needed // 16 + _ROOM_FOR_TABLES) // group.extent_size)
    freed = sum(one.size for one in going if one.vg == group.name) // group.extent_size
    problems = list(group_problems(group))
    if group.free_extents + freed < extents:
        problems.append(
            f"VG {group.name} has {format_bytes(group.free_extents * group.extent_size)} free, and "
            f"{format_bytes(extents * group.extent_size)} are needed: add a PV, or name another VG (vg)"
        )
    name = _free_name(host_state, group.name, names, going)
    if name is None:
        problems.append(f"VG {group.name} has LVs with every name that it could have ({', '.join(names)})")
    if problems or name is None:
        raise Refused(f"{title} cannot be made", problems)
    return NewVolume(vg=group.name, vg_uuid=group.uuid, name=name, extents=extents, size=extents * group.extent_size)


def _group(host_state: HostState, title: str, vg: str | None) -> VolumeGroup:
    if vg is None:
        root = host_state.host.mount_at("/")
        below = host_state.lv_below(root.device) if root else None
        if below is None:
            raise Refused(f"{title} cannot be made", ["/ is not on LVM: say which VG shall hold it (vg)"])
        vg = below.vg
    group = host_state.group(vg)
    if group is None:
        known = ", ".join(one.name for one in host_state.volume_groups) or "none"
        raise Refused(f"{title} cannot be made", [f"there is no VG {vg} here; VGs of this host: {known}"])
    return group


def _free_name(host_state: HostState, vg: str, names: Sequence[str], going: Sequence[Volume]) -> str | None:
    for name in names:
        holder = host_state.volume(vg, name)
        if fits_device_mapper(vg, name, "") and (holder is None or holder in going):
            return name
    return None
