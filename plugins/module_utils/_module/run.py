# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sequence of every module that changes the host: lock, observe, plan, apply, result. Private to this collection.

Check mode is the same code without applying, so a prediction cannot differ from the real run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .._steps import FileStep
from .apply import Done, Failure, apply, take_back
from .changes import ChangeSession
from .gates import archive_warnings, check_boot, check_host, check_steps
from .session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._model import HostState
    from .._steps import Step


class Plan(Protocol):
    """Steps in order, and warnings."""

    @property
    def steps(self) -> Sequence[Step]:
        """The steps; empty if nothing must be changed."""

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings for the user."""

    @property
    def subject(self) -> str:
        """What the journal shows after the title: an ID."""


Observed = TypeVar("Observed")
Planned = TypeVar("Planned", bound=Plan)


class UseCase(Generic[Observed, Planned]):
    """The part that differs between modules.

    ``title`` is the subject of the run, ``state`` the requested state, ``refusal`` how refusals begin, ``paths`` the
    paths on which the plan depends, ``reads_boot`` whether the run reads files in /boot in any case.
    """

    title: str
    state: str
    refusal: str
    paths: Sequence[str] = ()
    reads_boot: bool = False
    # Undoes what can be undone when a step fails.
    failure: Failure = staticmethod(take_back)

    def read(self, session: ChangeSession) -> HostState:
        """Read the state of the host. Raises ReportFailed."""
        return session.observe(self.paths)

    def observe(self, host_state: HostState) -> Observed:
        """Read everything else that the plan depends on. Raises SafepointError, OSError."""
        raise NotImplementedError

    def plan(self, observed: Observed) -> Planned:
        """The plan to the requested state; pure. Raises Refused with every reason if there is none."""
        raise NotImplementedError

    def predicted(self, plan: Planned, before: Observed) -> dict[str, Any]:
        """The module's own keys of the result after ``plan``. What only the real run can know is None."""
        raise NotImplementedError

    def shown(self, observed: Observed) -> dict[str, Any]:
        """The module's own keys of the result now."""
        raise NotImplementedError

    def expected(self, plan: Planned) -> dict[str, Any]:
        """The managed object after ``plan``, for the diff."""
        raise NotImplementedError

    def compared(self, observed: Observed) -> dict[str, Any]:
        """The managed object now, in the form of ``expected``."""
        raise NotImplementedError

    def prepare(self, session: ChangeSession) -> None:
        """Wait for what would only block the plan for a while, before the host is locked. Raises SafepointError."""

    def measured(self, _done: Sequence[Done]) -> dict[str, Any]:
        """Keys of the result that come from the times of the steps; empty if no step has a time that matters."""
        return {}

    def verify(self, before: Observed, plan: Planned, now: Observed) -> None:
        """Raise an error if no step failed, but the host is not as planned."""


def run_change(module: AnsibleModule, build: Callable[[Mapping[str, Any]], UseCase[Any, Any]]) -> None:
    """Run the module: ``build`` makes the use case from the parameters. Ends the process."""
    with open_session(module, ChangeSession) as session:
        case = build(module.params)
        case.prepare(session)
        with session.locked(f"{case.title}, state {case.state}"):
            result = bring_about(session, case, predicts=bool(module.check_mode))
        session.end(**result)


def bring_about(session: ChangeSession, case: UseCase[Observed, Planned], *, predicts: bool) -> dict[str, Any]:
    """Carry out the plan, or with ``predicts`` only say what would be done. Returns the module's result."""
    host_state, before = _observe(session, case)
    plan = case.plan(before)
    check_steps(case.refusal, host_state, plan.steps)
    for warning in (*plan.warnings, *archive_warnings(host_state, plan.steps)):
        session.warn(warning)
    now = before
    done: tuple[Done, ...] = ()
    if plan.steps and not predicts:
        session.subject = f"{case.title} {plan.subject}".rstrip()
        done = apply(plan, session, case.failure)
        # Whatever fails now, this was done.
        session.changed = any(step.changes for step in plan.steps)
        _host_state, now = _observe(session, case)
    if not predicts:
        case.verify(before, plan, now)
    return {
        "changed": any(step.changes for step in plan.steps),
        "planned": [dict(step.render()) for step in plan.steps],
        "commands": session.commands,
        "reads": session.lvm.reads,
        "diff": _diff(case, before, plan),
        **(case.predicted(plan, before) if predicts else case.shown(now)),
        **case.measured(done),
    }


def _observe(session: ChangeSession, case: UseCase[Observed, Planned]) -> tuple[HostState, Observed]:
    host_state = case.read(session)
    check_host(host_state.host)
    if case.reads_boot:
        check_boot(case.refusal, host_state.host)
    return host_state, case.observe(host_state)


def _diff(case: UseCase[Observed, Planned], before: Observed, plan: Planned) -> dict[str, Any] | list[dict[str, Any]]:
    """What Ansible shows with --diff. It comes from the plan, so it is the same in check mode and in the real run."""
    state = {"before": case.compared(before), "after": case.expected(plan) if plan.steps else case.compared(before)}
    files = [file.to_diff() for step in plan.steps if isinstance(step, FileStep) for file in step.changed_files()]
    return [state, *files] if files else state
