# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is undone when a step of a plan for snapshots fails, and the error for the user. Private to this collection.

It is not enough to remove what was created: LVM may carry out a part of a command, and a merge that has started cannot
be stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._errors import CommandFailed, SafepointError, error_text
from .._snapset.steps import CreateSnapshot, LvmStep, MemberMerge, Merge, Remove, Retag, Wake
from .._steps import StepFailed, UndoableStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model import HostState, Volume
    from .._snapset.plan.base import Plan
    from .._steps import CommandResult, Runner, Step


# ECMD_FAILED in tools/errors.h of LVM. A killed command has another exit code.
_LVM_FAILED = 5
# A message of libdm, with the name of the pool's device and its number; seen with LVM 2.03.31 (docs/lvm.md).
_HALF_MADE = re.compile(r"Thin pool (\S+)(?: \(\S+\))? already contain thin device with device_id (\d+)")


def failure_of(
    plan: Plan, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
) -> SafepointError:
    """Undo what can be undone of a ``plan`` whose ``step`` failed, and return the error.

    New snapshots are removed again, and the record of a merge that LVM refused is deleted. The error says what was
    undone and what is left.
    """
    if isinstance(step, LvmStep) and isinstance(error, StepFailed):
        return _failure(step, _with_active_origins(error.result, plan, runner), done, runner)
    undone = _remove_created(done, runner)
    return CommandFailed(f"{error_text(error)}{undone.report}{_advice(undone.stderr)}", changed=undone.changed)


def _with_active_origins(outcome: CommandResult, plan: Plan, runner: Runner) -> CommandResult:
    """Activate origins that a failed command left inactive, and add that to the message of ``outcome``.

    To merge into a closed thin origin, LVM removes its device. If LVM is killed then, the device is missing (2.03.31).
    """
    members = plan.instance.members if plan.instance is not None else ()
    active = {member.origin.key for member in members if member.origin is not None and member.origin.active}
    lost = [one.full_name for one in runner.observe().volumes if one.key in active and not one.active]
    if not lost:
        return outcome
    again = Wake(tuple(lost), "activate").run(runner)
    how = "was activated again" if again.rc == 0 else f"could not be activated again: {again.stderr.strip()}"
    return replace(outcome, stderr=f"{outcome.stderr.rstrip()}\n{', '.join(lost)} became inactive and {how}\n")


def _failure(step: LvmStep, outcome: CommandResult, done: Sequence[Step], runner: Runner) -> CommandFailed:
    if isinstance(step, CreateSnapshot) or (isinstance(step, Retag) and step.purpose == "seal"):
        return _undo_creation(step, outcome, done, runner)
    if isinstance(step, Merge):
        return _delete_refused_records(step, outcome, done, runner)
    changed = any(one.changes for one in done)
    if isinstance(step, Retag):
        return _error(step, outcome, "", changed=changed or _has_changed(runner.observe(), step))
    if not isinstance(step, Remove):
        return _error(step, outcome, "", changed=changed)
    left = _still_there(runner.observe(), step)
    report = f"; not removed: {', '.join(volume.full_name for volume in left) or 'none'}"
    # If all are removed and LVM reports an error all the same, somebody else had removed one of them before.
    removed_by_others = 1 if outcome.rc == _LVM_FAILED and not left else 0
    return _error(step, outcome, report, changed=changed or len(left) + removed_by_others < len(step.volumes))


def _undo_creation(step: LvmStep, outcome: CommandResult, done: Sequence[Step], runner: Runner) -> CommandFailed:
    undone = _remove_created((*done, *([step] if isinstance(step, CreateSnapshot) else [])), runner)
    return _error(step, outcome, undone.report, undoing=undone.stderr, changed=undone.changed)


@dataclass(frozen=True)
class _Undone:
    """What became of new snapshots: a ``report``, LVM's errors, and whether the host has changed all the same."""

    report: str
    stderr: str
    changed: bool


def _remove_created(done: Sequence[Step], runner: Runner) -> _Undone:
    """Remove the snapshots that the steps ``done`` have created, even if the last one is incomplete."""
    creations = [one for one in done if isinstance(one, CreateSnapshot)]
    made = _made(runner.observe(), creations)
    removal = Remove.of(made).run(runner) if made else None
    left = _made(runner.observe(), creations) if made else ()
    removed = [volume.full_name for volume in made if volume.key not in {other.key for other in left}]
    report = f"; removed again: {', '.join(removed)}" if removed else "; nothing was created"
    if left:
        report += f"; not removed, remove by hand: {', '.join(volume.full_name for volume in left)}"
    before = any(one.changes for one in done if one not in creations)
    return _Undone(report, removal.stderr if removal is not None else "", bool(left) or before)


