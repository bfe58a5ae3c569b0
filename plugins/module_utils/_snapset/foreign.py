# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell this host's own tags from those of another host, whose VG it can see. Pure; private to this collection.

The page docs/architecture.md has the rules, as a table.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .claims import claims_of
from .copies import separate_copied_tags
from .state import is_single_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from .._model import HostState, LvKey, Volume
    from .claims import Claim, ClaimKind


def own_state(host_state: HostState) -> HostState:
    """``host_state`` as plans see it: copied and foreign tags are in ``copied_tags`` and ``foreign_tags``."""
    return separate_foreign_tags(separate_copied_tags(host_state))


def separate_foreign_tags(host_state: HostState) -> HostState:
    """``host_state`` with tags of other hosts moved to ``foreign_tags``. Copied tags must have been separated."""
    parts = _parts(claim for volume in host_state.volumes for claim in claims_of(volume, volume.tags))
    foreign: dict[LvKey, set[str]] = defaultdict(set)
    for part in parts:
        if not _is_own(host_state, part, parts):
            for claim in part.claims:
                foreign[claim.volume.key].update(claim.tags)
    if not foreign:
        return host_state
    return replace(host_state, volumes=tuple(_without(one, foreign.get(one.key)) for one in host_state.volumes))


def _without(volume: Volume, foreign: set[str] | None) -> Volume:
    if not foreign:
        return volume
    kept = tuple(tag for tag in volume.tags if tag not in foreign)
    return replace(volume, tags=kept, foreign_tags=tuple(tag for tag in volume.tags if tag in foreign))


@dataclass(frozen=True)
class SetPart:
    """What belongs to one snapset instance and records the same host. ``host`` is empty if none is recorded.

    Usually that is everything of the instance.
    """

    name: str
    set_id: str
    host: str
    claims: tuple[Claim, ...]

    @property
    def has_members(self) -> bool:
        """Whether there is a member."""
        return any(claim.kind == "member" for claim in self.claims)

    @property
    def origins(self) -> tuple[LvKey, ...]:
        """The origins that its members and its outcomes record."""
        return tuple(dict.fromkeys(claim.origin for claim in self.claims if claim.origin))

    @property
    def vgs(self) -> tuple[str, ...]:
        """The names of its VGs."""
        return tuple(sorted({claim.volume.vg for claim in self.claims}))

    def to_result(self) -> dict[str, Any]:
        """It as results show it."""
        volumes = sorted({claim.volume.full_name for claim in self.claims})
        known = {"name": self.name, "id": self.set_id, "host": self.host or None}
        return {**known, "vgs": list(self.vgs), "volumes": volumes}


def foreign_parts(host_state: HostState, name: str | None = None) -> tuple[SetPart, ...]:
    """What is foreign in ``host_state``, or only what has that name. Foreign tags must have been separated."""
    parts = _parts(claim for volume in host_state.volumes for claim in claims_of(volume, volume.foreign_tags))
    return tuple(part for part in parts if name in (None, part.name))


def _parts(claims: Iterable[Claim]) -> Sequence[SetPart]:
    # The module snapshot names the VG and the LVs, so it needs no host.
    known = [claim for claim in claims if not is_single_name(claim.set_name)]
    # LVM cannot change the tags of a snapshot that is being merged, but those of its origin.
    recorded = {(claim.origin, claim.set_id): claim.host for claim in known if claim.kind == "outcome"}
    found: dict[tuple[str, str, str], list[Claim]] = defaultdict(list)
    for claim in known:
        host = recorded.get((claim.origin, claim.set_id), claim.host)
        found[claim.set_name, claim.set_id, host].append(claim)
    return [SetPart(*key, tuple(mine)) for key, mine in sorted(found.items(), key=lambda item: item[0])]


def _is_own(host_state: HostState, part: SetPart, parts: Sequence[SetPart]) -> bool:
    here = host_state.host.host_id
    if part.host and part.host == here:
        return True
    root = _root_vg(host_state)
    holds_root = any(claim.volume.vg_uuid == root for claim in part.claims)
    if part.host:
        return holds_root
    if not part.origins:
        # A host with a machine-id writes it into the tags of what it creates.
        return holds_root or (not here and any(_is_active(claim.volume) for claim in part.claims))
    rivals = [one for one in parts if one.name == part.name and one.host and one.host == here and one.has_members]
    return is_in_use(host_state, part) and not (part.has_members and rivals)


def _root_vg(host_state: HostState) -> str | None:
    mount = host_state.host.mount_at("/")
    volume = host_state.lv_below(mount.device) if mount else None
    return volume.vg_uuid if volume else None


def is_in_use(host_state: HostState, part: SetPart) -> bool:
    """Whether an origin is active here. If there is none, an LV of it counts."""
    found = [origin for key in part.origins if (origin := host_state.by_key(key)) is not None]
    return any(map(_is_active, found or [claim.volume for claim in part.claims]))


def _is_active(volume: Volume) -> bool:
    # None means that LVM does not know. That is refused elsewhere, whoever owns the LV.
    return volume.active is not False


def foreign_problems(
    host_state: HostState, name: str, *, vgs: Collection[str] | None = None, kind: ClaimKind | None = None
) -> Iterator[str]:
    """Sentences that say whose the foreign snapsets of that name are, and how to take them over.

    With ``vgs`` only those in one of these VGs, with ``kind`` only those to which something of that kind belongs.
    """
    for part in foreign_parts(host_state, name):
        is_near = vgs is None or not set(vgs).isdisjoint(part.vgs)
        if is_near and kind in (None, *(claim.kind for claim in part.claims)):
            yield _sentence(host_state, part)


def _sentence(host_state: HostState, part: SetPart) -> str:
    kind = "a snapset" if part.origins else "a backup of /boot or a rollback timer of"
    whose = "that does not record its host and is not active here"
    if part.host:
        whose = f"of another host ({part.host}, this host is {host_state.host.host_id or 'without a machine-id'})"
    return (
        f"VG {', '.join(part.vgs)} has {kind} {part.name} {whose}, which is not touched; if it belongs to this host, "
        f"{_way_out(host_state, part)}"
    )


def _way_out(host_state: HostState, part: SetPart) -> str:
    names = " ".join(sorted({claim.volume.full_name for claim in part.claims}))
    if not part.origins:
        return f"remove it by hand (lvremove {names})"
    if part.host:
        return "for example after a change of its machine-id, take it over (module snapset, adopt: true)"
    found = [origin.full_name for key in part.origins if (origin := host_state.by_key(key)) is not None]
    return f"activate it (lvchange -ay {' '.join(found) or names}), then run again"
