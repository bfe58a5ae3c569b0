# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of snapsets as LVM tags: how it is written and read. Private to this collection.

LVM takes ``A-Za-z0-9._-+/=!:&#`` in a tag (lib/misc/lvm-string.c, LVM 2.03), so every value here keeps to these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ansible_collections.safepoint.lvm.plugins.module_utils._names import set_name_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MEMBER = "safepoint.member."
_OUTCOME = "safepoint.outcome."
_BOOT = "safepoint.boot."
BOOT_RESTORED = f"{_BOOT}restored"
_TIMER = "safepoint.timer."
TIMER_READY = f"{_TIMER}ready"
TIMER_FIRED = f"{_TIMER}fired"
SINGLE = "safepoint.single"
_SINGLE_ORIGIN = f"{SINGLE}.origin="
SEALED = f"{_MEMBER}sealed"

OutcomeKind = Literal["merging", "rolled_back"]
_MOST_MEMBERS = 9999
# The end of the year 9999, the last that has a date.
_LAST_SECOND = 253402300799
# Roles make file names of it.
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OUTCOME_KINDS: tuple[OutcomeKind, ...] = ("merging", "rolled_back")


@dataclass(frozen=True)
class MemberTags:
    """What a member carries from the moment ``lvcreate`` makes it.

    ``set_id`` is one UUID for each taking, ``count`` the number of members, ``origin_uuid`` the origin's LV UUID,
    ``taken`` seconds since the epoch, ``pvs`` the marks of the VG's PVs (for an LV that holds the root filesystem).
    """

    set_name: str
    set_id: str
    count: int
    origin_uuid: str
    taken: int
    pvs: tuple[str, ...] | None = None
    sealed: bool = False

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``; the seal is never among them, it comes when the last member exists."""
        tags = [
            f"{_MEMBER}set={self.set_name}",
            f"{_MEMBER}id={self.set_id}",
            f"{_MEMBER}count={self.count}",
            f"{_MEMBER}origin={self.origin_uuid}",
            f"{_MEMBER}taken={self.taken}",
        ]
        if self.pvs is not None:
            tags.append(f"{_MEMBER}pvs={':'.join(self.pvs)}")
        return tuple(tags)


def parse_member(tags: Iterable[str]) -> MemberTags | None:
    """The membership that ``tags`` describe, or None when they describe none.

    Tags that were cut or edited by hand (a part missing, a number or a name that is none) describe none.
    """
    values = dict(_key_values(tags, _MEMBER))
    try:
        return MemberTags(
            set_name=_set_name(values["set"]),
            set_id=_id(values["id"]),
            count=_count(values["count"]),
            origin_uuid=values["origin"],
            taken=_seconds(values["taken"]),
            pvs=tuple(values["pvs"].split(":")) if "pvs" in values else None,
            sealed="sealed" in values,
        )
    except (KeyError, ValueError):
        return None


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
    """What the LV of a backup of /boot carries from when ``lvcreate`` makes it, and later.

    ``backup_id`` is also the id of the taking that it belongs to, ``taken`` seconds since the epoch. ``manifest``, the
    checksum of its manifest (SHA-256, 64 hex digits), comes when all of it is on the disk, ``restored`` when all of it
    has been brought back.
    """

    set_name: str
    backup_id: str
    taken: int
    manifest: str = ""
    restored: bool = False

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``: none of those that come later."""
        return (f"{_BOOT}set={self.set_name}", f"{_BOOT}id={self.backup_id}", f"{_BOOT}taken={self.taken}")


def parse_boot(tags: Iterable[str]) -> BootTags | None:
    """The backup that ``tags`` describe, or None when they describe none."""
    values = dict(_key_values(tags, _BOOT))
    try:
        return BootTags(
            set_name=_set_name(values["set"]),
            backup_id=_id(values["id"]),
            taken=_seconds(values["taken"]),
            manifest=values.get("manifest", ""),
            restored="restored" in values,
        )
    except (KeyError, ValueError):
        return None


def boot_seal(manifest: str) -> str:
    """The tag that declares a backup whole."""
    return f"{_BOOT}manifest={manifest}"


