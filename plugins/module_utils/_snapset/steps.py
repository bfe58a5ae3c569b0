# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps of plans: the protocols for all modules, and those steps that are one LVM command. Pure; private.

Every step names its LVs. None selects them by tag: a tag on an origin would select its snapshots too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Union, runtime_checkable

from .._errors import SafepointError
from .._settings import POLL_SECONDS
from .sizes import CHUNK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._model import CommandResult, HostState, LvKey, Volume


class StepFailed(SafepointError):
    """One LVM command failed with ``result``. The message says nothing about the other steps of the plan."""

    def __init__(self, result: CommandResult) -> None:
        self.result = result
        said = result.stderr.strip() or result.stdout.strip() or "nothing"
        super().__init__(f"LVM exited with {result.rc} and said: {said}", cmd=list(result.argv), rc=result.rc)


class Runner(Protocol):
    """What steps use to run LVM commands and to observe the host."""

    def run(self, arguments: Sequence[str]) -> CommandResult:
        """Run one LVM command that changes something, and wait until it ends."""

    def observe(self) -> HostState:
        """The host as it is now."""


class Step(Protocol):
    """One step of a plan, as a value. The plans of all modules consist of these."""

    @property
    def changes(self) -> bool:
        """Whether it changes the host."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""

    def carry_out(self, runner: Runner) -> None:
        """Carry out the step. Raises SafepointError or OSError."""


@runtime_checkable
class UndoableStep(Step, Protocol):
    """A step that creates something and can remove it again if a later step fails."""

    @property
    def makes(self) -> str:
        """What it creates, for messages."""

    def undo(self, runner: Runner) -> bool:
        """Remove what it has created, even if only partly; return whether there was anything.

        Raises SafepointError or OSError.
        """


@dataclass(frozen=True)
class FileChange:
    """A file in the diff. ``before`` and ``after`` are its text, or a description if the text is large or secret."""

    path: str
    before: str = ""
    after: str = ""

    def to_diff(self) -> dict[str, str]:
        """In the form of Ansible's diffs."""
        texts = [f"{text}\n" if text and not text.endswith("\n") else text for text in (self.before, self.after)]
        return {"before_header": self.path, "after_header": self.path, "before": texts[0], "after": texts[1]}


@runtime_checkable
class FileStep(Step, Protocol):
    """A step that writes, replaces or removes files."""

    def changed_files(self) -> list[FileChange]:
        """The files that it changes."""


class LvmStep:
    """A step that is one LVM command."""

    changes = True

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        raise NotImplementedError

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        raise NotImplementedError

    def carry_out(self, runner: Runner) -> None:
        """Run the command. Raises StepFailed if LVM reports an error."""
        result = runner.run(self.arguments())
        if result.rc != 0:
            raise StepFailed(result)


@dataclass(frozen=True)
class CreateThick(LvmStep):
    """Create a thick snapshot with a COW store of ``extents`` extents, which are ``size`` bytes."""

    vg: str
    origin: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. The chunk size is explicit because the size was computed for it."""
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
    """Create a thin snapshot. It stays inactive, so the host never sees its filesystem twice."""

    vg: str
    origin: str
    name: str
    tags: tuple[str, ...]

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. There is no size: with one, LVM would create a thick snapshot (lvcreate(8))."""
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
    """Create an auxiliary LV of ``extents`` extents, which are ``size`` bytes."""

    purpose: Literal["backup", "timer"]
    vg: str
    name: str
    extents: int
    size: int
    tags: tuple[str, ...]

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        return (
            *("lvcreate", "--yes", "--type", "linear", "--extents", str(self.extents), "--wipesignatures", "y"),
            *("--name", self.name, *_tag_options("--addtag", self.tags), self.vg),
        )

    @property
    def makes(self) -> str:
        """The LV."""
        return f"{self.vg}/{self.name}"

    def undo(self, runner: Runner) -> bool:
        """Remove the LV, if its tags show that this step created it."""
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
    """Extend the COW store of a thick snapshot to ``extents`` extents, which are ``size`` bytes."""

    vg: str
    snapshot: str
    extents: int
    size: int

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
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
    """Write tags: the seal on members, or outcomes on origins.

    ``undo`` are the steps that give the LVs back their earlier tags. Who undoes it can leave out some of the LVs.
    """

    purpose: Literal["seal", "remember_merge", "remember_rollback", "accept_loss", "forget", "restored"]
    volumes: tuple[str, ...]
    add: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    undo: tuple[Retag, ...] = ()

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. Adding an existing tag or deleting a missing one is no error (LVM 2.03)."""
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

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. Plain --merge accepts thick and thin snapshots in one command."""
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
    """Start pending merges into origins that are no longer open."""

    origins: tuple[str, ...]

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        return ("lvchange", "--yes", "--refresh", *self.origins)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "start", "volumes": list(self.origins)}


@dataclass(frozen=True)
class Poll(LvmStep):
    """Make LVM poll merges until they end. Otherwise a finished merge stays in the metadata forever."""

    origins: tuple[str, ...]
    changes = False

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``."""
        return ("lvchange", "--yes", "--poll", "y", *self.origins)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "poll", "volumes": list(self.origins)}


@dataclass(frozen=True)
class Remove(LvmStep):
    """Remove LVs of this collection. By ``keys``, LVM keeps another LV that has got one of the names meanwhile."""

    volumes: tuple[str, ...]
    keys: tuple[LvKey, ...]

    @classmethod
    def of(cls, volumes: Iterable[Volume]) -> Remove:
        """The step that removes ``volumes``."""
        found = tuple(volumes)
        return cls(volumes=tuple(one.full_name for one in found), keys=tuple(one.key for one in found))

    def arguments(self) -> tuple[str, ...]:
        """The arguments of ``lvm``. It removes only LVs that are both named and selected."""
        selection = " || ".join(f"(vg_uuid={vg} && lv_uuid={lv})" for vg, lv in self.keys)
        return ("lvremove", "--yes", "--select", selection, *self.volumes)

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove", "volumes": list(self.volumes)}


@dataclass(frozen=True)
class StepsPlan:
    """Ordered steps, and the module's result ``after`` them. In it, None is what only the real run can know."""

    steps: tuple[Step, ...]
    after: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    subject: str = ""


Create = Union[CreateThick, CreateThin]


def _tag_options(option: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for tag in tags for word in (option, tag))
