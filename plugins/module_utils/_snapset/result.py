# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set in a module's result: as it is, or as a plan would leave it. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._durations import iso_date
from .._host_model import SWAP
from .state import Instance, Member, MemberState, SetState, cannot_overflow, merge_percent

if TYPE_CHECKING:
    from .._model import HostState, Kind, Volume

_FAST_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class MemberView:
    """A member. Sizes are in bytes, percents as LVM prints them. In a prediction, None means unknown."""

    vg: str
    origin: str
    snapshot: str | None
    kind: Kind
    state: MemberState
    mountpoints: tuple[str, ...] = ()
    size: int | None = None
    used_percent: float | None = None
    merge_percent: float | None = None
    auto_basis: str | None = None
    origin_open: bool = False

    @property
    def public_state(self) -> str:
        """The documented state: a merged snapshot counts as merging until its origin records the rollback."""
        return "merging" if self.state == "merged" else self.state

    def to_result(self) -> dict[str, Any]:
        """Everything that is known, for the module's result."""
        return {
            **self.to_stable(),
            "snapshot": self.snapshot,
            "size": self.size,
            "used_percent": self.used_percent,
            "merge_percent": self.merge_percent,
            "auto_basis": self.auto_basis,
        }

    def to_stable(self) -> dict[str, Any]:
        """What a prediction and the real run have in common. Nobody can predict how long a merging snapshot exists."""
        merging = self.public_state == "merging"
        return {
            "vg": self.vg,
            "origin": self.origin,
            "snapshot": None if merging else self.snapshot,
            "kind": self.kind,
            "mountpoints": list(self.mountpoints),
            "size": None if merging else self.size,
            "state": self.public_state,
        }


@dataclass(frozen=True)
class View:
    """A set or a single snapshot. ``created`` and ``rolled_back_at`` are in seconds since the epoch."""

    name: str
    state: SetState
    members: tuple[MemberView, ...] = ()
    set_id: str | None = None
    created: int | None = None
    rolled_back_at: int | None = None

    @property
    def reboot_required(self) -> bool:
        """Whether a merge waits because its origin is in use: only a reboot or an unmount starts it."""
        return any(member.state == "merge_pending" and member.origin_open for member in self.members)

    @property
    def poll_after(self) -> int | None:
        """The seconds after which it is useful to run again; None if no merge runs or can be started."""
        running = [member for member in self.members if member.public_state == "merging"]
        # While udev has the origin open for a moment, as after an unmount, LVM does not start the merge.
        startable = any(member.state == "merge_pending" and not member.origin_open for member in self.members)
        if not running and not startable:
            return None
        left = sum((m.size or 0) * (100 - (m.merge_percent or 0)) / 100 for m in running if m.kind == "thick")
        return max(2, min(30, int(left / _FAST_BYTES)))

    def to_result(self, now: int) -> dict[str, Any]:
        """The set as a module returns it. The age is computed from ``now``, in seconds since the epoch."""
        return {
            "name": self.name,
            "id": self.set_id,
            "state": self.state,
            "created": _iso(self.created),
            "age": None if self.created is None else max(0, now - self.created),
            "rolled_back_at": _iso(self.rolled_back_at),
            "members": [member.to_result() for member in self.members],
        }

    def to_check_result(self, now: int) -> dict[str, Any]:
        """The set as check mode returns it. ID, creation time and age are known only if the set exists and is kept."""
        stays = self.set_id is not None and self.state == "active"
        known = self.to_result(now)
        return {**self.to_prediction(), **({key: known[key] for key in ("id", "created", "age")} if stays else {})}

    def to_prediction(self) -> dict[str, Any]:
        """What a prediction and the real run have in common."""
        return {
            "name": self.name,
            "state": self.state,
            "members": [member.to_stable() for member in self.members],
        }


def _iso(epoch: int | None) -> str | None:
    return None if epoch is None else iso_date(epoch)


def view_of(host_state: HostState, instance: Instance | None, *, name: str) -> View:
    """The set ``name`` as it is now."""
    if instance is None:
        return View(name=name, state="absent")
    members = [
        _member_view(host_state, member, witness)
        for member in instance.members
        if (witness := member.origin or member.snapshot) is not None
    ]
    return View(
        name=name,
        state=instance.state,
        members=tuple(sorted(members, key=lambda member: (member.vg, member.origin))),
        set_id=instance.set_id,
        created=instance.created,
        rolled_back_at=instance.rolled_back_at,
    )


def _member_view(host_state: HostState, member: Member, witness: Volume) -> MemberView:
    origin, snapshot = member.origin, member.snapshot
    done = merge_percent(member)
    used = snapshot.data_percent if snapshot and member.state in ("active", "invalid") else None
    return MemberView(
        vg=witness.vg,
        origin=origin.name if origin else "",
        snapshot=snapshot.name if snapshot else None,
        kind=member.kind,
        state=member.state,
        mountpoints=mountpoints_of(host_state, origin),
        size=snapshot.size if snapshot else None,
        used_percent=None if used is None else float(used),
        merge_percent=None if done is None else float(done),
        auto_basis=_basis_of(host_state, origin, snapshot),
        origin_open=bool(origin and origin.open),
    )


def mountpoints_of(host_state: HostState, volume: Volume | None) -> tuple[str, ...]:
    """Where ``volume`` is mounted, each mountpoint once. Swap does not count.

    Mounts of the whole filesystem come before those of a part of it (mount --bind), which may be a single file.
    """
    mounts = sorted(host_state.mounts_of(volume), key=lambda mount: mount.is_part) if volume else ()
    return tuple(dict.fromkeys(mount.mountpoint for mount in mounts if mount.mountpoint != SWAP))


def _basis_of(host_state: HostState, origin: Volume | None, snapshot: Volume | None) -> str | None:
    if origin is None or snapshot is None or not snapshot.is_thick_snapshot:
        return None
    return "cannot_overflow" if cannot_overflow(host_state, origin, snapshot) else "estimate"
