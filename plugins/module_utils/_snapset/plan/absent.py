# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: absent``: let go of a set and of all that was kept for it. Pure; private."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..result import View
from ..selection import NOTHING_CHOSEN
from ..state import GOING_BACK, Taking
from .base import Plan, Request, common_problems, find, forget, not_the_same, refusals
from .merged import plan_merged
from .removal import FINISH, removal_problems, removal_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..._model import Picture


def plan_absent(picture: Picture, request: Request) -> Plan:
    """The plan that leaves nothing of the set of ``request``.

    Raises Refused with every reason that was found.
    """
    found = find(picture, request)
    reasons = list(common_problems(picture, request, found, ()))
    living = [taking for taking in (found.current, *found.leftovers) if taking is not None]
    for taking in living:
        reasons += removal_problems(picture, taking)
        reasons += _still_going_back(taking)
    if any(FINISH in reason for reason in reasons):
        reasons += refusals(plan_merged, picture, _going_on(request, found.current))
    reasons += _unlike(picture, request, found.current)
    if reasons:
        raise Refused(f"{request.title} cannot be absent", reasons)
    # Forgotten first: between the two, origins that remember a merge but have no member would tell of a rollback.
    return Plan(
        steps=(*forget(picture, request), *removal_steps(living)),
        after=View(name=request.name, state="absent"),
        taking=found.current,
    )


def _unlike(picture: Picture, request: Request, current: Taking | None) -> Iterator[str]:
    # What is left of a set that is not whole goes, whatever it was meant to be.
    if current is not None and current.live and current.sealed and not current.those("lost", "stray"):
        yield from not_the_same(picture, request, current)


def _still_going_back(taking: Taking) -> Iterator[str]:
    if taking.hopeless:
        # Nothing can finish the rollback of the whole, so what is already merged is let go.
        return
    for member in taking.those("merged"):
        yield f"{member.label} is being merged, which cannot be stopped: {FINISH}"
    if taking.state == "partly_merged":
        back = ", ".join(member.label for member in taking.those(*GOING_BACK))
        yield f"it is half rolled back ({back}): {FINISH}"


def _going_on(request: Request, current: Taking | None) -> Request:
    """The request that finishes the rollback, as the reasons name it: what stands against that is told as well."""
    accepted = (request.name,) if current is not None and current.hopeless else ()
    return replace(
        request,
        state="merged",
        selector=NOTHING_CHOSEN,
        accept_loss_of=(*request.accept_loss_of, *accepted),
    )
