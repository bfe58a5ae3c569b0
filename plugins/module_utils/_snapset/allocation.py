# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The size of each thick snapshot's COW store, and whether its VG has space. Pure; private to this collection."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .sizes import (
    Share,
    Size,
    cow_maximum_extents,
    cow_minimum_extents,
    default_headroom,
    extents_for,
    extents_with_headroom,
    format_bytes,
    origin_percent_extents,
    percent_floor,
    share_room,
    used_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._model import HostState, Volume, VolumeGroup
    from .selection import RequestedOrigin


@dataclass(frozen=True)
class CowAllocation:
    """A COW store of ``extents`` extents for one snapshot; ``extra`` of them are yet to be allocated."""

    vg: str
    origin: str
    extents: int
    extra: int
    extent_size: int
    snapshot: str = ""

    @property
    def size(self) -> int:
        """The size of the COW store in bytes."""
        return self.extents * self.extent_size


def size_snapshots(
    host_state: HostState,
    wanted: Sequence[RequestedOrigin],
    *,
    default: Size,
    reserve: Size,
    freed: Mapping[str, int],
) -> tuple[tuple[CowAllocation, ...], tuple[str, ...]]:
    """The COW store of each thick member of a new set, and the reasons why some cannot have one.

    ``freed`` are the extents, by VG, that earlier steps of the plan free. They can be allocated, but %FREE does not
    count them.
    """
    by_vg: dict[str, list[RequestedOrigin]] = defaultdict(list)
    for item in wanted:
        by_vg[item.origin.vg].append(item)
    allocations: list[CowAllocation] = []
    reasons: list[str] = []
    for name, items in by_vg.items():
        group = host_state.group(name)
        if group is None:
            continue
        automatic = [item for item in items if (item.size or default).unit == "auto"]
        fixed = [item for item in items if item not in automatic]
        sized = [_fixed_allocation(host_state, group, item.origin, item.size or default, reasons) for item in fixed]
        known = [allocation for allocation in sized if allocation is not None]
        room = _room_of(group, reserve, freed) - sum(allocation.extra for allocation in known)
        allocations += known + _automatic_allocations(host_state, group, [item.origin for item in automatic], room)
    return tuple(allocations), (
        *reasons,
        *room_problems(host_state, allocations, reserve, freed=freed, parameters="size"),
    )


def _room_of(group: VolumeGroup, reserve: Size | None, freed: Mapping[str, int]) -> int:
    """The extents that can be allocated in a VG when ``reserve`` (bytes or %VG) stays free; can be negative."""
    return group.free_extents + freed.get(group.name, 0) - _reserve_extents(group, reserve)


def _reserve_extents(group: VolumeGroup, reserve: Size | None) -> int:
    if reserve is None:
        return 0
    if reserve.unit == "VG":
        return percent_floor(reserve.amount, group.extent_count)
    return extents_for(reserve.amount, group.extent_size)


