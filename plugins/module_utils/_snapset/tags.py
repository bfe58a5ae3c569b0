# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The LVM tags that record the state of snapsets: written and parsed. Pure; private to this collection.

LVM accepts ``A-Za-z0-9._-+/=!:&#`` in a tag (lib/misc/lvm-string.c, LVM 2.03). All values here use only these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from .._names import set_name_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MEMBER = "safepoint.member."
BOOT = "safepoint.boot."
BOOT_RESTORED = f"{BOOT}restored"
TIMER = "safepoint.timer."
TIMER_READY = f"{TIMER}ready"
TIMER_FIRED = f"{TIMER}fired"
SINGLE = "safepoint.single"
_SINGLE_ORIGIN = f"{SINGLE}.origin="
SEALED = f"{MEMBER}sealed"

_MOST_MEMBERS = 9999
# The end of the year 9999, the last one that Python's datetime supports.
_LAST_SECOND = 253402300799
# Roles use it in file names.
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_HOST = re.compile(r"[0-9a-f]{16}|")


@dataclass(frozen=True)
class MemberTags:
    """The tags that a member has from the moment ``lvcreate`` creates it.

    ``set_id`` is the ID of the instance, a new UUID for each one. ``count`` is the number of members. ``origin_uuid``
    is the origin's LV UUID. ``taken`` is in seconds since the epoch. ``pvs`` are the short UUIDs of the VG's PVs, only
    for an LV with the root filesystem. ``vg`` is the VG's UUID, ``host`` the ``host_id`` of the host that created it;
    release 0.1.0 wrote neither.
    """

    set_name: str
    set_id: str
    count: int
    origin_uuid: str
    taken: int
    pvs: tuple[str, ...] | None = None
    sealed: bool = False
    vg: str = ""
    host: str = ""

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``. The seal is not among them: it is added when the last member exists."""
        pvs = None if self.pvs is None else ":".join(self.pvs)
        known = {"count": self.count, "origin": self.origin_uuid, "taken": self.taken, "pvs": pvs}
        return _format_tags(MEMBER, self, known)


def parse_member(tags: Iterable[str]) -> MemberTags | None:
    """Parse the tags of a member. None if ``tags`` are not those of a member.

    It is also None if tags were edited by hand and are no longer valid (a part is missing, a number or name is wrong).
    """
    values = dict(_key_values(tags, MEMBER))
    try:
        return MemberTags(
            **_common(values),
            count=parse_count(values["count"]),
            origin_uuid=values["origin"],
            taken=parse_seconds(values["taken"]),
            pvs=tuple(values["pvs"].split(":")) if "pvs" in values else None,
            sealed="sealed" in values,
        )
    except (KeyError, ValueError):
        return None


class _Common(TypedDict):
    """What all kinds of tags have in common."""

    set_name: str
    set_id: str
    vg: str
    host: str


def _common(values: Mapping[str, str]) -> _Common:
    set_name, set_id = _set_name(values["set"]), parse_id(values["id"])
    return {
        "set_name": set_name,
        "set_id": set_id,
        "vg": values.get("vg", ""),
        "host": parse_host(values.get("host", "")),
    }


def _format_tags(prefix: str, tags: MemberTags | BootTags | TimerTags, values: Mapping[str, object]) -> tuple[str, ...]:
    known = {"set": tags.set_name, "id": tags.set_id, **values, "vg": tags.vg or None}
    named = [f"{prefix}{key}={value}" for key, value in known.items() if value is not None]
    return (*named, *host_tags(prefix, tags.host))


def host_tags(prefix: str, host: str) -> tuple[str, ...]:
    """The tag that records the host; none if ``host`` is empty. ``prefix`` is that of the other tags of the LV."""
    return (f"{prefix}host={host}",) if host else ()


def parse_count(text: str) -> int:
    """The number of members. This and the next three raise ValueError if ``text`` is not valid."""
    count = int(text)
    if not 1 <= count <= _MOST_MEMBERS:
        raise ValueError(text)
    return count


def parse_seconds(text: str) -> int:
    """Seconds, since the epoch or not."""
    seconds = int(text)
    if not 0 <= seconds <= _LAST_SECOND:
        raise ValueError(text)
    return seconds


def parse_id(text: str) -> str:
    """The ID of an instance."""
    if not _ID.fullmatch(text):
        raise ValueError(text)
    return text


def parse_host(text: str) -> str:
    """The ``host_id`` of a host, or nothing."""
    if not _HOST.fullmatch(text):
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

    ``set_id`` is the ID of the instance that it belongs to. ``taken`` is in seconds since the epoch. ``vg`` and
    ``host`` are as in MemberTags. Two tags are added later: ``manifest``, the checksum of the backup's manifest
    (SHA-256, 64 hex digits), when the whole backup is on the disk, and ``restored`` when all of it has been restored.
    """

    set_name: str
    set_id: str
    taken: int
    manifest: str = ""
    restored: bool = False
    vg: str = ""
    host: str = ""

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``, without those that are added later."""
        return _format_tags(BOOT, self, {"taken": self.taken})


def parse_boot(tags: Iterable[str]) -> BootTags | None:
    """Parse the tags of a backup of /boot. None if ``tags`` are not those of a backup."""
    values = dict(_key_values(tags, BOOT))
    try:
        return BootTags(
            **_common(values),
            taken=parse_seconds(values["taken"]),
            manifest=values.get("manifest", ""),
            restored="restored" in values,
        )
    except (KeyError, ValueError):
        return None


def boot_seal(manifest: str) -> str:
    """The tag that marks a backup as complete."""
    return f"{BOOT}manifest={manifest}"


def is_seal(tag: str) -> bool:
    """Whether a tag marks the LV of a backup or of a timer as complete."""
    return tag == TIMER_READY or tag.startswith(boot_seal(""))


@dataclass(frozen=True)
class TimerTags:
    """The tags of the LV of a rollback timer.

    ``set_id`` is the ID of the instance that it belongs to. ``armed`` is in seconds since the epoch, ``after`` in
    seconds from when its program starts, a little later. ``spread`` is how many seconds later it fires at most.
    ``boots`` is the number of failed boots after which it fires; with 0 it ignores them. ``vg`` and ``host`` are as in
    MemberTags. Two tags are added later: ``ready`` when everything is on the disk and was tested, and ``fired``
    (seconds since the epoch) when it fires.
    """

    set_name: str
    set_id: str
    armed: int
    after: int
    boots: int
    ready: bool = False
    fired: int | None = None
    vg: str = ""
    host: str = ""
    spread: int = 0

    def to_tags(self) -> tuple[str, ...]:
        """The tags for ``lvcreate --addtag``, without those that are added later."""
        known = {"armed": self.armed, "after": self.after, "spread": self.spread, "boots": self.boots}
        return _format_tags(TIMER, self, known)

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
            **_common(values),
            armed=parse_seconds(values["armed"]),
            after=parse_seconds(values["after"]),
            boots=parse_seconds(values["boots"]),
            ready="ready" in values,
            fired=None if fired is None else parse_seconds(fired),
            spread=parse_seconds(values.get("spread", "0")),
        )
    except (KeyError, ValueError):
        return None


def is_auxiliary(tags: Iterable[str]) -> bool:
    """Whether ``tags`` are those of an auxiliary LV (a backup of /boot or a rollback timer)."""
    return any(tag.startswith((BOOT, TIMER)) for tag in tags)


def single_tags(origin_uuid: str) -> tuple[str, ...]:
    """The tags of a snapshot that the module ``snapshot`` creates; the origin has that LV UUID."""
    return (SINGLE, f"{_SINGLE_ORIGIN}{origin_uuid}")


def is_single_of(tags: Iterable[str], origin_uuid: str) -> bool:
    """Whether ``tags`` are those of a single snapshot of that origin."""
    return f"{_SINGLE_ORIGIN}{origin_uuid}" in tags


def membership_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Those of ``tags`` that mark an LV as a member of a set or as a single snapshot."""
    return tuple(tag for tag in tags if tag.startswith((MEMBER, SINGLE)))
