# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps a plan is made of, each exactly one LVM command. Pure; private to this collection.

Every step names its LVs. None chooses them by a tag: one on an origin would reach the origin and its snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Union

from .._settings import POLL_SECONDS
from .sizes import CHUNK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._model import LvKey, Volume


@dataclass(frozen=True)
class CreateThick:
    """Make a thick snapshot with a store of ``extents`` extents, ``size`` bytes."""

    vg: str
    origin: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``; the chunk size is given because the size was computed for it."""
        return (
            *(
                "lvcreate",
                "--yes",
                "--snapshot",
                "--extents",
                str(self.extents),
                "--chunksize",
                f"{CHUNK_SIZE}b",
            ),
            *(
                "--name",
                self.name,
                *_tag_options("--addtag", self.tags),
                f"{self.vg}/{self.origin}",
            ),
        )

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "create",
            "vg": self.vg,
            "origin": self.origin,
            "snapshot": self.name,
            "kind": "thick",
            "size": self.size,
        }


@dataclass(frozen=True)
class CreateThin:
    """Make a thin snapshot; it stays inactive, so that the host never sees its filesystem twice."""

    vg: str
    origin: str
    name: str
    tags: tuple[str, ...]
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``; without a size, or LVM would make a thick one (lvcreate(8))."""
        return (
            *("lvcreate", "--yes", "--snapshot", "--setactivationskip", "y"),
            *(
                "--name",
                self.name,
                *_tag_options("--addtag", self.tags),
                f"{self.vg}/{self.origin}",
            ),
        )

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "create",
            "vg": self.vg,
            "origin": self.origin,
            "snapshot": self.name,
            "kind": "thin",
        }


@dataclass(frozen=True)
class CreateVolume:
    """Make an auxiliary LV, that is neither origin nor snapshot, of ``extents`` extents, ``size`` bytes."""

    purpose: Literal["backup", "timer"]
    vg: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return (
            *("lvcreate", "--yes", "--type", "linear", "--extents", str(self.extents), "--wipesignatures", "y"),
            *("--name", self.name, *_tag_options("--addtag", self.tags), self.vg),
        )

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": f"create_{self.purpose}", "vg": self.vg, "volume": self.name, "size": self.size}


@dataclass(frozen=True)
class Extend:
    """Make the store of a thick snapshot ``extents`` extents, ``size`` bytes, large."""

    vg: str
    snapshot: str
    extents: int
    size: int
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return (
            "lvextend",
            "--yes",
            "--extents",
            str(self.extents),
            f"{self.vg}/{self.snapshot}",
        )

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "extend",
            "vg": self.vg,
            "snapshot": self.snapshot,
            "size": self.size,
        }


@dataclass(frozen=True)
class Retag:
    """Write tags: the seal on members, or what origins remember.

    ``undo`` are the steps that give each of the LVs what it had before; LVs that no longer need that are left out.
    """

    purpose: Literal["seal", "remember_merge", "remember_rollback", "accept_loss", "forget", "restored"]
    volumes: tuple[str, ...]
    add: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    undo: tuple[Retag, ...] = ()
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``; adding a tag that is there or deleting one that is not does no harm (LVM 2.03)."""
        return (
            *("lvchange", "--yes"),
            *_tag_options("--deltag", self.delete),
            *_tag_options("--addtag", self.add),
            *self.volumes,
        )

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": self.purpose, "volumes": list(self.volumes)}


@dataclass(frozen=True)
class MergeOne:
    """A snapshot and its origin, as VG/LV, and what tells afterwards whether the one has gone into the other."""

    snapshot: str
    origin: str
    key: LvKey
    thin_id: int | None


@dataclass(frozen=True)
class Merge:
    """Ask LVM to merge snapshots into their origins, in the background."""

    members: tuple[MergeOne, ...]
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``; plain --merge because one command takes thick and thin ones."""
        return (
            "lvconvert",
            "--yes",
            "--merge",
            "--background",
            "--interval",
            str(POLL_SECONDS),
            *(member.snapshot for member in self.members),
        )

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "merge", "volumes": [member.snapshot for member in self.members]}


@dataclass(frozen=True)
class Start:
    """Start pending merges into origins that nobody has open any more."""

    origins: tuple[str, ...]
    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return ("lvchange", "--yes", "--refresh", *self.origins)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "start", "volumes": list(self.origins)}


@dataclass(frozen=True)
class Poll:
    """Make somebody watch merges to their end; without that a drained merge stays in the metadata for ever."""

    origins: tuple[str, ...]
    changes = False

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return ("lvchange", "--yes", "--poll", "y", *self.origins)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "poll", "volumes": list(self.origins)}


@dataclass(frozen=True)
class Remove:
    """Remove LVs that this collection made; by ``keys`` LVM spares another LV that has got such a name meanwhile."""

    volumes: tuple[str, ...]
    keys: tuple[LvKey, ...]
    changes = True

    @classmethod
    def of(cls, volumes: Iterable[Volume]) -> Remove:
        """The step that removes ``volumes``."""
        found = tuple(volumes)
        return cls(volumes=tuple(one.full_name for one in found), keys=tuple(one.key for one in found))

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``; of the LVs that are named, only those that are selected as well go."""
        selection = " || ".join(f"(vg_uuid={vg} && lv_uuid={lv})" for vg, lv in self.keys)
        return ("lvremove", "--yes", "--select", selection, *self.volumes)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove", "volumes": list(self.volumes)}


Create = Union[CreateThick, CreateThin]
Step = Union[CreateThick, CreateThin, CreateVolume, Extend, Retag, Merge, Start, Poll, Remove]


def _tag_options(option: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for tag in tags for word in (option, tag))
