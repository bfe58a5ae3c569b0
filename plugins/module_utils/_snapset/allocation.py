# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large each thick snapshot becomes, and whether its VG has the room. Pure; private to this collection."""

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
    """A store of ``extents`` extents for one snapshot, ``extra`` of which have still to be allocated."""

    vg: str
    origin: str
    extents: int
    extra: int
    extent_size: int
    snapshot: str = ""

    @property
    def size(self) -> int:
        """The size of the store in bytes."""
        return self.extents * self.extent_size


def size_snapshots(
    host_state: HostState,
    wanted: Sequence[RequestedOrigin],
    *,
    default: Size,
    reserve: Size,
    freed: Mapping[str, int],
) -> tuple[tuple[CowAllocation, ...], tuple[str, ...]]:
    """The store for each thick member of a new set, and the reasons why some cannot have one.

    ``freed`` are extents by VG that the plan gives back before it allocates; they are room, but not %FREE.
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
    return tuple(allocations), (*reasons, *room_problems(host_state, allocations, reserve, freed=freed, less="size"))


def _room_of(group: VolumeGroup, reserve: Size | None, freed: Mapping[str, int]) -> int:
    """The extents that may be allocated in a VG when ``reserve`` (bytes or %VG) stays free; may be negative."""
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
    less: str,
    freed: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """The shortfall of every VG that has not the room for its ``allocations``, and what helps.

    ``less`` names the parameters by which less can be asked for. Without a ``reserve`` all that is free may be used.
    """
    for group in host_state.volume_groups:
        mine = [allocation for allocation in allocations if allocation.vg == group.name and allocation.extra > 0]
        needed, room = sum(allocation.extra for allocation in mine), _room_of(group, reserve, freed or {})
        if mine and needed > room:
            lower = ", lower reserve" if _reserve_extents(group, reserve) else ""
            kept = "" if reserve is None else f", reserve {reserve.text}"
            yield (
                f"VG {group.name} has too little space: {_extents(needed, group)} are needed for "
                f"{', '.join(allocation.origin for allocation in mine)}, {_extents(max(0, room), group)} may be used "
                f"({_extents(group.free_extents, group)} free{kept}); add a PV{lower}, or ask for less ({less})"
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
        reasons.append(f"{origin.full_name} is not mounted, so {size.text} has no meaning for it: give another size")
        return None
    minimum = cow_minimum_extents(group.extent_size)
    maximum = cow_maximum_extents(origin.size, group.extent_size)
    if wanted < minimum:
        least = format_bytes(minimum * group.extent_size)
        reasons.append(f"{size.text} is too small a snapshot of {origin.full_name}: LVM needs {least} at least")
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
    # With too little room even for the least, the least is asked for, so that the shortfall is told with the others'.
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
    insist: bool = False,
) -> Iterator[CowAllocation]:
    """The larger store that an existing thick snapshot needs; nothing when it is large enough.

    Sizes relative to a changing quantity (auto, %FREE, %USED) act at creation only. ``headroom`` acts when given,
    and by its default when ``insist`` is set. Nothing ever shrinks, and no store grows beyond its maximum.
    """
    group = host_state.group(origin.vg)
    if group is None:
        return
    now = extents_for(snapshot.size, group.extent_size)
    targets = [now]
    if size.unit in ("bytes", "ORIGIN", "VG"):
        targets.append(_wanted_extents(host_state, group, origin, size) or 0)
    if (headroom is not None or insist) and snapshot.data_percent is not None:
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
    """What removing ``volumes`` gives back, in extents by VG; thin volumes give nothing back to their VG."""
    freed: dict[str, int] = defaultdict(int)
    for volume in volumes:
        group = host_state.group(volume.vg)
        if group is not None and not volume.is_thin:
            freed[volume.vg] += extents_for(volume.size, group.extent_size)
    return dict(freed)
