# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps of plans that are one LVM command. Pure; private to this collection.

Every step names its LVs. None selects them by tag: a tag on an origin would select its snapshots too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._host.steps import Erase
from .._names import device_path
from .._settings import POLL_SECONDS
from .._steps import StepFailed
from .sizes import CHUNK_SIZE
from .tags import is_seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .._model import LvKey, Volume
    from .._steps import CommandResult, Runner, Step


class LvmStep:
    """A step that is one LVM command."""

    @property
    def changes(self) -> bool:
        """Whether the command changes the host."""
        return True

    @property
    def lvs(self) -> tuple[str, ...]:
        """The LVs that the command names, as VG/LV."""
        raise NotImplementedError

    @property
    def vgs(self) -> tuple[str, ...]:
        """The names of the VGs that the command changes."""
        return tuple(sorted({name.partition("/")[0] for name in self.lvs}))

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        raise NotImplementedError

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        raise NotImplementedError

    def run(self, runner: Runner) -> CommandResult:
        """Run the command, and return how it ended."""
        return runner.run(self.arguments(), vgs=self.vgs)

    def carry_out(self, runner: Runner) -> None:
        """Run the command. Raises StepFailed if LVM reports an error."""
        result = self.run(runner)
        if result.rc != 0:
            raise StepFailed(result)


@dataclass(frozen=True)
class _VolumesStep(LvmStep):
    """A command on LVs that exist; ``volumes`` are VG/LV."""

    volumes: tuple[str, ...]

    @property
    def lvs(self) -> tuple[str, ...]:
        """The LVs."""
        return self.volumes

    @property
    def name(self) -> str:
        """The name of the step in ``planned``."""
        raise NotImplementedError

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": self.name, "volumes": list(self.volumes)}


@dataclass(frozen=True)
class CreateSnapshot(LvmStep):
    """Create a snapshot of ``origin``. Its tags are there from the first moment."""

    vg: str
    origin: str
    name: str
    tags: tuple[str, ...]

    @property
    def lvs(self) -> tuple[str, ...]:
        """The origin."""
        return (f"{self.vg}/{self.origin}",)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of lvcreate(8) for this kind of snapshot."""
        raise NotImplementedError

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        named = ("--name", self.name, *_tag_options("--addtag", self.tags), *self.lvs)
        return ("lvcreate", "--yes", "--snapshot", *self.options, *named)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "create", "vg": self.vg, "origin": self.origin, "snapshot": self.name}


@dataclass(frozen=True)
class CreateThick(CreateSnapshot):
    """Create a thick snapshot with a COW store of ``extents`` extents, which are ``size`` bytes."""

    extents: int
    size: int

    @property
    def options(self) -> tuple[str, ...]:
        """The size, and the chunk size for which it was computed."""
        return ("--extents", str(self.extents), "--chunksize", f"{CHUNK_SIZE}b")

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {**super().render(), "kind": "thick", "size": self.size}


@dataclass(frozen=True)
class CreateThin(CreateSnapshot):
    """Create a thin snapshot. It stays inactive, so the host never sees its filesystem twice."""

    @property
    def options(self) -> tuple[str, ...]:
        """No size: with one, LVM would create a thick snapshot (lvcreate(8))."""
        return ("--setactivationskip", "y")

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {**super().render(), "kind": "thin"}


@dataclass(frozen=True)
class CreateVolume(LvmStep):
    """Create an auxiliary LV of ``extents`` extents, which are ``size`` bytes."""

    purpose: Literal["backup", "timer"]
    vg: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]

    @property
    def makes(self) -> str:
        """The LV, for messages."""
        return f"{self.vg}/{self.name}"

    @property
    def lvs(self) -> tuple[str, ...]:
        """The LV."""
        return (self.makes,)

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        return (
            *("lvcreate", "--yes", "--type", "linear", "--extents", str(self.extents), "--wipesignatures", "y"),
            *("--name", self.name, *_tag_options("--addtag", self.tags), self.vg),
        )

    def undo(self, runner: Runner) -> bool:
        """Remove the LV, if its tags show that this step created it."""
        made = runner.observe().volume(self.vg, self.name)
        if made is None or not set(self.tags) <= set(made.all_tags):
            return False
        for step in removal_of([made]):
            step.carry_out(runner)
        return True

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": f"create_{self.purpose}", "vg": self.vg, "volume": self.name, "size": self.size}


@dataclass(frozen=True)
class Extend(LvmStep):
    """Extend the COW store of a thick snapshot to ``extents`` extents, which are ``size`` bytes."""

    vg: str
    snapshot: str
    extents: int
    size: int

    @property
    def lvs(self) -> tuple[str, ...]:
        """The snapshot."""
        return (f"{self.vg}/{self.snapshot}",)

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        return ("lvextend", "--yes", "--extents", str(self.extents), *self.lvs)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "extend", "vg": self.vg, "snapshot": self.snapshot, "size": self.size}


@dataclass(frozen=True)
class Retag(_VolumesStep):
    """Write tags: the seal on members, outcomes on origins, or the host on everything of a set.

    ``undo`` are the steps that give the LVs back their earlier tags. Who undoes it can leave out some of the LVs.
    """

    purpose: Literal[
        "seal",
        "unseal",
        "remember_merge",
        "remember_rollback",
        "remember_time",
        "accept_loss",
        "forget",
        "restored",
        "adopt",
    ]
    add: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    undo: tuple[Retag, ...] = ()

    @property
    def name(self) -> str:
        """What the tags are for."""
        return self.purpose

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. Adding an existing tag or deleting a missing one is no error (LVM 2.03)."""
        return (
            *("lvchange", "--yes"),
            *_tag_options("--deltag", self.delete),
            *_tag_options("--addtag", self.add),
            *self.volumes,
        )