def _made(host_state: HostState, creations: Sequence[CreateSnapshot]) -> tuple[Volume, ...]:
    """The LVs that exist because of ``creations``, even if incomplete. Their tags distinguish them from other LVs."""
    candidates = ((host_state.volume(create.vg, create.name), create) for create in creations)
    return tuple(
        volume for volume, create in candidates if volume is not None and set(create.tags) <= set(volume.all_tags)
    )


def _delete_refused_records(step: Merge, outcome: CommandResult, done: Sequence[Step], runner: Runner) -> CommandFailed:
    host_state = runner.observe()
    refused = [one for one in step.members if (there := host_state.by_key(one.key)) is not None and not there.merging]
    removed = [one for one in step.members if _is_removed(host_state, one, refused)]
    origins = {one.origin for one in (*refused, *removed)}
    recorded = next((one for one in reversed(done) if isinstance(one, Retag)), None)
    for undo in recorded.undo if recorded is not None else ():
        names = tuple(name for name in undo.volumes if name in origins)
        if names:
            replace(undo, volumes=names).run(runner)
    started = [one for one in step.members if one.origin not in origins]
    report = f"; refused: {_snapshots(refused)}"
    report += f"; removed by somebody else: {_snapshots(removed)}" if removed else ""
    report += f"; started or done: {_snapshots(started)} (to continue with these, run state: merged again)"
    started_by_hand = set(recorded.volumes) - origins if recorded is not None else set()
    report += _allow_again(done, runner) if not started and not started_by_hand else ""
    before = any(one.changes for one in done if one is not recorded)
    return _error(step, outcome, report, changed=bool(started or started_by_hand) or before)


def _allow_again(done: Sequence[Step], runner: Runner) -> str:
    """Undo what was forbidden because of merges. Return what could not be undone, as a part of the error."""
    forbidden = [one for one in done if isinstance(one, UndoableStep) and not isinstance(one, LvmStep)]
    try:
        for one in forbidden:
            one.undo(runner)
    except OSError as error:
        return f"; hibernation is still forbidden: {error_text(error)}"
    return ""


def _is_removed(host_state: HostState, one: MemberMerge, refused: Sequence[MemberMerge]) -> bool:
    """Whether a snapshot was removed without being merged.

    A merged thin snapshot has given its device ID to its origin. A thick one may have been merged at once; but if LVM
    refused no other snapshot, its error is about one that no longer exists.
    """
    if host_state.by_key(one.key) is not None:
        return False
    if one.thin_id is None:
        return not refused
    return all(volume.thin_id != one.thin_id for volume in host_state.volumes if volume.full_name == one.origin)


def _snapshots(members: Sequence[MemberMerge]) -> str:
    return ", ".join(one.snapshot for one in members) or "none"


def _has_changed(host_state: HostState, step: Retag) -> bool:
    """Whether a failed command has changed the tags of one of its LVs: LVM continues after a failure."""
    volumes = [volume for volume in host_state.volumes if volume.full_name in step.volumes]
    tags = [set(volume.all_tags) for volume in volumes]
    return any(set(step.add) <= one and not set(step.delete) & one for one in tags)


def _still_there(host_state: HostState, step: Remove) -> tuple[Volume, ...]:
    return tuple(volume for volume in host_state.volumes if volume.key in step.keys)


def _error(step: LvmStep, outcome: CommandResult, report: str, *, undoing: str = "", changed: bool) -> CommandFailed:
    """The error of a failed step. ``report`` is what was undone, ``undoing`` is LVM's output during that."""
    words = dict(step.render())
    wanted = words.pop("step")
    about = ", ".join(f"{key} {value}" for key, value in words.items())
    said = outcome.stderr.strip() or outcome.stdout.strip() or "nothing"
    return CommandFailed(
        f"{wanted} failed ({about}): LVM exited with {outcome.rc} and said: {said}{report}{_advice(said + undoing)}",
        cmd=list(outcome.argv),
        rc=outcome.rc,
        stderr=outcome.stderr,
        stdout=outcome.stdout,
        changed=changed,
    )


def _advice(said: str) -> str:
    """The command to type if a device that LVM left in a pool blocks LVM itself."""
    half_made = _HALF_MADE.search(said)
    if half_made is None:
        return ""
    pool, device = half_made.groups()
    return (
        f"; LVM was killed while it created a thin volume, and its incomplete device blocks the pool: type dmsetup "
        f"message {pool} 0 'delete {device}', then run again"
    )
