# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of plans that are exactly one LVM command. Pure; private to this collection.

Every step names its LVs. None chooses them by a tag: one on an origin would reach the origin and its snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Union

from .._settings import POLL_SECONDS
from .._steps import StepFailed
from .sizes import CHUNK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._model import CommandResult, LvKey, Volume
    from .._steps import Runner


class LvmStep:
    """A step that is one LVM command."""

    changes = True

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        raise NotImplementedError

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        raise NotImplementedError

    @property
    def vgs(self) -> tuple[str, ...]:
        """The names of the VGs that the command changes."""
        raise NotImplementedError

    def run(self, runner: Runner) -> CommandResult:
        """Run the command, and return how it ended."""
        return runner.run(self.arguments(), vgs=self.vgs)

    def carry_out(self, runner: Runner) -> None:
        """Run the command. Raises StepFailed with LVM's message."""
        result = self.run(runner)
        if result.rc != 0:
            raise StepFailed(result)


@dataclass(frozen=True)
class CreateThick(LvmStep):
    """Make a thick snapshot with a store of ``extents`` extents, ``size`` bytes."""

    vg: str
    origin: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VG of its LVs."""
        return (self.vg,)

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
class CreateThin(LvmStep):
    """Make a thin snapshot; it stays inactive, so that the host never sees its filesystem twice."""

    vg: str
    origin: str
    name: str
    tags: tuple[str, ...]

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VG of its LVs."""
        return (self.vg,)

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
class CreateVolume(LvmStep):
    """Make an auxiliary LV, that is neither origin nor snapshot, of ``extents`` extents, ``size`` bytes."""

    purpose: Literal["backup", "timer"]
    vg: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VG of its LVs."""
        return (self.vg,)

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return (
            *("lvcreate", "--yes", "--type", "linear", "--extents", str(self.extents), "--wipesignatures", "y"),
            *("--name", self.name, *_tag_options("--addtag", self.tags), self.vg),
        )

    @property
    def makes(self) -> str:
        """The LV."""
        return f"{self.vg}/{self.name}"

    def undo(self, runner: Runner) -> bool:
        """Remove the LV, which its tags tell from one that others have made there."""
        made = runner.observe().volume(self.vg, self.name)
        if made is None or not set(self.tags) <= set(made.tags):
            return False
        Remove.of([made]).carry_out(runner)
        return True

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": f"create_{self.purpose}", "vg": self.vg, "volume": self.name, "size": self.size}


@dataclass(frozen=True)
class Extend(LvmStep):
    """Make the store of a thick snapshot ``extents`` extents, ``size`` bytes, large."""

    vg: str
    snapshot: str
    extents: int
    size: int

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VG of its LVs."""
        return (self.vg,)

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
class Retag(LvmStep):
    """Write tags: the seal on members, or what origins remember.

    ``undo`` are the steps that give each of the LVs what it had before; LVs that no longer need that are left out.
    """

    purpose: Literal["seal", "remember_merge", "remember_rollback", "accept_loss", "forget", "restored"]
    volumes: tuple[str, ...]
    add: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    undo: tuple[Retag, ...] = ()

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VGs of its LVs."""
        return _vgs_of(self.volumes)

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
class Merge(LvmStep):
    """Ask LVM to merge snapshots into their origins, in the background."""

    members: tuple[MergeOne, ...]

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VGs of its LVs."""
        return _vgs_of(member.origin for member in self.members)

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
class Start(LvmStep):
    """Start pending merges into origins that nobody has open any more."""

    origins: tuple[str, ...]

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VGs of its LVs."""
        return _vgs_of(self.origins)

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return ("lvchange", "--yes", "--refresh", *self.origins)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "start", "volumes": list(self.origins)}


@dataclass(frozen=True)
class Activate(LvmStep):
    """Activate LVs."""

    volumes: tuple[str, ...]

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VGs of its LVs."""
        return _vgs_of(self.volumes)

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return ("lvchange", "--yes", "--activate", "y", *self.volumes)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "activate", "volumes": list(self.volumes)}


@dataclass(frozen=True)
class Poll(LvmStep):
    """Make somebody watch merges to their end; without that a drained merge stays in the metadata for ever."""

    origins: tuple[str, ...]
    changes = False

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VGs of its LVs."""
        return _vgs_of(self.origins)

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``."""
        return ("lvchange", "--yes", "--poll", "y", *self.origins)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "poll", "volumes": list(self.origins)}


@dataclass(frozen=True)
class Remove(LvmStep):
    """Remove LVs that this collection made; by ``keys`` LVM spares another LV that has got such a name meanwhile."""

    volumes: tuple[str, ...]
    keys: tuple[LvKey, ...]

    @classmethod
    def of(cls, volumes: Iterable[Volume]) -> Remove:
        """The step that removes ``volumes``."""
        found = tuple(volumes)
        return cls(volumes=tuple(one.full_name for one in found), keys=tuple(one.key for one in found))

    @property
    def vgs(self) -> tuple[str, ...]:
        """The VGs of its LVs."""
        return _vgs_of(self.volumes)

    def arguments(self) -> tuple[str, ...]:
        """What follows ``lvm``; of the LVs that are named, only those that are selected as well go."""
        selection = " || ".join(f"(vg_uuid={vg} && lv_uuid={lv})" for vg, lv in self.keys)
        return ("lvremove", "--yes", "--select", selection, *self.volumes)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove", "volumes": list(self.volumes)}


Create = Union[CreateThick, CreateThin]


def _vgs_of(names: Iterable[str]) -> tuple[str, ...]:
    """The VGs of LVs that are given as VG/LV."""
    return tuple(sorted({name.partition("/")[0] for name in names}))


def _tag_options(option: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for tag in tags for word in (option, tag))
