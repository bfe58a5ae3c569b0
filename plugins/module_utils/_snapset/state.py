# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a snapset is, and the states of its members and of the whole. Pure; private to this collection.

The package ``_snapset`` knows what a snapset is, by tags and by LVM's report, and the steps that change one. It must
not know how anything is read or run: all of it is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from .sizes import cow_maximum_extents, extents_for

if TYPE_CHECKING:
    from .._model import HostState, Kind, LvKey, Volume
    from .tags import Outcome

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
"""States of a member whose origin has begun to go back."""

LOST_MEMBERS: frozenset[MemberState] = frozenset({"lost", "detached", "invalid"})
"""States of a member by which its origin can never go back."""


@dataclass(frozen=True)
class Member:
    """One snapshot of a taking with its origin, as far as each still exists.

    ``merged`` means: the snapshot is gone into its origin, but the outcome is not yet written down; its empty store
    may still be there, as ``snapshot``.
    ``detached`` means: an LV carries the member's tags and is not a snapshot of the recorded origin.
    """

    state: MemberState
    origin: Volume | None = None
    snapshot: Volume | None = None
    origin_key: LvKey | None = None
    outcome: Outcome | None = None

    @property
    def kind(self) -> Kind:
        """Thick or thin, by the snapshot while there is one."""
        witness = self.snapshot or self.origin
        return "thin" if witness is not None and witness.is_thin else "thick"

    @property
    def label(self) -> str:
        """The member for messages: its snapshot if it exists, else its origin."""
        witness = self.snapshot or self.origin
        return witness.full_name if witness else "a member that is gone"


@dataclass(frozen=True)
class Instance:
    """All that is left of one taking of a set, told by one id. ``single`` is a snapshot of the module ``snapshot``."""

    name: str
    set_id: str
    count: int
    created: int | None
    members: tuple[Member, ...]
    sealed: bool = True
    half_sealed: bool = False
    single: bool = False

    @property
    def live(self) -> tuple[Member, ...]:
        """The members whose snapshot still exists."""
        return tuple(member for member in self.members if member.snapshot is not None)

    def those(self, *states: MemberState) -> tuple[Member, ...]:
        """The members in one of ``states``."""
        return tuple(member for member in self.members if member.state in states)

    @property
    def rollback_started(self) -> bool:
        """Whether a part of it goes back or has gone back already."""
        return bool(self.those(*ROLLING_BACK))

    @property
    def unrecoverable(self) -> bool:
        """Whether it can never go back whole: it never was complete, or a member is gone for good."""
        return not self.sealed or bool(self.those(*LOST_MEMBERS))

    @property
    def state(self) -> SetState:
        """The first that fits of the states of a set."""
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
        """When the last origin was seen to be rolled back, in seconds since the epoch."""
        if self.state != "rolled_back":
            return None
        return max(member.outcome.at for member in self.members if member.outcome)

    @property
    def outcome_name(self) -> str:
        """The name under which origins remember the taking."""
        return single_outcome_name(self.name) if self.single else self.name


def member_state(origin: Volume | None, snapshot: Volume) -> MemberState:
    """The state of a living snapshot of ``origin``, from what LVM reports of both.

    A thick merge is pending until the origin's table is ``snapshot-merge``, which LVM shows by giving the origin a
    data_percent (lib/activate/dev_manager.c); a thin one is pending as long as the snapshot exists.
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
        # A thin origin always has a data_percent; whether it is in use is the next best witness.
        pending = bool(origin.open) if origin.is_thin else origin.data_percent is None
        return "merge_pending" if pending else "merging"
    return "unknown" if snapshot.invalid is None or not snapshot.active else "active"


def merge_percent(member: Member) -> Fraction | None:
    """How far a merge is, in percent as lvconvert(8) counts it, or None when none is running.

    The kernel reports how full the store still is, so a merge of a store that was a quarter full begins at 75.
    """
    if member.state == "merging" and member.origin and member.origin.data_percent is not None:
        return 100 - member.origin.data_percent
    return Fraction(100) if member.state in ("merged", "rolled_back") else None


def cannot_overflow(host_state: HostState, origin: Volume, snapshot: Volume) -> bool:
    """Whether the store of a thick snapshot has its maximum."""
    group = host_state.group(origin.vg)
    if group is None:
        return False
    maximum = cow_maximum_extents(origin.size, group.extent_size, snapshot.chunk_size)
    return extents_for(snapshot.size, group.extent_size) >= maximum


_SINGLE_MARK = "/"


def single_outcome_name(snapshot: str) -> str:
    """The name under which an origin remembers a single snapshot: one that no snapset can have."""
    return f"{_SINGLE_MARK}{snapshot}"


def is_single_name(name: str) -> bool:
    """Whether origins remember a single snapshot by that name."""
    return name.startswith(_SINGLE_MARK)