@dataclass(frozen=True)
class MemberMerge:
    """A snapshot and its origin, as VG/LV. ``key`` and ``thin_id`` of the snapshot show later whether it was merged."""

    snapshot: str
    origin: str
    key: LvKey
    thin_id: int | None


@dataclass(frozen=True)
class Merge(LvmStep):
    """Request the merge of snapshots into their origins, in the background."""

    members: tuple[MemberMerge, ...]

    @property
    def lvs(self) -> tuple[str, ...]:
        """The snapshots."""
        return tuple(member.snapshot for member in self.members)

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. Plain --merge accepts thick and thin snapshots in one command."""
        return ("lvconvert", "--yes", "--merge", "--background", "--interval", str(POLL_SECONDS), *self.lvs)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "merge", "volumes": list(self.lvs)}


_WAYS = {"start": ("--refresh",), "poll": ("--poll", "y"), "activate": ("--activate", "y")}


@dataclass(frozen=True)
class Wake(_VolumesStep):
    """Make LVM continue with LVs: one of three ways of lvchange(8).

    ``start`` begins pending merges into origins that are no longer open. ``poll`` makes LVM poll merges until they end;
    otherwise a finished merge stays in the metadata forever. ``activate`` activates LVs.
    """

    way: Literal["start", "poll", "activate"]

    @property
    def changes(self) -> bool:
        """What LVM ends because it polls is not a change by this collection."""
        return self.way != "poll"

    @property
    def name(self) -> str:
        """The way."""
        return self.way

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        return ("lvchange", "--yes", *_WAYS[self.way], *self.volumes)


@dataclass(frozen=True)
class Remove(_VolumesStep):
    """Remove LVs of this collection. By ``keys``, LVM keeps another LV that has got one of the names meanwhile."""

    keys: tuple[LvKey, ...]

    @classmethod
    def of(cls, volumes: Iterable[Volume]) -> Remove:
        """The step that removes ``volumes``."""
        found = tuple(volumes)
        return cls(volumes=tuple(one.full_name for one in found), keys=tuple(one.key for one in found))

    @property
    def name(self) -> str:
        """The name of the step in ``planned``."""
        return "remove"

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. It removes only LVs that are both named and selected."""
        selection = " || ".join(f"(vg_uuid={vg} && lv_uuid={lv})" for vg, lv in self.keys)
        return ("lvremove", "--yes", "--select", selection, *self.volumes)


def removal_of(volumes: Sequence[Volume]) -> Iterator[Step]:
    """The steps that remove auxiliary LVs. First they lose their content, and before it the tag that they have it."""
    if not volumes:
        return
    seals = tuple(dict.fromkeys(tag for one in volumes for tag in one.tags if is_seal(tag)))
    if seals:
        yield Retag(purpose="unseal", volumes=tuple(one.full_name for one in volumes), delete=seals)
    if active := [one for one in volumes if one.active]:
        yield Erase(tuple((one.full_name, device_path(one.vg, one.name)) for one in active))
    yield Remove.of(volumes)


def _tag_options(option: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for tag in tags for word in (option, tag))
