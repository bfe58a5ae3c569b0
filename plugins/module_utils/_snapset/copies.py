# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell this host's own tags from tags that came with a copy of a VG. Pure; private to this collection.

When a copied disk is attached, vgimportclone(8) gives its VG and PVs new UUIDs, but its LVs keep their UUIDs and tags.
So tags record the UUID of the VG in which they were written.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .claims import claims_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .._model import HostState, LvKey, Volume
    from .claims import Claim


def separate_copied_tags(host_state: HostState) -> HostState:
    """``host_state`` with copied tags moved to ``copied_tags``, so that no plan sees them.

    Tags that may be copied or not are moved too, and ``ambiguities`` reports their sets.
    """
    claims = [claim for volume in host_state.volumes for claim in claims_of(volume, volume.tags)]
    rivals_by_lv: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        rivals_by_lv[claim.volume.uuid, claim.set_id].append(claim)
    groups = _groups(host_state)
    copied: dict[LvKey, set[str]] = defaultdict(set)
    ambiguities: dict[tuple[str, str], None] = {}
    for claim in claims:
        rivals = rivals_by_lv[claim.volume.uuid, claim.set_id]
        is_own = groups.is_own(claim, rivals)
        if not is_own:
            copied[claim.volume.key].update(claim.tags)
        if is_own is None:
            ambiguities[claim.set_name, _ambiguity(rivals)] = None
    volumes = tuple(_without(volume, copied.get(volume.key)) for volume in host_state.volumes)
    return replace(host_state, volumes=volumes, ambiguities=tuple(ambiguities))


@dataclass(frozen=True)
class _Groups:
    """UUIDs of VGs: ``used`` have an active LV, ``copied`` have an LV whose UUID is also in another VG."""

    used: frozenset[str]
    copied: frozenset[str]

    def is_own(self, claim: Claim, rivals: Sequence[Claim]) -> bool | None:
        """Whether the tags are this host's own; None if that is unknown.

        Tags of release 0.1.0 do not record their VG. If there is a copy, they belong to the one VG with active LVs:
        snapshots are taken of LVs in use, and a copy is not active unless somebody activates it.
        """
        here = claim.volume.vg_uuid
        if claim.is_here is not None or here not in self.copied:
            return claim.is_here is not False
        claimed = {rival.volume.vg_uuid for rival in rivals if rival.is_here is None}
        used = claimed & self.used
        return None if len(used) != 1 < len(claimed) else here in used


def _groups(host_state: HostState) -> _Groups:
    places: dict[str, set[str]] = defaultdict(set)
    for volume in host_state.volumes:
        places[volume.uuid].add(volume.vg_uuid)
    return _Groups(
        used=frozenset(volume.vg_uuid for volume in host_state.volumes if volume.active),
        copied=frozenset(vg for vgs in places.values() if len(vgs) > 1 for vg in vgs),
    )


def _ambiguity(rivals: Sequence[Claim]) -> str:
    names = " and ".join(sorted(claim.volume.full_name for claim in rivals if claim.is_here is None))
    return (
        f"{names} are copies of each other (vgimportclone), and the set does not record which of them belongs to this "
        "host: deactivate the VG that is the copy (vgchange -an), activate the other one, then run again"
    )


def _without(volume: Volume, copied: set[str] | None) -> Volume:
    if not copied:
        return volume
    kept = tuple(tag for tag in volume.tags if tag not in copied)
    return replace(volume, tags=kept, copied_tags=tuple(tag for tag in volume.tags if tag in copied))


@dataclass(frozen=True)
class Copy:
    """A VG with copied tags on its LVs, and the VG that it was copied from, or None if that is not on this host."""

    vg: str
    original: str | None
    snapsets: tuple[str, ...]
    volumes: tuple[str, ...]


def copies_in(host_state: HostState) -> tuple[Copy, ...]:
    """The copied VGs of ``host_state``, whose copied tags must have been separated."""
    found: dict[str, list[Volume]] = defaultdict(list)
    for volume in host_state.volumes:
        if volume.copied_tags:
            found[volume.vg_uuid].append(volume)
    return tuple(_copy(host_state, volumes, known=found) for volumes in found.values())


def copy_problems(host_state: HostState, name: str) -> Iterator[str]:
    """Why VGs that have a copy of the set of that name do not count."""
    for copy in copies_in(host_state):
        if name in copy.snapsets:
            yield f"VG {copy.vg} does not have the UUID that its set {name} records, so it is a copy and is not touched"


def _copy(host_state: HostState, volumes: Sequence[Volume], *, known: Collection[str]) -> Copy:
    (vg,) = {volume.vg for volume in volumes}
    alike = {volume.uuid for volume in host_state.volumes if volume.vg == vg}
    originals = sorted({one.vg for one in host_state.volumes if one.uuid in alike and one.vg_uuid not in known})
    claims = (claim for one in volumes for claim in claims_of(one, one.copied_tags))
    return Copy(
        vg=vg,
        original=originals[0] if originals else None,
        snapsets=tuple(sorted({claim.set_name for claim in claims})),
        volumes=tuple(volume.name for volume in volumes),
    )
