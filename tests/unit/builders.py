# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builders for the values of _model: hosts with VGs, LVs, snapshots and mounts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ansible_collections.safepoint.lvm.plugins.module_utils._durations import parse_duration
from ansible_collections.safepoint.lvm.plugins.module_utils._model import (
    BlockDevice,
    Host,
    HostState,
    Mount,
    Volume,
    VolumeGroup,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.outcome_tags import (
    Outcome,
    OutcomeKind,
    parse_outcome,
    vg_marks,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request, Single, State
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.selection import Selector, VolumeSpec
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.sizes import CHUNK_SIZE, Size, Unit, parse_size
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.tags import SEALED, MemberTags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import LvKey

MIB = 1024**2
GIB = 1024**3
EXTENT = 4 * MIB
NOW = 1_800_000_000
BOOT = "11111111-2222-3333-4444-555555555555"
OLD_BOOT = "99999999-8888-7777-6666-555555555555"
SET_ID = "0123456789abcdef0123456789abcdef"
HOST = "1111222233334444"
OTHER_HOST = "aaaabbbbccccdddd"
EVERY_UNIT: tuple[Unit, ...] = ("bytes", "ORIGIN", "USED", "FREE", "VG", "PERCENT", "auto")


def lvm_uuid(text: str) -> str:
    """A UUID in LVM's format, always the same one for the same text."""
    digits = hashlib.sha256(text.encode()).hexdigest()[:32]
    cuts = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(digits[start:end] for start, end in zip(cuts, cuts[1:]))


def group(name: str = "vg", *, extents: int = 1000, free: int = 500, **more: Any) -> VolumeGroup:
    more = {"pv_uuids": (lvm_uuid(f"pv of {name}"),), "extent_size": EXTENT, **more}
    return VolumeGroup(name=name, uuid=lvm_uuid(name), extent_count=extents, free_extents=free, **more)


def volume(full_name: str, size: int = 200 * MIB, **more: Any) -> Volume:
    """A plain, active LV that is not open."""
    vg, _slash, name = full_name.partition("/")
    facts: dict[str, Any] = {
        "uuid": lvm_uuid(full_name),
        "vg_uuid": lvm_uuid(vg),
        "roles": frozenset({"public"}),
        "layout": frozenset({"linear"}),
        "active": True,
        "open": False,
        "suspended": False,
        "created": NOW - 86400,
    }
    return Volume(vg=vg, name=name, size=size, **{**facts, **more})


def inactive(lv: Volume) -> Volume:
    """The same LV while it is inactive: what only the kernel knows is None."""
    return replace(lv, active=False, open=None, suspended=None, invalid=None, data_percent=None)


def thin_pool(full_name: str = "vg/pool", size: int = 1000 * MIB, *, data: int = 10, metadata: int = 10) -> Volume:
    return volume(
        full_name,
        size,
        roles=frozenset({"private"}),
        layout=frozenset({"thin", "pool"}),
        segtype="thin-pool",
        data_percent=Fraction(data),
        metadata_percent=Fraction(metadata),
    )


def thin(full_name: str, size: int = 200 * MIB, *, thin_id: int = 1, **more: Any) -> Volume:
    facts: dict[str, Any] = {"segtype": "thin", "pool": "pool", "data_percent": Fraction(10), **more}
    return volume(full_name, size, layout=frozenset({"thin", "sparse"}), thin_id=thin_id, **facts)


def thick_snapshot(origin: Volume, name: str, size: int = 40 * MIB, *, used: Any = 0, **more: Any) -> Volume:
    """A thick snapshot whose store is ``used`` percent full."""
    facts: dict[str, Any] = {
        "roles": frozenset({"public", "snapshot", "thicksnapshot"}),
        "origin": origin.name,
        "chunk_size": CHUNK_SIZE,
        "active": origin.active,
        "invalid": False if origin.active else None,
        "data_percent": Fraction(used) if origin.active else None,
        "open": False if origin.active else None,
        "created": NOW - 3600,
    }
    return volume(f"{origin.vg}/{name}", size, **{**facts, **more})


def thin_snapshot(origin: Volume, name: str, *, thin_id: int = 7, **more: Any) -> Volume:
    """A thin snapshot, inactive as this collection creates it."""
    facts: dict[str, Any] = {
        "roles": frozenset({"public", "snapshot", "thinsnapshot"}),
        "origin": origin.name,
        "pool": origin.pool,
        "active": False,
        "open": None,
        "suspended": None,
        "data_percent": None,
        "created": NOW - 3600,
    }
    return thin(f"{origin.vg}/{name}", origin.size, thin_id=thin_id, **{**facts, **more})


def snapshot(origin: Volume, name: str, **more: Any) -> Volume:
    """A snapshot of the same kind as its origin."""
    return thin_snapshot(origin, name, **more) if origin.is_thin else thick_snapshot(origin, name, **more)


def member_tags(
    origin: Volume, *, name: str = "s", set_id: str = SET_ID, count: int = 1, sealed: bool = True, host: str = HOST
) -> tuple[str, ...]:
    facts = MemberTags(
        set_name=name,
        set_id=set_id,
        count=count,
        origin_uuid=origin.uuid,
        taken=NOW - 3600,
        vg=origin.vg_uuid,
        host=host,
    )
    return (*facts.to_tags(), SEALED) if sealed else facts.to_tags()


def outcome_tag(
    kind: OutcomeKind,
    *origins: Volume,
    name: str = "s",
    set_id: str = SET_ID,
    count: int = 1,
    boot_id: str = BOOT,
    thin_ids: Mapping[LvKey, int] | None = None,
) -> str:
    """The tag of an outcome on ``origins``. Without origins, it is in the format of release 0.1.0."""
    boot: dict[str, Any] = {"boot_id": boot_id} if kind == "merging" else {}
    vgs = vg_marks({origin.vg_uuid for origin in origins}, thin_ids or {})
    at = NOW - 60
    host = HOST if origins else ""
    return Outcome(kind=kind, set_name=name, set_id=set_id, count=count, at=at, vgs=vgs, host=host, **boot).to_tag()


def member(origin: Volume, *, name: str = "s", set_id: str = SET_ID, count: int = 1, **more: Any) -> Volume:
    """The snapshot of ``origin`` that belongs to the set ``name``; by default it is sealed."""
    tags = member_tags(origin, name=name, set_id=set_id, count=count, sealed=more.pop("sealed", True))
    return snapshot(origin, f"{origin.name}_{name}", tags=tags, **more)


def pending(origin: Volume, snap: Volume, *, boot_id: str = BOOT, count: int = 1) -> tuple[Volume, Volume]:
    """Origin and snapshot of the set ``s`` after a merge was requested while the origin was in use."""
    tag = outcome_tag("merging", origin, boot_id=boot_id, count=count, thin_ids=_thin_ids(origin, snap))
    # LVM hides the snapshot, but reports it as public.
    return replace(origin, open=True, merging=not origin.is_thin, tags=(tag,)), replace(snap, merging=True)


def _thin_ids(origin: Volume, snap: Volume) -> Mapping[LvKey, int]:
    return {} if snap.thin_id is None else {origin.key: snap.thin_id}


def merging(origin: Volume, snap: Volume, *, left: Any = 50) -> tuple[Volume, Volume]:
    """The same while the kernel merges, with ``left`` percent of the store still to be merged."""
    waiting, hidden = pending(origin, snap)
    return replace(waiting, open=False, data_percent=Fraction(left)), replace(hidden, data_percent=Fraction(left))


def host_state(
    volumes: Iterable[Volume] = (),
    *,
    groups: Iterable[VolumeGroup] | None = None,
    mounts: Mapping[str, Volume] | None = None,
    fstypes: Mapping[str, str] | None = None,
    used: int | None = None,
    unread: str = "",
    **host: Any,
) -> HostState:
    """A host with these LVs. VGs that are not given are generated. Mounted LVs are open."""
    mounts, fstypes = mounts or {}, fstypes or {}
    mounted = {lv.full_name for lv in mounts.values()}
    lvs = tuple(replace(lv, open=True) if lv.full_name in mounted else lv for lv in volumes)
    vgs = tuple(groups) if groups is not None else tuple(group(vg) for vg in dict.fromkeys(lv.vg for lv in lvs))
    numbers = {lv.full_name: (253, place) for place, lv in enumerate(lvs)}
    devices = {numbers[lv.full_name]: _device(lv, place) for place, lv in enumerate(lvs)}
    seen = tuple(
        Mount(path, f"/dev/mapper/{lv.vg}-{lv.name}", fstypes.get(path, "ext4"), numbers[lv.full_name], used)
        for path, lv in mounts.items()
    )
    facts: dict[str, Any] = {"mounts": seen, "devices": MappingProxyType(devices), "host_id": HOST, **host}
    return HostState(host=Host(now=NOW, boot_id=BOOT, **facts), volume_groups=vgs, volumes=lvs, unread=unread)


def copied(host: HostState, names: Mapping[str, str], *, active: bool) -> HostState:
    """``host`` with a copy of the disks of each VG in ``names``, imported under its name there by vgimportclone(8)."""
    groups = {vg: replace(host.group(vg) or group(vg), name=name) for vg, name in names.items()}
    groups = {vg: replace(copy, uuid=lvm_uuid(f"copy {copy.name}")) for vg, copy in groups.items()}
    copies = [
        replace(lv, vg=groups[lv.vg].name, vg_uuid=groups[lv.vg].uuid, open=False if lv.active else None)
        for lv in host.volumes
        if lv.vg in groups
    ]
    return joined(host, groups.values(), copies if active else map(inactive, copies))


def joined(host: HostState, groups: Iterable[VolumeGroup], volumes: Iterable[Volume]) -> HostState:
    """``host`` after disks with other VGs were attached."""
    both = host_state(
        sorted([*host.volumes, *volumes], key=lambda lv: lv.vg),
        groups=sorted([*host.volume_groups, *groups], key=lambda group: group.name),
        mounts={mount.mountpoint: lv for mount in host.host.mounts if (lv := host.lv_below(mount.device))},
    )
    return replace(both, host=replace(host.host, mounts=both.host.mounts, devices=both.host.devices))


def of_host(volumes: Iterable[Volume], host: str) -> tuple[Volume, ...]:
    """``volumes`` with tags that another host wrote; none records a host if ``host`` is empty."""
    return tuple(replace(lv, tags=tuple(new for tag in lv.tags if (new := _of_host(tag, host)))) for lv in volumes)


def _of_host(tag: str, host: str) -> str:
    outcome = parse_outcome(tag)
    if outcome is not None:
        return replace(outcome, host=host).to_tag()
    before, found, _host = tag.partition(".host=")
    return tag if not found else before + found + host if host else ""


def _device(lv: Volume, place: int) -> BlockDevice:
    dm_uuid = "LVM-" + "".join(lv.key).replace("-", "")
    return BlockDevice(name=f"dm-{place}", dm_name=f"{lv.vg}-{lv.name}", dm_uuid=dm_uuid)


def size(text: str) -> Size:
    return parse_size(text, parameter="size", units=EVERY_UNIT)


def request(*volumes: str, name: str = "s", state: State = "present", **more: Any) -> Request:
    """A request for a set of LVs, given as VG/LV or VG/LV=SIZE. Sizes and durations in ``more`` are given as text."""
    texts = {"reserve": "0%VG", "pool_reserve": "0%", **more}
    sizes: dict[str, Any] = {
        key: size(texts.pop(key)) for key in ("size", "min_headroom", "reserve", "pool_reserve") if key in texts
    }
    paths: dict[str, Any] = {key: tuple(texts.pop(key, ())) for key in ("mountpoints", "exclude", "ignore_uncovered")}
    selector = Selector(volumes=tuple(_spec(text) for text in volumes), system=texts.pop("system", False), **paths)
    max_age = parse_duration(texts.pop("max_age", ""))
    return Request(name=name, state=state, selector=selector, max_age=max_age, **sizes, **texts)


def single_request(full_name: str, name: str = "snap", state: State = "present", **more: Any) -> Request:
    """A request for one snapshot of the module ``snapshot``."""
    vg, _slash, lv = full_name.partition("/")
    return replace(request(name=name, state=state, **more), single=Single(vg=vg, origin=lv, name=name))


def _spec(text: str) -> VolumeSpec:
    full_name, _equals, amount = text.partition("=")
    vg, _slash, lv = full_name.partition("/")
    return VolumeSpec(vg=vg, lv=lv or None, size=size(amount) if amount else None)


def labels(volumes: Sequence[Volume]) -> list[str]:
    return [lv.full_name for lv in volumes]
