# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tags by which LVs belong to snapset instances, of all kinds. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .outcome_tags import outcomes_of
from .tags import BOOT, MEMBER, TIMER, parse_boot, parse_member, parse_timer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._model import LvKey, Volume
    from .tags import BootTags, MemberTags, TimerTags

ClaimKind = Literal["member", "outcome", "boot", "timer"]
PREFIXES: dict[ClaimKind, str] = {"member": MEMBER, "boot": BOOT, "timer": TIMER}
"""The prefixes of the tags of each kind. An outcome is one tag."""


@dataclass(frozen=True)
class Claim:
    """The tags by which one LV belongs to one snapset instance.

    ``host`` is the host that they record, empty if none. ``is_here`` says whether they were written in the VG that the
    LV is in; None if they do not record a VG. ``origin`` is the recorded origin of a member; an LV with an outcome is
    an origin itself.
    """

    kind: ClaimKind
    volume: Volume
    tags: tuple[str, ...]
    set_name: str
    set_id: str
    host: str
    is_here: bool | None
    origin: LvKey | None = None


def claims_of(volume: Volume, tags: Iterable[str]) -> Iterator[Claim]:
    """What ``tags`` of ``volume`` claim."""
    tags = tuple(tags)
    member, boot, timer = parse_member(tags), parse_boot(tags), parse_timer(tags)
    kinds: tuple[tuple[ClaimKind, MemberTags | BootTags | TimerTags | None], ...]
    kinds = (("member", member), ("boot", boot), ("timer", timer))
    for kind, found in kinds:
        if found is not None:
            mine = tuple(tag for tag in tags if tag.startswith(PREFIXES[kind]))
            # A snapshot is always in the VG of its origin.
            origin = (volume.vg_uuid, member.origin_uuid) if member is not None and kind == "member" else None
            is_here = found.vg == volume.vg_uuid if found.vg else None
            yield Claim(kind, volume, mine, found.set_name, found.set_id, found.host, is_here, origin)
    for outcome in outcomes_of(tags):
        mine, is_here = (outcome.to_tag(),), outcome.is_of(volume.vg_uuid)
        yield Claim("outcome", volume, mine, outcome.set_name, outcome.set_id, outcome.host, is_here, volume.key)
