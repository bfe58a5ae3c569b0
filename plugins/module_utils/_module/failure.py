# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is undone when a step of a plan for snapshots fails, and what the user reads. Private to this collection.

Taking away what was made is not enough here: LVM does parts of a command, and a merge that has begun cannot be stopped.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .._errors import CommandFailed, SafepointError
from .._snapset.steps import Create, CreateThick, CreateThin, LvmStep, MemberMerge, Merge, Remove, Retag, Wake
from .._steps import StepFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model import CommandResult, HostState, Volume
    from .._snapset.plan.base import Plan
    from .._steps import Runner, Step


# tools/errors.h of LVM; whoever was killed has another.
_LVM_FAILED = 5
# Of libdm, with the name of the pool's device and its number; seen with LVM 2.03.31 (docs/lvm.md).
_HALF_MADE = re.compile(r"Thin pool (\S+)(?: \(\S+\))? already contain thin device with device_id (\d+)")


def failure_of(
    plan: Plan, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
) -> SafepointError:
    """The error of a ``plan`` whose ``step`` failed.

    What a creation had made is removed again, a merge that LVM refused is forgotten, and the error says what was undone
    and what is left.
    """
    if not isinstance(step, LvmStep) or not isinstance(error, StepFailed):
        raise error
    return _failure(step, _with_active_origins(error.result, plan, runner), done, runner)


def _with_active_origins(outcome: CommandResult, plan: Plan, runner: Runner) -> CommandResult:
    """``outcome``, with what was done about origins that a command has left inactive.

    LVM takes the device of a closed thin origin away to merge into it, and is killed before it is back (2.03.31).
    """
    members = plan.instance.members if plan.instance is not None else ()
    active = {member.origin.key for member in members if member.origin is not None and member.origin.active}
    lost = [one.full_name for one in runner.observe().volumes if one.key in active and not one.active]
    if not lost:
        return outcome
    again = Wake(tuple(lost), "activate").run(runner)
    how = "was activated again" if again.rc == 0 else f"could not be activated again: {again.stderr.strip()}"
    return replace(outcome, stderr=f"{outcome.stderr.rstrip()}\n{', '.join(lost)} had become inactive, and {how}\n")


def _failure(step: LvmStep, outcome: CommandResult, done: Sequence[Step], runner: Runner) -> CommandFailed:
    if isinstance(step, (CreateThick, CreateThin)) or (isinstance(step, Retag) and step.purpose == "seal"):
        return _undo_creation(step, outcome, done, runner)
    if isinstance(step, Merge):
        return _forget_refused_merges(step, outcome, done, runner)
    changed = any(one.changes for one in done)
    if isinstance(step, Retag):
        return _error(step, outcome, "", changed=changed or _begun(runner.observe(), step))
    if not isinstance(step, Remove):
        return _error(step, outcome, "", changed=changed)
    left = _still_there(runner.observe(), step)
    told = f"; still there: {', '.join(volume.full_name for volume in left) or 'nothing'}"
    # When all are gone and LVM complains nevertheless, it did not find one that somebody else had removed.
    theirs = 1 if outcome.rc == _LVM_FAILED and not left else 0
    return _error(step, outcome, told, changed=changed or len(left) + theirs < len(step.volumes))


def _undo_creation(step: LvmStep, outcome: CommandResult, done: Sequence[Step], runner: Runner) -> CommandFailed:
    started = [one for one in (*done, step) if isinstance(one, (CreateThick, CreateThin))]
    made = _made(runner.observe(), started)
    removal = Remove.of(made).run(runner) if made else None
    left = _made(runner.observe(), started) if made else ()
    removed = [volume.full_name for volume in made if volume.key not in {other.key for other in left}]
    told = f"; what this run had made was removed again ({', '.join(removed)})" if removed else "; nothing was made"
    if left:
        told += f"; still there, to be removed by hand: {', '.join(volume.full_name for volume in left)}"
    before = [one for one in done if one not in started]
    undoing = removal.stderr if removal is not None else ""
    return _error(step, outcome, told, undoing=undoing, changed=bool(left) or any(one.changes for one in before))


