# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out the steps of a plan; if one fails, undo the others. Private to this collection."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Protocol

from .._errors import FilesFailed, SafepointError, error_text
from .._steps import StepFailed, UndoableStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._steps import Runner, Step


class Plan(Protocol):
    """Steps in order."""

    @property
    def steps(self) -> Sequence[Step]:
        """The steps."""


@dataclass(frozen=True)
class Done:
    """A step that was carried out, and when, in seconds of a clock that nobody sets."""

    step: Step
    begun: float
    ended: float


Failure = Callable[[Any, "Step", "SafepointError | OSError", "Sequence[Step]", "Runner"], SafepointError]
"""Undoes what can be undone: gets the plan, the failed step, its error and the steps before it. Returns the error."""


def take_back(
    _plan: object, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
) -> SafepointError:
    """Undo the steps of a plan whose ``step`` failed, the last first, and return the error. It says what was undone."""
    started = [one for one in (*done, step) if isinstance(one, UndoableStep)]
    undone, left = _undo(started, runner)
    report = [_error_of(step, error)]
    if undone:
        report.append(f"removed again: {', '.join(undone)}")
    elif started and not left:
        report.append("nothing was created")
    report += [f"{what} was not removed, remove it by hand: {why}" for what, why in left]
    # A plan first removes what is replaced, then creates. Its later steps change only what it has created.
    first = (*done, step).index(started[0]) if started else len(done)
    gone = any(one.changes for one in done[:first])
    if started and gone:
        report.append("what it replaces was removed before: run this again")
    elif not started and isinstance(error, OSError):
        report.append("run this again to finish")
    # A step that writes files may have been interrupted half-way.
    cut_off = not started and not isinstance(error, StepFailed)
    details = error.details if isinstance(error, SafepointError) else {}
    return FilesFailed("; ".join(report), **{**details, "changed": bool(left) or gone or cut_off})


def _undo(started: Sequence[UndoableStep], runner: Runner) -> tuple[list[str], list[tuple[str, str]]]:
    """Undo steps, the last first. Return what was removed, and what was not with the reason."""
    undone, left = [], []
    for one in reversed(started):
        there, problem = _undo_one(one, runner)
        if problem:
            left.append((one.makes, problem))
        elif there:
            undone.append(one.makes)
    return undone, left


def _undo_one(step: UndoableStep, runner: Runner) -> tuple[bool, str]:
    """Undo one step. Return whether there was something to remove, and why that failed."""
    try:
        return step.undo(runner), ""
    except (SafepointError, OSError) as error:
        return True, error_text(error)


def _error_of(step: Step, error: SafepointError | OSError) -> str:
    sentence = error_text(error)
    return f"{step.render()['step']} failed: {sentence}" if isinstance(error, StepFailed) else sentence


def _noted(step: Step) -> str:
    """A step without an LVM command, for the journal. Lists of files would be too long there."""
    return ", ".join(f"{key} {value}" for key, value in step.render().items() if isinstance(value, (str, int)))


def apply(plan: Plan, runner: Runner, failure: Failure = take_back) -> tuple[Done, ...]:
    """Carry out the steps in order, and return them with their times.

    If one fails, raise the error that ``failure`` returns after undoing the others.
    """
    done: list[Done] = []
    for step in plan.steps:
        if not step.vgs:
            runner.note(_noted(step))
        begun = time.monotonic()
        try:
            step.carry_out(runner)
        except (SafepointError, OSError) as error:
            raise _failed(failure, plan, step, error, [one.step for one in done], runner) from error
        done.append(Done(step, begun, time.monotonic()))
    return tuple(done)


def _failed(
    failure: Failure, plan: Plan, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
) -> SafepointError:
    """Undo what can be undone, and return the error. If that fails too, its error is added: none hides another."""
    try:
        return failure(plan, step, error, done, runner)
    except (SafepointError, OSError) as second:
        details = error.details if isinstance(error, SafepointError) else {}
        both = f"{_error_of(step, error)}; then undoing it failed: {error_text(second)}"
        return FilesFailed(both, **{**details, "changed": True})
