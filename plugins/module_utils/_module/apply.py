# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out the steps of a plan, and take away what was made when one fails. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Protocol

from .._errors import FilesFailed, SafepointError, error_text
from .._steps import StepFailed, UndoableStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._steps import Runner, Step


class Plan(Protocol):
    """Steps in the order in which they are carried out."""

    @property
    def steps(self) -> Sequence[Step]:
        """The steps."""


Failure = Callable[[Any, "Step", "SafepointError | OSError", "Sequence[Step]", "Runner"], SafepointError]
"""Puts right what can be: the plan, its step that failed, why, the steps before it. Returns what the user reads."""


def take_back(
    _plan: object, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
) -> SafepointError:
    """The error of a plan that could not be carried out, with what became of what it had made."""
    started = [one for one in (*done, step) if isinstance(one, UndoableStep)]
    undone, left = _undo(started, runner)
    told = [_said(step, error)]
    if started:
        told.append(f"what was made for it was removed again ({', '.join(undone)})" if undone else "nothing was made")
    told += [f"{what} is left, to be removed by hand: {why}" for what, why in left]
    # Plans remove what was there before they make anything; what they do afterwards is done to that.
    first = (*done, step).index(started[0]) if started else len(done)
    gone = any(one.changes for one in done[:first])
    if started and gone:
        told.append("what was there before is gone: run this again")
    elif not started and isinstance(error, OSError):
        told.append("run this again to finish what was begun")
    # Whoever writes files may have been cut off in the middle.
    cut_off = not started and not isinstance(error, StepFailed)
    details = error.details if isinstance(error, SafepointError) else {}
    return FilesFailed("; ".join(told), **{**details, "changed": bool(left) or gone or cut_off})


def _undo(started: Sequence[UndoableStep], runner: Runner) -> tuple[list[str], list[tuple[str, str]]]:
    """Take away what steps have made, the last first; what is gone, and what is left with the reason."""
    undone, left = [], []
    for one in reversed(started):
        there, problem = _undo_one(one, runner)
        if problem:
            left.append((one.makes, problem))
        elif there:
            undone.append(one.makes)
    return undone, left


def _undo_one(step: UndoableStep, runner: Runner) -> tuple[bool, str]:
    """Whether there was anything to take away, and why it could not be."""
    try:
        return step.undo(runner), ""
    except (SafepointError, OSError) as error:
        return True, error_text(error)


def _said(step: Step, error: SafepointError | OSError) -> str:
    sentence = error_text(error)
    return f"{step.render()['step']} failed: {sentence}" if isinstance(error, StepFailed) else sentence


def _noted(step: Step) -> str:
    """A step that runs no LVM, for the journal; lists of files would be too long there."""
    return ", ".join(f"{key} {value}" for key, value in step.render().items() if isinstance(value, (str, int)))


def apply(plan: Plan, runner: Runner, failure: Failure = take_back) -> None:
    """Carry out the steps in order. When one fails, ``failure`` puts right what can be, and its error is raised."""
    done: list[Step] = []
    for step in plan.steps:
        if not step.vgs:
            runner.note(_noted(step))
        try:
            step.carry_out(runner)
        except (SafepointError, OSError) as error:
            raise failure(plan, step, error, done, runner) from error
        done.append(step)
