# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The LVM tags that record the state of snapsets: written and parsed. Pure; private to this collection.

LVM accepts ``A-Za-z0-9._-+/=!:&#`` in a tag (lib/misc/lvm-string.c, LVM 2.03). All values here use only these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .._names import set_name_problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._model import LvKey

MEMBER = "safepoint.member."
_OUTCOME = "safepoint.outcome."
BOOT = "safepoint.boot."
BOOT_RESTORED = f"{BOOT}restored"
TIMER = "safepoint.timer."
TIMER_READY = f"{TIMER}ready"
TIMER_FIRED = f"{TIMER}fired"
SINGLE = "safepoint.single"
_SINGLE_ORIGIN = f"{SINGLE}.origin="
SEALED = f"{MEMBER}sealed"

OutcomeKind = Literal["merging", "rolled_back"]
_MOST_MEMBERS = 9999
# The end of the year 9999, the last one that Python's datetime supports.
_LAST_SECOND = 253402300799
# Roles use it in file names.
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OUTCOME_KINDS: tuple[OutcomeKind, ...] = ("merging", "rolled_back")


@dataclass(frozen=True)
class MemberTags:
    """The tags that a member has from the moment ``lvcreate`` creates it.

    ``set_id`` is the ID of the instance, a new UUID for each one. ``count`` is the number of members. ``origin_uuid``
    is the origin's LV UUID. ``taken`` is in seconds since the epoch. ``pvs`` are the short UUIDs of the VG's PVs, only
    for an LV with the root filesystem. ``vg`` is the VG's UUID, which release 0.1.0 did not write.
    """

    set_name: str
    set_id: str
    count: int
    origin_uuid: str
    taken: int
    pvs: tuple[str, ...] | None = None
    sealed: bool = False
    vg: str = ""

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``. The seal is not among them: it is added when the last member exists."""
        pvs = None if self.pvs is None else ":".join(self.pvs)
        known = {"origin": self.origin_uuid, "taken": self.taken, "pvs": pvs, "vg": self.vg or None}
        return _format_tags(MEMBER, {"set": self.set_name, "id": self.set_id, "count": self.count, **known})


def parse_member(tags: Iterable[str]) -> MemberTags | None:
    """Parse the tags of a member. None if ``tags`` are not those of a member.

    It is also None if tags were edited by hand and are no longer valid (a part is missing, a number or name is wrong).
    """
    values = dict(_key_values(tags, MEMBER))
    try:
        return MemberTags(
            set_name=_set_name(values["set"]),
            set_id=_id(values["id"]),
            count=_count(values["count"]),
            origin_uuid=values["origin"],
            taken=_seconds(values["taken"]),
            pvs=tuple(values["pvs"].split(":")) if "pvs" in values else None,
            sealed="sealed" in values,
            vg=values.get("vg", ""),
        )
    except (KeyError, ValueError):
        return None


def _format_tags(prefix: str, values: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{prefix}{key}={value}" for key, value in values.items() if value is not None)


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= _MOST_MEMBERS:
        raise ValueError(text)
    return count


def _seconds(text: str) -> int:
    seconds = int(text)
    if not 0 <= seconds <= _LAST_SECOND:
        raise ValueError(text)
    return seconds


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(text)
    return text


def _set_name(text: str) -> str:
    if set_name_problem(text) is not None:
        raise ValueError(text)
    return text


def _key_values(tags: Iterable[str], prefix: str) -> Iterable[tuple[str, str]]:
    for tag in tags:
        if tag.startswith(prefix):
            key, _equals, value = tag[len(prefix) :].partition("=")
            yield key, value


@dataclass(frozen=True)
class BootTags:
    """The tags of the LV of a backup of /boot.

    ``set_id`` is the ID of the instance that it belongs to. ``taken`` is in seconds since the epoch. ``vg`` is as in
    MemberTags. Two tags are added later: ``manifest``, the checksum of the backup's manifest (SHA-256, 64 hex digits),
    when the whole backup is on the disk, and ``restored`` when all of it has been restored.
    """

    set_name: str
    set_id: str
    taken: int
    manifest: str = ""
    restored: bool = False
    vg: str = ""

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``, without those that are added later."""
        known = {"set": self.set_name, "id": self.set_id, "taken": self.taken, "vg": self.vg or None}
        return _format_tags(BOOT, known)


