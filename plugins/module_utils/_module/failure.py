# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is undone when a step of a plan for snapshots fails, and the error for the user. Private to this collection.

It is not enough to remove what was created: LVM may carry out a part of a command, and a merge that has started cannot
be stopped.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .._errors import CommandFailed, SafepointError, error_text
from .._snapset.steps import CreateSnapshot, LvmStep, MemberMerge, Merge, Remove, Retag, Wake
from .._steps import StepFailed, UndoableStep
from .apply import take_back

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
    undoing = _Undoing(runner)
    if not isinstance(step, LvmStep) or not isinstance(error, StepFailed):
        creations = [one for one in done if isinstance(one, CreateSnapshot)]
        if creations:
            return _undo_checked(error, creations, done, undoing)
        return take_back(plan, step, error, done, runner)
    outcome = error.result
    try:
        outcome = _with_active_origins(outcome, plan, undoing)
        return _failure(step, outcome, done, undoing)
    except (SafepointError, OSError) as second:
        undoing.problems.append(error_text(second))
        lvs = [f"{one.vg}/{one.name}" for one in _creations(step, done)] or step.lvs
        unknown = f"; it is not known what was done to {', '.join(lvs)}: look with snapset_info, then run this again"
        return _error(step, outcome, unknown, undoing, changed=True)


