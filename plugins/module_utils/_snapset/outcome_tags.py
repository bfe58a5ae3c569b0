# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The LVM tags by which origins record what became of a merge: written and parsed. Pure; private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .tags import parse_count, parse_host, parse_id, parse_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._model import LvKey

OutcomeKind = Literal["merging", "rolled_back"]
_OUTCOME = "safepoint.outcome."
_OUTCOME_KINDS: tuple[OutcomeKind, ...] = ("merging", "rolled_back")
VgMarks = Mapping[str, Mapping[str, int]]


def vg_marks(vg_uuids: Iterable[str], thin_ids: Mapping[LvKey, int] = MappingProxyType({})) -> VgMarks:
    """The short UUIDs of VGs for the tag of an outcome, each with the thin device IDs of its LVs by short LV UUID."""
    return {
        _mark(vg): {_mark(lv): thin_id for (group, lv), thin_id in thin_ids.items() if group == vg} for vg in vg_uuids
    }


def _mark(uuid: str) -> str:
    """The short form of an LVM UUID in a tag: its first 10 of 32 characters, about 59 bits."""
    return uuid.replace("-", "")[:10]


@dataclass(frozen=True)
class Outcome:
    """What an origin records about a merge: ``merging`` from before the request, ``rolled_back`` when it has ended.

    ``boot_id`` is the kernel's boot ID at the request (``merging`` only). ``at`` is in seconds since the epoch. ``vgs``
    has the short UUID of each VG in which the tag was written. Under it are the thin device IDs of the thin members, by
    the short UUID of their origin (``merging`` only): after a thin merge the origin has its member's device ID, and the
    member is gone. One tag has all of them because one ``lvchange`` writes the same tag to every origin. Release 0.1.0
    wrote only the IDs: they are parsed as those of a VG with an empty name. ``host`` is that of the members.
    """

    kind: OutcomeKind
    set_name: str
    set_id: str
    count: int
    at: int
    boot_id: str = ""
    vgs: VgMarks = field(default_factory=lambda: MappingProxyType({}))
    host: str = ""

    def is_of(self, vg_uuid: str) -> bool | None:
        """Whether it was written in the VG with that UUID; None if it does not record a VG."""
        return _mark(vg_uuid) in self.vgs if any(self.vgs) else None

    def thin_id_of(self, origin: LvKey) -> int | None:
        """The device ID that a thin origin must have after the merge of its member, or None if it is not recorded."""
        vg, lv = map(_mark, origin)
        return self.vgs.get(vg, self.vgs.get("", {})).get(lv)

    def to_tag(self) -> str:
        """The tag as LVM stores it."""
        parts = [self.set_name, self.set_id, str(self.count)]
        if self.kind == "merging":
            parts.append(self.boot_id)
        parts.append(str(self.at))
        if self.vgs or self.host:
            parts.append("+".join("/".join(_vg_words(vg, ids)) for vg, ids in sorted(self.vgs.items())))
        if self.host:
            parts.append(self.host)
        return f"{_OUTCOME}{self.kind}={':'.join(parts)}"


def parse_outcome(tag: str) -> Outcome | None:
    """Parse one tag as an outcome. None if it is another tag, or is not valid because somebody edited it."""
    for kind in _OUTCOME_KINDS:
        start = f"{_OUTCOME}{kind}="
        if tag.startswith(start):
            outcome = _parse_parts(kind, tag[len(start) :].split(":"))
            # An outcome can be deleted only if it is formatted back to exactly the same tag.
            return outcome if outcome is not None and outcome.to_tag() == tag else None
    return None


def _vg_words(vg: str, thin_ids: Mapping[str, int]) -> list[str]:
    return [*([vg] if vg else []), *(f"{lv}={thin_id}" for lv, thin_id in sorted(thin_ids.items()))]


def _parse_parts(kind: OutcomeKind, parts: list[str]) -> Outcome | None:
    try:
        name, set_id, count, *rest = parts
        boot_id = rest.pop(0) if kind == "merging" else ""
        at, vgs, host = [*rest, "", ""][:3]
        return Outcome(
            kind=kind,
            set_name=name,
            set_id=parse_id(set_id),
            count=parse_count(count),
            boot_id=boot_id,
            at=parse_seconds(at),
            vgs=MappingProxyType(dict(map(_parse_vg, vgs.split("+") if vgs else ()))),
            host=parse_host(host),
        )
    except ValueError:
        return None


def _parse_vg(text: str) -> tuple[str, Mapping[str, int]]:
    words = text.split("/")
    vg = "" if "=" in words[0] else words.pop(0)
    pairs = (word.split("=") for word in words)
    return vg, MappingProxyType({lv: int(thin_id) for lv, thin_id in pairs})


def outcomes_of(tags: Iterable[str]) -> tuple[Outcome, ...]:
    """All outcomes among ``tags``."""
    parsed = (parse_outcome(tag) for tag in tags)
    return tuple(outcome for outcome in parsed if outcome is not None)