def room_problems(
    host_state: HostState,
    allocations: Sequence[CowAllocation],
    reserve: Size | None,
    *,
    parameters: str,
    freed: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """The VGs that have too little space for their ``allocations``, and what helps.

    ``parameters`` names the parameters with which a user can request less. Without a ``reserve``, all free space can be
    used.
    """
    for group in host_state.volume_groups:
        mine = [allocation for allocation in allocations if allocation.vg == group.name and allocation.extra > 0]
        needed, room = sum(allocation.extra for allocation in mine), _room_of(group, reserve, freed or {})
        if mine and needed > room:
            lower = ", lower reserve" if _reserve_extents(group, reserve) else ""
            kept = "" if reserve is None else f", reserve {reserve.text}"
            yield (
                f"VG {group.name} has too little space: {_extents(needed, group)} are needed for "
                f"{', '.join(one.origin for one in mine)}, but {_extents(max(0, room), group)} can be used "
                f"({_extents(group.free_extents, group)} free{kept}): add a PV{lower}, or request less ({parameters})"
            )


def _extents(count: int, group: VolumeGroup) -> str:
    return f"{format_bytes(count * group.extent_size)} ({count} extents)"


def _allocation(group: VolumeGroup, origin: Volume, extents: int) -> CowAllocation:
    return CowAllocation(
        vg=group.name,
        origin=origin.name,
        extents=extents,
        extra=extents,
        extent_size=group.extent_size,
    )


def _fixed_allocation(
    host_state: HostState, group: VolumeGroup, origin: Volume, size: Size, reasons: list[str]
) -> CowAllocation | None:
    wanted = _wanted_extents(host_state, group, origin, size)
    if wanted is None:
        reasons.append(f"{origin.full_name} is not mounted, so {size.text} cannot be computed: use another size")
        return None
    minimum = cow_minimum_extents(group.extent_size)
    maximum = cow_maximum_extents(origin.size, group.extent_size)
    if wanted < minimum:
        least = format_bytes(minimum * group.extent_size)
        reasons.append(f"{size.text} is too small for a snapshot of {origin.full_name}: LVM needs at least {least}")
        return None
    return _allocation(group, origin, min(wanted, maximum))


def _wanted_extents(host_state: HostState, group: VolumeGroup, origin: Volume, size: Size) -> int | None:
    if size.unit == "ORIGIN":
        return origin_percent_extents(size.amount, origin.size, group.extent_size)
    if size.unit == "FREE":
        return percent_floor(size.amount, group.free_extents)
    if size.unit == "VG":
        return percent_floor(size.amount, group.extent_count)
    if size.unit == "USED":
        used = _used_of(host_state, origin)
        return None if used is None else extents_for(used * size.amount / 100, group.extent_size)
    return extents_for(size.amount, group.extent_size)


def _used_of(host_state: HostState, origin: Volume) -> int | None:
    return next(
        (mount.used for mount in host_state.mounts_of(origin) if mount.used is not None),
        None,
    )


def _automatic_allocations(
    host_state: HostState, group: VolumeGroup, origins: Sequence[Volume], room: int
) -> list[CowAllocation]:
    shares = [_share(host_state, group, origin) for origin in origins]
    # If not even the minimums fit, they are requested all the same: room_problems then reports the shortfall.
    extents = share_room(room, shares) or tuple(share.minimum for share in shares)
    return [_allocation(group, origin, count) for origin, count in zip(origins, extents)]


def _share(host_state: HostState, group: VolumeGroup, origin: Volume) -> Share:
    maximum = cow_maximum_extents(origin.size, group.extent_size)
    least = max(
        cow_minimum_extents(group.extent_size),
        extents_for(default_headroom(origin.size), group.extent_size),
    )
    minimum = min(maximum, least)
    used = _used_of(host_state, origin)
    estimate = maximum if used is None else min(maximum, max(minimum, extents_for(used, group.extent_size)))
    return Share(minimum=minimum, estimate=estimate, maximum=maximum)


def extension_allocation(
    host_state: HostState,
    *,
    origin: Volume,
    snapshot: Volume,
    size: Size,
    headroom: Size | None,
    require_headroom: bool = False,
) -> Iterator[CowAllocation]:
    """The larger COW store that an existing thick snapshot needs; nothing if it is large enough.

    Sizes relative to a changing quantity (auto, %FREE, %USED) apply at creation only. ``headroom`` applies if it is
    given. If it is not, its default applies when ``require_headroom`` is true. No store shrinks or exceeds its maximum.
    """
    group = host_state.group(origin.vg)
    if group is None:
        return
    now = extents_for(snapshot.size, group.extent_size)
    targets = [now]
    if size.unit in ("bytes", "ORIGIN", "VG"):
        targets.append(_wanted_extents(host_state, group, origin, size) or 0)
    if (headroom is not None or require_headroom) and snapshot.data_percent is not None:
        used = used_bytes(snapshot.size, snapshot.data_percent)
        targets.append(extents_with_headroom(used, headroom, size=snapshot.size, extent_size=group.extent_size))
    extents = min(
        max(targets),
        max(
            now,
            cow_maximum_extents(origin.size, group.extent_size, snapshot.chunk_size),
        ),
    )
    if extents > now:
        yield CowAllocation(
            vg=group.name,
            origin=origin.name,
            snapshot=snapshot.name,
            extents=extents,
            extra=extents - now,
            extent_size=group.extent_size,
        )


def freed_extents(host_state: HostState, volumes: Sequence[Volume]) -> dict[str, int]:
    """The extents, by VG, that are free after ``volumes`` are removed. Thin volumes free none in their VG."""
    freed: dict[str, int] = defaultdict(int)
    for volume in volumes:
        group = host_state.group(volume.vg)
        if group is not None and not volume.is_thin:
            freed[volume.vg] += extents_for(volume.size, group.extent_size)
    return dict(freed)
