# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: absent``: remove a set, and what origins record about it. Pure; private."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..copies import copy_problems
from ..foreign import foreign_problems
from ..result import View
from ..selection import NOTHING_CHOSEN
from ..state import ROLLING_BACK, Instance
from .base import Plan, Request, common_problems, find, forget_steps, mismatch_problems, refusal_reasons
from .merged import plan_merged
from .removal import FINISH, removal_problems, removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..._model import HostState


def plan_absent(host_state: HostState, request: Request) -> Plan:
    """The plan that removes everything of the set in ``request``.

    Raises Refused with every reason that was found.
    """
    found = find(host_state, request)
    reasons = list(common_problems(host_state, request, found, ()))
    existing = [instance for instance in (found.current, *found.leftovers) if instance is not None]
    for instance in existing:
        reasons += removal_problems(host_state, instance)
        reasons += _rollback_problems(instance)
    if any(FINISH in reason for reason in reasons):
        reasons += refusal_reasons(plan_merged, host_state, _finishing_request(request, found.current))
    reasons += _mismatch_problems(host_state, request, found.current)
    if reasons:
        raise Refused(request.refusal, reasons)
    # Outcomes go first: an origin that records a merge and has no member would look rolled back.
    return Plan(
        steps=(*forget_steps(host_state, request), *removal_steps(existing)),
        after=View(name=request.name, state="absent"),
        warnings=() if existing or request.single else tuple(_left_alone(host_state, request.name)),
        instance=found.current,
    )


def _left_alone(host_state: HostState, name: str) -> Iterator[str]:
    yield from copy_problems(host_state, name)
    yield from foreign_problems(host_state, name)


def _mismatch_problems(host_state: HostState, request: Request, current: Instance | None) -> Iterator[str]:
    # If the set is not complete, what is left of it is removed, whichever LVs the request selects.
    if current is not None and current.live and current.sealed and not current.members_in("lost", "detached"):
        yield from mismatch_problems(host_state, request, current)


def _rollback_problems(instance: Instance) -> Iterator[str]:
    if instance.unrecoverable:
        # Nothing can complete this rollback, so nothing has to wait for it.
        return
    for member in instance.members_in("merged"):
        yield f"{member.label} is being merged, which cannot be stopped: {FINISH}"
    if instance.state == "partly_merged":
        back = ", ".join(member.label for member in instance.members_in(*ROLLING_BACK))
        yield f"it is partly rolled back ({back}): {FINISH}"


def _finishing_request(request: Request, current: Instance | None) -> Request:
    """The request that finishes the rollback, as the reasons suggest: its own problems are reported too."""
    accepted = (request.name,) if current is not None and current.unrecoverable else ()
    return replace(
        request,
        state="merged",
        selector=NOTHING_CHOSEN,
        accept_loss_of=(*request.accept_loss_of, *accepted),
    )
