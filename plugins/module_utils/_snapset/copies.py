# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tags of this collection are of this host, and which came with a copy of a VG. Pure; private to this collection.

When the copy of a disk is attached, vgimportclone(8) gives its VG and PVs new UUIDs; its LVs keep theirs, and all tags.
So tags record the UUID of the VG that they were written in.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .tags import BOOT, MEMBER, TIMER, outcomes_of, parse_boot, parse_member, parse_timer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .._model import HostState, LvKey, Volume


@dataclass(frozen=True)
class _Claim:
    """Tags of one LV by which it belongs to one taking; ``is_here`` unless they are of another VG, None: who knows."""

    volume: Volume
    tags: tuple[str, ...]
    set_name: str
    set_id: str
    is_here: bool | None


def set_apart(host_state: HostState) -> HostState:
    """``host_state`` with the tags that came with a copy apart from all others, so that no plan knows of them.

    So are those of which nobody can tell; the sets that they are about are told as doubts.
    """
    claims = [claim for volume in host_state.volumes for claim in _claims(volume)]
    alike: dict[tuple[str, str], list[_Claim]] = defaultdict(list)
    for claim in claims:
        alike[claim.volume.uuid, claim.set_id].append(claim)
    groups = _groups(host_state)
    copied: dict[LvKey, set[str]] = defaultdict(set)
    doubts: dict[tuple[str, str], None] = {}
    for claim in claims:
        rivals = alike[claim.volume.uuid, claim.set_id]
        is_own = groups.is_own(claim, rivals)
        if not is_own:
            copied[claim.volume.key].update(claim.tags)
        if is_own is None:
            doubts[claim.set_name, _doubt(rivals)] = None
    volumes = tuple(_without(volume, copied.get(volume.key)) for volume in host_state.volumes)
    return replace(host_state, volumes=volumes, doubts=tuple(doubts))


def _claims(volume: Volume) -> Iterator[_Claim]:
    kinds = (
        (MEMBER, parse_member(volume.tags)),
        (BOOT, parse_boot(volume.tags)),
        (TIMER, parse_timer(volume.tags)),
    )
    for prefix, found in kinds:
        if found is not None:
            mine = tuple(tag for tag in volume.tags if tag.startswith(prefix))
            is_here = found.vg == volume.vg_uuid if found.vg else None
            yield _Claim(volume, mine, found.set_name, found.set_id, is_here)
    for outcome in outcomes_of(volume.tags):
        is_here = outcome.is_of(volume.vg_uuid)
        yield _Claim(volume, (outcome.to_tag(),), outcome.set_name, outcome.set_id, is_here)


@dataclass(frozen=True)
class _Groups:
    """VGs by UUID: those in use, and those of which an LV is in another one too."""

    used: frozenset[str]
    alike: frozenset[str]

    def is_own(self, claim: _Claim, rivals: Sequence[_Claim]) -> bool | None:
        """Whether tags are of this host; None when that cannot be told.

        Those of release 0.1.0 do not tell their VG. Where there is a copy, the VG counts of which something is active:
        a safe point is taken of what is in use, and a copy has to be activated by hand.
        """
        here = claim.volume.vg_uuid
        if claim.is_here is not None or here not in self.alike:
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
        alike=frozenset(vg for vgs in places.values() if len(vgs) > 1 for vg in vgs),
    )


def _doubt(alike: Sequence[_Claim]) -> str:
    names = " and ".join(sorted(claim.volume.full_name for claim in alike if claim.is_here is None))
    return (
        f"{names} are copies of each other (vgimportclone), and which of them is this host's own was not recorded when "
        "the set was taken: deactivate the VG that is the copy (vgchange -an), activate the other one, then run again"
    )


def _without(volume: Volume, copied: set[str] | None) -> Volume:
    if not copied:
        return volume
    kept = tuple(tag for tag in volume.tags if tag not in copied)
    return replace(volume, tags=kept, copied_tags=tuple(tag for tag in volume.tags if tag in copied))


@dataclass(frozen=True)
class Copy:
    """A VG with LVs whose tags came with a copy, and the VG that it was copied from, if that is here."""

    vg: str
    original: str | None
    snapsets: tuple[str, ...]
    volumes: tuple[str, ...]


def copies_in(host_state: HostState) -> tuple[Copy, ...]:
    """The copies among the VGs of ``host_state``, in which they are set apart."""
    found: dict[str, list[Volume]] = defaultdict(list)
    for volume in host_state.volumes:
        if volume.copied_tags:
            found[volume.vg_uuid].append(volume)
    return tuple(_copy(host_state, volumes, known=found) for volumes in found.values())


def copies_of(host_state: HostState, name: str) -> Iterator[str]:
    """Where there are copies of the set of that name, and why they are not it."""
    for copy in copies_in(host_state):
        if name in copy.snapsets:
            yield f"VG {copy.vg} has another UUID than when its set {name} was taken: that is a copy and is left alone"


def _copy(host_state: HostState, volumes: Sequence[Volume], *, known: Collection[str]) -> Copy:
    (vg,) = {volume.vg for volume in volumes}
    alike = {volume.uuid for volume in host_state.volumes if volume.vg == vg}
    originals = sorted({one.vg for one in host_state.volumes if one.uuid in alike and one.vg_uuid not in known})
    claims = (claim for one in volumes for claim in _claims(replace(one, tags=one.copied_tags)))
    return Copy(
        vg=vg,
        original=originals[0] if originals else None,
        snapsets=tuple(sorted({claim.set_name for claim in claims})),
        volumes=tuple(volume.name for volume in volumes),
    )