def parse_boot(tags: Iterable[str]) -> BootTags | None:
    """Parse the tags of a backup of /boot. None if ``tags`` are not those of a backup."""
    values = dict(_key_values(tags, BOOT))
    try:
        return BootTags(
            set_name=_set_name(values["set"]),
            set_id=_id(values["id"]),
            taken=_seconds(values["taken"]),
            manifest=values.get("manifest", ""),
            restored="restored" in values,
            vg=values.get("vg", ""),
        )
    except (KeyError, ValueError):
        return None


def boot_seal(manifest: str) -> str:
    """The tag that marks a backup as complete."""
    return f"{BOOT}manifest={manifest}"


@dataclass(frozen=True)
class TimerTags:
    """The tags of the LV of a rollback timer.

    ``set_id`` is the ID of the instance that it belongs to. ``armed`` is in seconds since the epoch, ``after`` in
    seconds from when its program starts, a little later. ``spread`` is how many seconds later it fires at most.
    ``boots`` is the number of failed boots after which it fires; with 0 it ignores them. ``vg`` is as in MemberTags.
    Two tags are added later: ``ready`` when everything is on the disk and was tested, and ``fired`` (seconds since the
    epoch) when it fires.
    """

    set_name: str
    set_id: str
    armed: int
    after: int
    boots: int
    ready: bool = False
    fired: int | None = None
    vg: str = ""
    spread: int = 0

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``, without those that are added later."""
        known = {"armed": self.armed, "after": self.after, "spread": self.spread, "boots": self.boots}
        return _format_tags(TIMER, {"set": self.set_name, "id": self.set_id, **known, "vg": self.vg or None})

    @property
    def deadline(self) -> int:
        """Before this time it does not fire, unless boots fail; in seconds since the epoch."""
        return self.armed + self.after


def parse_timer(tags: Iterable[str]) -> TimerTags | None:
    """Parse the tags of a rollback timer. None if ``tags`` are not those of a timer."""
    values = dict(_key_values(tags, TIMER))
    try:
        fired = values.get("fired")
        return TimerTags(
            set_name=_set_name(values["set"]),
            set_id=_id(values["id"]),
            armed=_seconds(values["armed"]),
            after=_seconds(values["after"]),
            boots=_seconds(values["boots"]),
            ready="ready" in values,
            fired=None if fired is None else _seconds(fired),
            vg=values.get("vg", ""),
            spread=_seconds(values.get("spread", "0")),
        )
    except (KeyError, ValueError):
        return None


def is_auxiliary(tags: Iterable[str]) -> bool:
    """Whether ``tags`` are those of an auxiliary LV (a backup of /boot or a rollback timer)."""
    return any(tag.startswith((BOOT, TIMER)) for tag in tags)


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
    wrote only the IDs: they are parsed as those of a VG with an empty name.
    """

    kind: OutcomeKind
    set_name: str
    set_id: str
    count: int
    at: int
    boot_id: str = ""
    vgs: VgMarks = field(default_factory=lambda: MappingProxyType({}))

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
        if self.vgs:
            parts.append("+".join("/".join(_vg_words(vg, ids)) for vg, ids in sorted(self.vgs.items())))
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
        at, vgs = [*rest, ""][:2]
        return Outcome(
            kind=kind,
            set_name=name,
            set_id=_id(set_id),
            count=_count(count),
            boot_id=boot_id,
            at=_seconds(at),
            vgs=MappingProxyType(dict(map(_parse_vg, vgs.split("+") if vgs else ()))),
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


def single_tags(origin_uuid: str) -> tuple[str, ...]:
    """The tags of a snapshot that the module ``snapshot`` creates; the origin has that LV UUID."""
    return (SINGLE, f"{_SINGLE_ORIGIN}{origin_uuid}")


def is_single_of(tags: Iterable[str], origin_uuid: str) -> bool:
    """Whether ``tags`` are those of a single snapshot of that origin."""
    return f"{_SINGLE_ORIGIN}{origin_uuid}" in tags


def membership_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Those of ``tags`` that mark an LV as a member of a set or as a single snapshot."""
    return tuple(tag for tag in tags if tag.startswith((MEMBER, SINGLE)))
