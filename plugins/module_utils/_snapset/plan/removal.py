# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands against removing what is left of a taking, and the step that removes it. Pure; private."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._names import generated_names
from ..steps import LvmStep, Remove
from ..tags import membership_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState, Volume
    from ..state import Instance, Member


FINISH = "finish with state: merged"


def open_problem(host_state: HostState, member: Member) -> str | None:
    """Why a member's snapshot cannot be taken away, or None when nobody has it open."""
    snapshot = member.snapshot
    if snapshot is None or not (snapshot.open or host_state.mounts_of(snapshot)):
        return None
    return f"the snapshot {snapshot.full_name} itself is {_holders_of(host_state, snapshot)}: close it first"


def removal_problems(host_state: HostState, instance: Instance) -> Iterator[str]:
    """Why what is left of ``instance`` cannot be removed whole; LVM would refuse some of it half-way."""
    for member in instance.live:
        problem = open_problem(host_state, member)
        if problem is None and member.state == "detached":
            problem = _detached_problem(instance, member)
        if problem is None:
            problem = _held_by_lvm(instance, member)
        if problem is not None:
            yield problem


def removal_steps(instances_to_remove: Sequence[Instance]) -> tuple[LvmStep, ...]:
    """The step that removes all that is left of these takings; none when nothing is."""
    snapshots = [member.snapshot for instance in instances_to_remove for member in instance.live if member.snapshot]
    return (Remove.of(snapshots),) if snapshots else ()


def running_merge_problem(origin: Volume, member: Member) -> str:
    """That the merge of ``member`` into ``origin`` waits or runs, and what ends it by hand."""
    return f"{_merge_fact(origin, member)}: {_merge_by_hand(origin, member)}"


def _held_by_lvm(instance: Instance, member: Member) -> str | None:
    """Why LVM would not remove the member's snapshot, and what to do; None when it would."""
    origin, snapshot = member.origin, member.snapshot
    if origin is None or snapshot is None:
        return None
    if member.state in ("merge_pending", "merging"):
        return f"{_merge_fact(origin, member)}: {_merge_ways(instance, origin, member)}"
    again = f"lvchange -an {origin.full_name}; lvchange -ay {origin.full_name}"
    if member.state == "merge_failed":
        return merge_failure(origin, snapshot)
    # An origin that was activated over an overflowed store is itself invalid as a merge target, runs on its new
    # content, and LVM lets the snapshot go; before that nothing removes it.
    if member.state == "invalid" and snapshot.merging and not origin.invalid:
        return (
            f"{snapshot.full_name} overflowed while its merge was pending: LVM cannot remove it before "
            f"{origin.full_name} is next activated, with its new content: reboot, or unmount it, then {again}"
        )
    return None


def merge_failure(origin: Volume, snapshot: Volume) -> str:
    """That a merge failed, and how it goes on."""
    return (
        f"the merge of {snapshot.full_name} failed and {origin.full_name} is in between, see the kernel's log: "
        f"mend the device, then lvchange -an {origin.full_name}; lvchange -ay {origin.full_name} goes on with it"
    )


def _merge_fact(origin: Volume, member: Member) -> str:
    if member.state == "merging":
        return f"{member.label} is being merged, which cannot be stopped"
    waits = f"{member.label} waits to be merged into {origin.full_name}"
    return f"{waits}, and LVM has no way to cancel a pending thin merge" if member.kind == "thin" else waits


def _merge_ways(instance: Instance, origin: Volume, member: Member) -> str:
    cancel = ""
    if member.state == "merge_pending" and member.kind == "thick":
        forgetting = f"lvchange --deltag {member.outcome.to_tag()} {origin.full_name}; " if member.outcome else ""
        cancel = (
            f"to cancel that, unmount it, then {forgetting}lvchange -an {origin.full_name}; "
            f"lvremove {member.label}; lvchange -ay {origin.full_name}, or "
        )
    by_hand = _merge_by_hand(origin, member)
    if not instance.sealed:
        return cancel + by_hand
    if instance.unrecoverable:
        return f"{cancel}{FINISH} and accept_loss_of: [{instance.name}]" + ("" if cancel else f", or {by_hand}")
    return cancel + FINISH


def _merge_by_hand(origin: Volume, member: Member) -> str:
    poll = f"lvchange --poll y {origin.full_name}"
    if member.state == "merging":
        return f"have it watched to its end ({poll}) and run again"
    # Whether a thin merge has begun at the last boot cannot always be known, so the way ends with a poll.
    return f"to let it happen, reboot or unmount it, then lvchange --refresh {origin.full_name}; {poll}, and run again"


def _holders_of(host_state: HostState, volume: Volume) -> str:
    """Who keeps ``volume`` open, in words."""
    mounts = [mount.mountpoint for mount in host_state.mounts_of(volume)]
    if mounts:
        return f"mounted at {', '.join(mounts)}"
    device = host_state.device_of(volume)
    return f"used by {', '.join(device.holders)}" if device and device.holders else "held open by a process"


def _detached_problem(instance: Instance, member: Member) -> str | None:
    volume = member.snapshot
    if volume is None or _is_leftover(instance, member, volume):
        return None
    tags = " ".join(f"--deltag {tag}" for tag in membership_tags(volume.tags))
    return (
        f"{volume.full_name} has the tags of a member but is no snapshot of its recorded origin any more, "
        f"so it is not ours to remove: if it is to stay, type: lvchange {tags} {volume.full_name}"
    )


def _is_leftover(instance: Instance, member: Member, volume: Volume) -> bool:
    # What a killed lvcreate leaves: a plain LV under the name that we gave, beside its recorded origin.
    if member.origin is None or volume.is_snapshot or "origin" in volume.roles:
        return False
    return instance.single or volume.name in generated_names(member.origin.name, instance.name)