class _Undoing:
    """Observes the host and runs commands after a failure. ``problems`` are the errors of that, in order."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.problems: list[str] = []

    def observe(self) -> HostState:
        """The state of the host now. Raises SafepointError or OSError."""
        return self._runner.observe()

    def run(self, step: LvmStep) -> bool:
        """Carry out a step. Return whether LVM did it."""
        result = step.run(self._runner)
        if result.rc != 0:
            self.problems.append(f"{step.render()['step']}: {StepFailed(result).message}")
        return result.rc == 0

    def undo(self, step: UndoableStep) -> None:
        """Undo a step."""
        try:
            step.undo(self._runner)
        except (SafepointError, OSError) as error:
            self.problems.append(f"{step.makes}: {error_text(error)}")

    @property
    def report(self) -> str:
        """The problems, as a part of the error."""
        return "".join(f"; undoing failed too: {problem}" for problem in self.problems)


def _with_active_origins(outcome: CommandResult, plan: Plan, undoing: _Undoing) -> CommandResult:
    """Activate origins that a failed command left inactive, and add that to the message of ``outcome``.

    To merge into a closed thin origin, LVM removes its device. If LVM is killed then, the device is missing (2.03.31).
    """
    members = plan.instance.members if plan.instance is not None else ()
    active = {member.origin.key for member in members if member.origin is not None and member.origin.active}
    lost = [one.full_name for one in undoing.observe().volumes if one.key in active and not one.active]
    if not lost:
        return outcome
    how = "was activated again" if undoing.run(Wake(tuple(lost), "activate")) else "could not be activated again"
    return replace(outcome, stderr=f"{outcome.stderr.rstrip()}\n{', '.join(lost)} became inactive and {how}\n")


def _failure(step: LvmStep, outcome: CommandResult, done: Sequence[Step], undoing: _Undoing) -> CommandFailed:
    if _creates(step):
        return _undo_creation(step, outcome, done, undoing)
    if isinstance(step, Merge):
        return _delete_refused_records(step, outcome, done, undoing)
    changed = any(one.changes for one in done)
    if isinstance(step, Retag):
        return _error(step, outcome, "", undoing, changed=changed or _has_changed(undoing.observe(), step))
    if not isinstance(step, Remove):
        return _error(step, outcome, "", undoing, changed=changed)
    left = _still_there(undoing.observe(), step)
    report = f"; not removed: {', '.join(volume.full_name for volume in left) or 'none'}"
    # If all are removed and LVM reports an error all the same, somebody else had removed one of them before.
    removed_by_others = 1 if outcome.rc == _LVM_FAILED and not left else 0
    changed = changed or len(left) + removed_by_others < len(step.volumes)
    return _error(step, outcome, report, undoing, changed=changed)


def _creates(step: LvmStep) -> bool:
    return isinstance(step, CreateSnapshot) or (isinstance(step, Retag) and step.purpose == "seal")


def _creations(step: LvmStep, done: Sequence[Step]) -> list[CreateSnapshot]:
    """The steps whose snapshots are removed again because ``step`` failed."""
    return [one for one in (*done, step) if isinstance(one, CreateSnapshot)] if _creates(step) else []


def _undo_creation(step: LvmStep, outcome: CommandResult, done: Sequence[Step], undoing: _Undoing) -> CommandFailed:
    creations = _creations(step, done)
    report, left = _remove_created(creations, undoing)
    return _error(step, outcome, report, undoing, changed=left or _changed_before(creations, done))


def _undo_checked(
    error: SafepointError | OSError, creations: Sequence[CreateSnapshot], done: Sequence[Step], undoing: _Undoing
) -> CommandFailed:
    """Undo a creation that LVM has carried out, but a check has found wrong."""
    report, left = _remove_created(creations, undoing)
    said = f"{error_text(error)}{report}{undoing.report}"
    return CommandFailed(f"{said}{_advice(said)}", changed=left or _changed_before(creations, done))


def _changed_before(creations: Sequence[CreateSnapshot], done: Sequence[Step]) -> bool:
    return any(one.changes for one in done if one not in creations)


def _remove_created(creations: Sequence[CreateSnapshot], undoing: _Undoing) -> tuple[str, bool]:
    """Remove new snapshots, even incomplete ones. Return a part of the error, and whether one of them is left."""
    made = _made(undoing.observe(), creations)
    if made:
        undoing.run(Remove.of(made))
    left = _made(undoing.observe(), creations) if made else ()
    removed = [volume.full_name for volume in made if volume.key not in {other.key for other in left}]
    report = "" if made else "; nothing was created"
    if removed:
        report += f"; removed again: {', '.join(removed)}"
    if left:
        report += f"; not removed, remove by hand: {', '.join(volume.full_name for volume in left)}"
    return report, bool(left)


def _made(host_state: HostState, creations: Sequence[CreateSnapshot]) -> tuple[Volume, ...]:
    """The LVs that exist because of ``creations``, even if incomplete. Their tags distinguish them from other LVs."""
    candidates = ((host_state.volume(create.vg, create.name), create) for create in creations)
    return tuple(
        volume for volume, create in candidates if volume is not None and set(create.tags) <= set(volume.all_tags)
    )


def _delete_refused_records(
    step: Merge, outcome: CommandResult, done: Sequence[Step], undoing: _Undoing
) -> CommandFailed:
    host_state = undoing.observe()
    refused = [one for one in step.members if (there := host_state.by_key(one.key)) is not None and not there.merging]
    removed = [one for one in step.members if _is_removed(host_state, one, refused)]
    origins = {one.origin for one in (*refused, *removed)}
    recorded = next((one for one in reversed(done) if isinstance(one, Retag)), None)
    for undo in recorded.undo if recorded is not None else ():
        names = tuple(name for name in undo.volumes if name in origins)
        if names:
            undoing.run(replace(undo, volumes=names))
    started = [one for one in step.members if one.origin not in origins]
    report = f"; refused: {_snapshots(refused)}"
    report += f"; removed by somebody else: {_snapshots(removed)}" if removed else ""
    report += f"; started or done: {_snapshots(started)} (to continue with these, run state: merged again)"
    started_by_hand = set(recorded.volumes) - origins if recorded is not None else set()
    if not started and not started_by_hand:
        for one in done:
            if isinstance(one, UndoableStep) and not isinstance(one, LvmStep):
                undoing.undo(one)
    before = any(one.changes for one in done if one is not recorded)
    # A record that could not be deleted is a change.
    changed = bool(started or started_by_hand or undoing.problems) or before
    return _error(step, outcome, report, undoing, changed=changed)


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


def _error(step: LvmStep, outcome: CommandResult, report: str, undoing: _Undoing, *, changed: bool) -> CommandFailed:
    """The error of a failed step. ``report`` is what was undone."""
    words = dict(step.render())
    wanted = words.pop("step")
    about = ", ".join(f"{key} {value}" for key, value in words.items())
    said = outcome.stderr.strip() or outcome.stdout.strip() or "nothing"
    report += undoing.report
    return CommandFailed(
        f"{wanted} failed ({about}): LVM exited with {outcome.rc} and said: {said}{report}{_advice(said + report)}",
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
