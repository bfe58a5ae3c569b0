# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: absent``: let go of a set and of all that was kept for it. Pure; private."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..result import View
from ..selection import NOTHING_CHOSEN
from ..state import ROLLING_BACK, Instance
from .base import Plan, Request, common_problems, find, forget, mismatch_problems, refusals
from .merged import plan_merged
from .removal import FINISH, removal_problems, removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..._model import HostState


def plan_absent(host_state: HostState, request: Request) -> Plan:
    """The plan that leaves nothing of the set of ``request``.

    Raises Refused with every reason that was found.
    """
    found = find(host_state, request)
    reasons = list(common_problems(host_state, request, found, ()))
    living = [instance for instance in (found.current, *found.leftovers) if instance is not None]
    for instance in living:
        reasons += removal_problems(host_state, instance)
        reasons += _still_going_back(instance)
    if any(FINISH in reason for reason in reasons):
        reasons += refusals(plan_merged, host_state, _going_on(request, found.current))
    reasons += _mismatch_problems(host_state, request, found.current)
    if reasons:
        raise Refused(f"{request.title} cannot be absent", reasons)
    # Forgotten first: between the two, origins that remember a merge but have no member would tell of a rollback.
    return Plan(
        steps=(*forget(host_state, request), *removal_steps(living)),
        after=View(name=request.name, state="absent"),
        instance=found.current,
    )


def _mismatch_problems(host_state: HostState, request: Request, current: Instance | None) -> Iterator[str]:
    # What is left of a set that is not whole goes, whatever it was meant to be.
    if current is not None and current.live and current.sealed and not current.those("lost", "detached"):
        yield from mismatch_problems(host_state, request, current)


def _still_going_back(instance: Instance) -> Iterator[str]:
    if instance.unrecoverable:
        # Nothing can finish the rollback of the whole, so what is already merged is let go.
        return
    for member in instance.those("merged"):
        yield f"{member.label} is being merged, which cannot be stopped: {FINISH}"
    if instance.state == "partly_merged":
        back = ", ".join(member.label for member in instance.those(*ROLLING_BACK))
        yield f"it is half rolled back ({back}): {FINISH}"


def _going_on(request: Request, current: Instance | None) -> Request:
    """The request that finishes the rollback, as the reasons name it: what stands against that is told as well."""
    accepted = (request.name,) if current is not None and current.unrecoverable else ()
    return replace(
        request,
        state="merged",
        selector=NOTHING_CHOSEN,
        accept_loss_of=(*request.accept_loss_of, *accepted),
    )
