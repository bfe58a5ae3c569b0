# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of every module that changes the host: lock, observe, plan, apply, result. Private to this collection.

Check mode is the same way without applying, so a prediction cannot differ from the run by being another piece of code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .._errors import FilesFailed, error_text
from .._steps import FileStep
from .apply import Failure, apply, take_back
from .changes import ChangeSession
from .gates import archive_warnings, check_host, check_steps
from .session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._model import HostState
    from .._steps import Step


class Plan(Protocol):
    """Ordered steps, and what to tell the user besides."""

    @property
    def steps(self) -> Sequence[Step]:
        """What is to be done; empty when all is as it should be."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the user should know."""

    @property
    def subject(self) -> str:
        """What the journal says of it, besides the title: an id."""


Observed = TypeVar("Observed")
Planned = TypeVar("Planned", bound=Plan)


class UseCase(Generic[Observed, Planned]):
    """What is a module's own. ``title`` is what the run is about, ``state`` what is asked for."""

    title: str
    state: str
    # What puts right what can be when a step fails.
    failure: Failure = staticmethod(take_back)

    def read(self, session: ChangeSession) -> HostState:
        """Read LVM's report, and what surrounds LVM. Raises ReportFailed."""
        return session.observe()

    def observe(self, host_state: HostState) -> Observed:
        """Read everything else that the plan depends on. Raises SafepointError, OSError."""
        raise NotImplementedError

    def plan(self, observed: Observed) -> Planned:
        """The steps to what is asked for; pure. Raises Refused with every reason why there are none."""
        raise NotImplementedError

    def predicted(self, plan: Planned, before: Observed) -> dict[str, Any]:
        """The module's own keys of the result after ``plan``, without what only the real run can know."""
        raise NotImplementedError

    def shown(self, observed: Observed) -> dict[str, Any]:
        """The module's own keys of the result, as it is now."""
        raise NotImplementedError

    def expected(self, plan: Planned) -> dict[str, Any]:
        """What the module is about after ``plan``, for the diff."""
        raise NotImplementedError

    def compared(self, observed: Observed) -> dict[str, Any]:
        """What the module is about now, in the form of ``expected``."""
        raise NotImplementedError

    def verify(self, before: Observed, plan: Planned, now: Observed) -> None:
        """Raise CommandFailed when no step failed, and the host is not as it was to be all the same."""


def run_change(module: AnsibleModule, build: Callable[[Mapping[str, Any]], UseCase[Any, Any]]) -> None:
    """Bring the host to what the parameters ask for, of which ``build`` makes the use case. Ends the module."""
    with open_session(module, ChangeSession) as session:
        case = build(module.params)
        with session.locked(f"{case.title}, state {case.state}"):
            result = bring_about(session, case, predicts=bool(module.check_mode))
        session.end(**result)


def bring_about(session: ChangeSession, case: UseCase[Observed, Planned], *, predicts: bool) -> dict[str, Any]:
    """Carry out the plan, or with ``predicts`` only say what would be done. Returns the module's result."""
    host_state, before = _observe(session, case, changed=False)
    plan = case.plan(before)
    check_steps(f"{case.title} cannot be {case.state}", host_state, plan.steps)
    for warning in (*plan.warnings, *archive_warnings(host_state, plan.steps)):
        session.warn(warning)
    now = before
    if plan.steps and not predicts:
        session.subject = f"{case.title} {plan.subject}".rstrip()
        apply(plan, session, case.failure)
        _host_state, now = _observe(session, case, changed=True)
    if not predicts:
        case.verify(before, plan, now)
    return {
        "changed": any(step.changes for step in plan.steps),
        "planned": [dict(step.render()) for step in plan.steps],
        "commands": session.commands,
        "reads": session.lvm.reads,
        "diff": _diff(case, before, plan),
        **(case.predicted(plan, before) if predicts else case.shown(now)),
    }


def _observe(session: ChangeSession, case: UseCase[Observed, Planned], *, changed: bool) -> tuple[HostState, Observed]:
    host_state = case.read(session)
    check_host(host_state.host)
    try:
        return host_state, case.observe(host_state)
    except OSError as error:
        raise FilesFailed(error_text(error), changed=changed) from error


def _diff(case: UseCase[Observed, Planned], before: Observed, plan: Planned) -> dict[str, Any] | list[dict[str, Any]]:
    """What Ansible shows with --diff: the same in check mode and in the real run, which have it from the plan."""
    state = {"before": case.compared(before), "after": case.expected(plan) if plan.steps else case.compared(before)}
    files = [file.to_diff() for step in plan.steps if isinstance(step, FileStep) for file in step.changed_files()]
    return [state, *files] if files else state