def _made(host_state: HostState, started: Sequence[Create]) -> tuple[Volume, ...]:
    """The LVs that ``started`` creations left, whole or half; the tags tell them from what others own."""
    candidates = ((host_state.volume(create.vg, create.name), create) for create in started)
    return tuple(volume for volume, create in candidates if volume is not None and set(create.tags) <= set(volume.tags))


def _forget_refused_merges(step: Merge, outcome: CommandResult, done: Sequence[Step], runner: Runner) -> CommandFailed:
    host_state = runner.observe()
    refused = [one for one in step.members if (there := host_state.by_key(one.key)) is not None and not there.merging]
    removed = [one for one in step.members if _is_removed(host_state, one, refused)]
    origins = {one.origin for one in (*refused, *removed)}
    remembered = next((one for one in reversed(done) if isinstance(one, Retag)), None)
    for undo in remembered.undo if remembered is not None else ():
        names = tuple(name for name in undo.volumes if name in origins)
        if names:
            replace(undo, volumes=names).run(runner)
    started = [one for one in step.members if one.origin not in origins]
    told = f"; refused: {_snapshots(refused)}"
    told += f"; removed by somebody else: {_snapshots(removed)}" if removed else ""
    told += f"; begun or done: {_snapshots(started)} (run state: merged again to go on with them)"
    begun_by_hand = set(remembered.volumes) - origins if remembered is not None else set()
    before = any(one.changes for one in done if one is not remembered)
    return _error(step, outcome, told, changed=bool(started or begun_by_hand) or before)


def _is_removed(host_state: HostState, one: MemberMerge, refused: Sequence[MemberMerge]) -> bool:
    """Whether a snapshot is gone, and not into its origin.

    A thin origin has its id then. A thick one may have been merged at once; but if LVM has nothing else to complain of,
    it complains of what was not there any more.
    """
    if host_state.by_key(one.key) is not None:
        return False
    if one.thin_id is None:
        return not refused
    return all(volume.thin_id != one.thin_id for volume in host_state.volumes if volume.full_name == one.origin)


def _snapshots(members: Sequence[MemberMerge]) -> str:
    return ", ".join(one.snapshot for one in members) or "none"


def _begun(host_state: HostState, step: Retag) -> bool:
    """Whether a command that failed has nevertheless tagged one of its LVs: LVM goes on after a failure."""
    mine = [volume for volume in host_state.volumes if volume.full_name in step.volumes]
    return any(set(step.add) <= set(volume.tags) and not set(step.delete) & set(volume.tags) for volume in mine)


def _still_there(host_state: HostState, step: Remove) -> tuple[Volume, ...]:
    return tuple(volume for volume in host_state.volumes if volume.key in step.keys)


def _error(step: LvmStep, outcome: CommandResult, told: str, *, undoing: str = "", changed: bool) -> CommandFailed:
    """The error for a step that failed; ``undoing`` is what LVM said while that was undone."""
    words = dict(step.render())
    wanted = words.pop("step")
    about = ", ".join(f"{key} {value}" for key, value in words.items())
    said = outcome.stderr.strip() or outcome.stdout.strip() or "nothing"
    return CommandFailed(
        f"{wanted} failed ({about}): LVM exited with {outcome.rc} and said: {said}{told}{_way_out(said + undoing)}",
        cmd=list(outcome.argv),
        rc=outcome.rc,
        stderr=outcome.stderr,
        stdout=outcome.stdout,
        changed=changed,
    )


def _way_out(said: str) -> str:
    """What to type when LVM stands in its own way."""
    half_made = _HALF_MADE.search(said)
    if half_made is None:
        return ""
    pool, device = half_made.groups()
    return (
        f"; LVM was killed while it made a thin volume, and makes it again and again: dmsetup message {pool} 0 'delete "
        f"{device}' removes the unfinished one from the pool, then run again"
    )
