# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What prevents the removal of an instance, and the step that removes it. Pure; private."""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING

from ..._names import generated_names
from ..steps import LvmStep, Remove
from ..tags import membership_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..._model import HostState, Volume
    from ..state import Instance, Member


_OF_OS_PROBER = "fuse.grub-mount"
FINISH = "finish the rollback with state: merged"


def open_problem(host_state: HostState, member: Member) -> str | None:
    """Why a member's snapshot cannot be removed or merged: it is open. None if it is not."""
    snapshot = member.snapshot
    if snapshot is None or not (snapshot.open or host_state.mounts_of(snapshot)):
        return None
    return f"the snapshot {snapshot.full_name} itself is {_holders_of(host_state, snapshot)}: close it first"


def removal_problems(host_state: HostState, instance: Instance) -> Iterator[str]:
    """Why not all members of ``instance`` can be removed: LVM would fail half-way."""
    for member in instance.live:
        problem = open_problem(host_state, member)
        if problem is None and member.state == "detached":
            problem = _detached_problem(instance, member)
        if problem is None:
            problem = _merge_problem(instance, member)
        if problem is not None:
            yield problem


def removal_steps(instances_to_remove: Sequence[Instance]) -> tuple[LvmStep, ...]:
    """The step that removes all existing members of these instances; empty if there are none."""
    snapshots = [member.snapshot for instance in instances_to_remove for member in instance.live if member.snapshot]
    return (Remove.of(snapshots),) if snapshots else ()


def running_merge_problem(origin: Volume, member: Member) -> str:
    """The message that a merge of ``member`` into ``origin`` is pending or running, and how to finish it by hand."""
    return f"{_merge_status(origin, member)}: {_manual_merge(origin, member)}"


def _merge_problem(instance: Instance, member: Member) -> str | None:
    """Why LVM would not remove the member's snapshot because of its merge, and what to do; None if it would."""
    origin, snapshot = member.origin, member.snapshot
    if origin is None or snapshot is None:
        return None
    if member.state in ("merge_pending", "merging"):
        return f"{_merge_status(origin, member)}: {_merge_options(instance, origin, member)}"
    again = f"lvchange -an {origin.full_name}; lvchange -ay {origin.full_name}"
    if member.state == "merge_failed":
        return merge_failure_problem(origin, snapshot)
    # If the store overflowed before the origin was activated, LVM then activates the origin with its new content and
    # reports it as invalid. From then on LVM can remove the snapshot, but not before.
    if member.state == "invalid" and snapshot.merging and not origin.invalid:
        return (
            f"{snapshot.full_name} overflowed while its merge was pending: LVM cannot remove it before "
            f"{origin.full_name} is next activated, with its new content: reboot, or unmount {origin.full_name}, then "
            f"type {again}"
        )
    return None


def merge_failure_problem(origin: Volume, snapshot: Volume) -> str:
    """The message that a merge failed, and how to continue it."""
    return (
        f"the merge of {snapshot.full_name} failed and {origin.full_name} is only partly merged: see the kernel log, "
        f"repair the device, then continue with lvchange -an {origin.full_name}; lvchange -ay {origin.full_name}"
    )


def _merge_status(origin: Volume, member: Member) -> str:
    if member.state == "merging":
        return f"{member.label} is being merged, which cannot be stopped"
    waits = f"{member.label} waits to be merged into {origin.full_name}"
    return f"{waits}, and LVM cannot cancel a pending thin merge" if member.kind == "thin" else waits


def _merge_options(instance: Instance, origin: Volume, member: Member) -> str:
    cancel = ""
    if member.state == "merge_pending" and member.kind == "thick":
        forgetting = f"{_untag([member.outcome.to_tag()], origin)}; " if member.outcome else ""
        cancel = (
            f"to cancel that, unmount {origin.full_name}, then type {forgetting}lvchange -an {origin.full_name}; "
            f"lvremove {member.label}; lvchange -ay {origin.full_name}, or "
        )
    by_hand = _manual_merge(origin, member)
    if not instance.sealed:
        return cancel + by_hand
    if instance.unrecoverable:
        return f"{cancel}{FINISH} and accept_loss_of: [{instance.name}]" + ("" if cancel else f", or {by_hand}")
    return cancel + FINISH


def _manual_merge(origin: Volume, member: Member) -> str:
    poll = f"lvchange --poll y {origin.full_name}"
    if member.state == "merging":
        return f"let LVM finish it ({poll}) and run again"
    # It is not always known whether a thin merge started at the last boot, so a poll is needed in any case.
    return (
        f"to let it run, reboot or unmount {origin.full_name}, then type lvchange --refresh {origin.full_name}; "
        f"{poll}, and run again"
    )


def _holders_of(host_state: HostState, volume: Volume) -> str:
    """What keeps ``volume`` open, for messages."""
    mounts = [mount.mountpoint for mount in host_state.mounts_of(volume)]
    if mounts:
        return f"mounted at {', '.join(mounts)}"
    device = host_state.device_of(volume)
    if device and device.holders:
        return f"used by {', '.join(device.holders)}"
    # It shows no device: it reads the filesystem itself.
    probed = [mount.mountpoint for mount in host_state.host.mounts if mount.fstype == _OF_OS_PROBER]
    return "held open by a process" + (f", perhaps by os-prober (umount {probed[0]})" if probed else "")


def _detached_problem(instance: Instance, member: Member) -> str | None:
    volume = member.snapshot
    if volume is None or _is_leftover(instance, member, volume):
        return None
    return (
        f"{volume.full_name} has the tags of a member but is no longer a snapshot of its recorded origin, "
        f"so it is not removed: if you want to keep it, type {_untag(membership_tags(volume.tags), volume)}"
    )


def _untag(tags: Iterable[str], volume: Volume) -> str:
    """The command that deletes tags, to be typed into a shell: LVM allows & and # in tags (lvm(8))."""
    return join(["lvchange", *(word for tag in tags for word in ("--deltag", tag)), volume.full_name])


def _is_leftover(instance: Instance, member: Member, volume: Volume) -> bool:
    # A killed lvcreate leaves a plain LV with a generated name, in the VG of its recorded origin.
    if member.origin is None or volume.is_snapshot or "origin" in volume.roles:
        return False
    return instance.single or volume.name in generated_names(member.origin.name, instance.name)
