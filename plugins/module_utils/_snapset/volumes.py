# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auxiliary LVs: which VG, name and size a new one gets. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._errors import Refused
from .._names import device_path, fits_device_mapper
from .checks import group_problems, same_name_problems
from .coverage import root_volumes
from .sizes import format_bytes
from .steps import CreateVolume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model import HostState, Volume, VolumeGroup

ROOM_FOR_ENTRY = 1024
"""The bytes that ext4 needs for a file besides its content: an inode and a directory entry."""
# The bytes that ext4 needs for its own tables.
_ROOM_FOR_TABLES = 8 * 1024 * 1024


@dataclass(frozen=True)
class NewVolume:
    """An LV that is to be created, of ``extents`` extents, which are ``size`` bytes."""

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
        """Its path in /dev/mapper."""
        return device_path(self.vg, self.name)

    def step(self, purpose: Literal["backup", "timer"], tags: tuple[str, ...]) -> CreateVolume:
        """The step that creates it, with ``tags`` from the first moment."""
        return CreateVolume(purpose, self.vg, self.name, self.extents, self.size, tags)


def plan_volume(
    host_state: HostState, title: str, *, names: Sequence[str], vg: str | None, needed: int, going: Sequence[Volume]
) -> NewVolume:
    """Plan an LV whose filesystem has space for ``needed`` bytes, with the first free one of ``names``.

    It is created in ``vg``, or if that is None in the VG of /. ``title`` says in messages what it is for. ``going`` are
    the LVs that are removed before. Raises Refused.
    """
    group = _group(host_state, title, vg)
    extents = -(-(needed + needed // 16 + _ROOM_FOR_TABLES) // group.extent_size)
    freed = sum(one.size for one in going if one.vg == group.name) // group.extent_size
    problems = [*same_name_problems(host_state, {group.name}), *group_problems(group)]
    if group.free_extents + freed < extents:
        problems.append(
            f"VG {group.name} has {format_bytes(group.free_extents * group.extent_size)} free, but "
            f"{format_bytes(extents * group.extent_size)} are needed: add a PV, or choose another VG (vg)"
        )
    name = _free_name(host_state, group.name, names, going)
    if name is None:
        problems.append(f"none of the names {', '.join(names)} is free in VG {group.name}: rename or remove an LV")
    if problems or name is None:
        raise Refused(f"{title} cannot be created", problems)
    return NewVolume(vg=group.name, vg_uuid=group.uuid, name=name, extents=extents, size=extents * group.extent_size)


def is_encrypted(host_state: HostState, vg: str) -> bool:
    """Whether all PVs of a VG are on encrypted devices. A PV whose device is not known counts as not encrypted."""
    group, devices = host_state.group(vg), host_state.host.devices
    paths = {f"/dev/mapper/{one.dm_name}" if one.dm_name else f"/dev/{one.name}": n for n, one in devices.items()}
    found = [[number] if (number := paths.get(name)) else [] for name in (group.pv_names if group is not None else ())]
    return bool(found) and all(host_state.host.encrypted_below(numbers) for numbers in found)


def _group(host_state: HostState, title: str, vg: str | None) -> VolumeGroup:
    if vg is None:
        roots = root_volumes(host_state)
        if not roots:
            raise Refused(f"{title} cannot be created", ["/ is not on LVM: choose the VG for it (vg)"])
        vg = roots[0].vg
    group = host_state.group(vg)
    if group is None:
        known = ", ".join(one.name for one in host_state.volume_groups) or "none"
        raise Refused(f"{title} cannot be created", [f"there is no VG {vg} here; VGs of this host: {known}"])
    return group


def _free_name(host_state: HostState, vg: str, names: Sequence[str], going: Sequence[Volume]) -> str | None:
    for name in names:
        holder = host_state.volume(vg, name)
        if fits_device_mapper(vg, name, "") and (holder is None or holder in going):
            return name
    return None