@dataclass(frozen=True)
class TimerTags:
    """What the LV of a rollback timer carries from when ``lvcreate`` makes it, and later.

    ``set_id`` is the id of the taking that it belongs to, ``armed`` seconds since the epoch, ``after`` seconds from
    then, ``boots`` how many failed boots are enough, 0 for any number. ``ready`` comes when all is on the disk and was
    tried, ``fired``, seconds since the epoch, when the time was over.
    """

    set_name: str
    set_id: str
    armed: int
    after: int
    boots: int
    ready: bool = False
    fired: int | None = None

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``: none of those that come later."""
        return (
            f"{_TIMER}set={self.set_name}",
            f"{_TIMER}id={self.set_id}",
            f"{_TIMER}armed={self.armed}",
            f"{_TIMER}after={self.after}",
            f"{_TIMER}boots={self.boots}",
        )

    @property
    def deadline(self) -> int:
        """When the time is over, in seconds since the epoch."""
        return self.armed + self.after


def parse_timer(tags: Iterable[str]) -> TimerTags | None:
    """The timer that ``tags`` describe, or None when they describe none."""
    values = dict(_key_values(tags, _TIMER))
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
        )
    except (KeyError, ValueError):
        return None


def is_own(tags: Iterable[str]) -> bool:
    """Whether ``tags`` say that their LV is this collection's own, neither origin nor snapshot."""
    return any(tag.startswith((_BOOT, _TIMER)) for tag in tags)


def uuid_key(lv_uuid: str) -> str:
    """The part of an LV UUID that stands for it inside a tag (10 of 32 characters, about 59 bits)."""
    return lv_uuid.replace("-", "")[:10]


@dataclass(frozen=True)
class Outcome:
    """What an origin remembers of a merge: ``merging`` from before the request, ``rolled_back`` when it has ended.

    ``boot_id`` is the kernel's boot id at the request (``merging`` only), ``at`` seconds since the epoch, ``thin_ids``
    the former thin device id of each thin member by its origin's ``uuid_key`` (``merging`` only): after a thin merge
    the origin must have that id, and the member that could tell is gone. One tag holds them all because one
    ``lvchange`` writes the same tag to every origin.
    """

    kind: OutcomeKind
    set_name: str
    set_id: str
    count: int
    at: int
    boot_id: str = ""
    thin_ids: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def to_tag(self) -> str:
        """The tag as LVM stores it."""
        parts = [self.set_name, self.set_id, str(self.count)]
        if self.kind == "merging":
            parts.append(self.boot_id)
        parts.append(str(self.at))
        if self.thin_ids:
            parts.append("/".join(f"{key}={thin_id}" for key, thin_id in sorted(self.thin_ids.items())))
        return f"{_OUTCOME}{self.kind}={':'.join(parts)}"


def parse_outcome(tag: str) -> Outcome | None:
    """The outcome that one tag describes, or None when it is not one of ours or was cut or edited by hand."""
    for kind in _OUTCOME_KINDS:
        start = f"{_OUTCOME}{kind}="
        if tag.startswith(start):
            outcome = _parse_parts(kind, tag[len(start) :].split(":"))
            # Only what is written back the same can be deleted again.
            return outcome if outcome is not None and outcome.to_tag() == tag else None
    return None


def _parse_parts(kind: OutcomeKind, parts: list[str]) -> Outcome | None:
    try:
        name, set_id, count = parts[0], _id(parts[1]), _count(parts[2])
        if kind == "rolled_back":
            return Outcome(kind=kind, set_name=name, set_id=set_id, count=count, at=_seconds(parts[3]))
        thin_ids = _parse_thin_ids(*parts[5:])
        return Outcome(
            kind=kind,
            set_name=name,
            set_id=set_id,
            count=count,
            boot_id=parts[3],
            at=_seconds(parts[4]),
            thin_ids=thin_ids,
        )
    except (IndexError, TypeError, ValueError):
        return None


def _parse_thin_ids(text: str = "") -> Mapping[str, int]:
    pairs = (part.split("=") for part in text.split("/") if part)
    return MappingProxyType({key: int(thin_id) for key, thin_id in pairs})


def outcomes_of(tags: Iterable[str]) -> tuple[Outcome, ...]:
    """Every outcome among ``tags``."""
    parsed = (parse_outcome(tag) for tag in tags)
    return tuple(outcome for outcome in parsed if outcome is not None)


def single_tags(origin_uuid: str) -> tuple[str, ...]:
    """The tags of a snapshot that the module ``snapshot`` makes of the origin with that LV UUID."""
    return (SINGLE, f"{_SINGLE_ORIGIN}{origin_uuid}")


def is_single_of(tags: Iterable[str], origin_uuid: str) -> bool:
    """Whether ``tags`` say that their LV was made as a single snapshot of that origin."""
    return f"{_SINGLE_ORIGIN}{origin_uuid}" in tags


def ours(tags: Iterable[str]) -> tuple[str, ...]:
    """Those of ``tags`` that mark an LV as a member or as a single snapshot."""
    return tuple(tag for tag in tags if tag.startswith((_MEMBER, SINGLE)))
