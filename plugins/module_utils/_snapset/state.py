# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapset instances, their members, and the states of both. Pure; private to this collection.

The package ``_snapset`` knows what a snapset is, from tags and LVM's report, and which steps change one. It must not
know how anything is read or run: all of it is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from .sizes import cow_maximum_extents, extents_for

if TYPE_CHECKING:
    from .._model import HostState, Kind, LvKey, Volume
    from .outcome_tags import Outcome

MemberState = Literal[
    "active",
    "unknown",
    "invalid",
    "merge_pending",
    "merging",
    "merge_failed",
    "merged",
    "rolled_back",
    "lost",
    "detached",
]
SetState = Literal[
    "damaged",
    "invalid",
    "merge_failed",
    "partly_merged",
    "merging",
    "merge_pending",
    "incomplete",
    "active",
    "rolled_back",
    "absent",
]

ROLLING_BACK: frozenset[MemberState] = frozenset({"merge_pending", "merging", "merge_failed", "merged", "rolled_back"})
"""States of a member whose rollback has started."""

LOST_MEMBERS: frozenset[MemberState] = frozenset({"lost", "detached", "invalid"})
"""States of a member that can never be rolled back."""


@dataclass(frozen=True)
class Member:
    """One snapshot of an instance and its origin. Each is None if it no longer exists.

    In the state ``merged`` the snapshot has been merged, but its origin does not record that yet. Its empty COW store
    may still exist, as ``snapshot``. In the state ``detached`` an LV has the member's tags but is not a snapshot of the
    recorded origin.
    """

    state: MemberState
    origin: Volume | None = None
    snapshot: Volume | None = None
    origin_key: LvKey | None = None
    outcome: Outcome | None = None

    @property
    def kind(self) -> Kind:
        """Thick or thin: that of the snapshot if it exists, else that of the origin."""
        witness = self.snapshot or self.origin
        return "thin" if witness is not None and witness.is_thin else "thick"

    @property
    def label(self) -> str:
        """The member's name in messages: its snapshot if it exists, else its origin."""
        witness = self.snapshot or self.origin
        return witness.full_name if witness else "a missing member"


@dataclass(frozen=True)
class Instance:
    """One snapset instance, identified by its ID. ``single``: it is one snapshot of the module ``snapshot``.

    ``host`` is the host that its tags record, empty if none.
    """

    name: str
    set_id: str
    count: int
    created: int | None
    members: tuple[Member, ...]
    sealed: bool = True
    half_sealed: bool = False
    single: bool = False
    host: str = ""

    @property
    def live(self) -> tuple[Member, ...]:
        """The members whose snapshot still exists."""
        return tuple(member for member in self.members if member.snapshot is not None)

    def members_in(self, *states: MemberState) -> tuple[Member, ...]:
        """The members in one of ``states``."""
        return tuple(member for member in self.members if member.state in states)

    @property
    def rollback_started(self) -> bool:
        """Whether at least one member is being rolled back or has been."""
        return bool(self.members_in(*ROLLING_BACK))

    @property
    def unrecoverable(self) -> bool:
        """Whether it can never be rolled back completely: it is incomplete, or a member is lost."""
        return not self.sealed or bool(self.members_in(*LOST_MEMBERS))

    @property
    def state(self) -> SetState:
        """The state of the set: the first one that applies."""
        states = {member.state for member in self.members}
        checks: tuple[tuple[bool, SetState], ...] = (
            (self.sealed and bool(states & {"lost", "detached"}), "damaged"),
            ("invalid" in states, "invalid"),
            ("merge_failed" in states, "merge_failed"),
            (
                bool(states & ROLLING_BACK) and bool(states & {"active", "unknown"}),
                "partly_merged",
            ),
            (bool(states & {"merging", "merged"}), "merging"),
            ("merge_pending" in states, "merge_pending"),
            (not self.sealed, "incomplete"),
            (states == {"rolled_back"}, "rolled_back"),
            (not states, "absent"),
        )
        return next((state for fits, state in checks if fits), "active")

    @property
    def rolled_back_at(self) -> int | None:
        """When the rollback of the last origin was recorded, in seconds since the epoch; None before that."""
        if self.state != "rolled_back":
            return None
        return max(member.outcome.at for member in self.members if member.outcome)

    @property
    def outcome_name(self) -> str:
        """The name under which origins record what becomes of the instance."""
        return single_outcome_name(self.name) if self.single else self.name


def member_state(origin: Volume | None, snapshot: Volume) -> MemberState:
    """The state of an existing snapshot of ``origin``, from what LVM reports about both.

    A thick merge is pending until the origin's table is ``snapshot-merge``. From then on LVM reports a data_percent for
    the origin (lib/activate/dev_manager.c). A thin merge is pending as long as the snapshot exists.
    """
    if not snapshot.is_snapshot or origin is None:
        return "detached"
    if snapshot.is_thick_snapshot:
        return _thick_state(origin, snapshot)
    return "merge_pending" if snapshot.merging else "active"


def _thick_state(origin: Volume, snapshot: Volume) -> MemberState:
    if snapshot.merge_failed or origin.merge_failed:
        return "merge_failed"
    if snapshot.invalid or (snapshot.merging and origin.invalid):
        return "invalid"
    if snapshot.merging:
        # A thin origin always has a data_percent, so the best sign is whether it is in use.
        pending = bool(origin.open) if origin.is_thin else origin.data_percent is None
        return "merge_pending" if pending else "merging"
    return "unknown" if snapshot.invalid is None or not snapshot.active else "active"


def merge_percent(member: Member) -> Fraction | None:
    """The progress of a merge in percent, as lvconvert(8) counts it; None if none is running.

    The kernel reports how full the store still is. So the merge of a store that was 25% full begins at 75%.
    """
    if member.state == "merging" and member.origin and member.origin.data_percent is not None:
        return 100 - member.origin.data_percent
    return Fraction(100) if member.state in ("merged", "rolled_back") else None


def cannot_overflow(host_state: HostState, origin: Volume, snapshot: Volume) -> bool:
    """Whether the COW store of a thick snapshot has its maximum size."""
    group = host_state.group(origin.vg)
    if group is None:
        return False
    maximum = cow_maximum_extents(origin.size, group.extent_size, snapshot.chunk_size)
    return extents_for(snapshot.size, group.extent_size) >= maximum


_SINGLE_MARK = "/"


def single_outcome_name(snapshot: str) -> str:
    """The name under which an origin records a single snapshot. No snapset can have it."""
    return f"{_SINGLE_MARK}{snapshot}"


def is_single_name(name: str) -> bool:
    """Whether ``name`` is a name under which origins record a single snapshot."""
    return name.startswith(_SINGLE_MARK)
