# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: absent``: let go of a set and of all that was kept for it. Pure; private."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._plan import (
    Plan,
    Request,
    common_problems,
    differing,
    find,
    forget,
    remembering,
    removal_problems,
    removal_steps,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._selection import select
from ansible_collections.safepoint.lvm.plugins.module_utils._snapsets import (
    GOING_BACK,
    Member,
    Taking,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import (
        Picture,
    )

_FINISH = "finish with state: merged"


def plan_absent(picture: Picture, request: Request) -> Plan:
    """The plan that leaves nothing of the set of ``request``.

    Raises Refused with every reason that was found.
    """
    found = find(picture, request)
    reasons = list(common_problems(picture, found, ()))
    living = [taking for taking in (found.current, *found.leftovers) if taking is not None]
    for taking in living:
        reasons += _still_going_back(taking)
        reasons += removal_problems(picture, taking)
    reasons += _not_the_same(picture, request, found.current)
    if reasons:
        raise Refused(f"{request.title} cannot be absent", reasons)
    # Forgotten first: between the two, origins that remember a merge but have no member would tell of a rollback.
    return Plan(
        steps=(*forget(remembering(picture, request), request.outcome_name), *removal_steps(living)),
        after=View(name=request.name, state="absent"),
        taking=found.current,
    )


def _not_the_same(picture: Picture, request: Request, current: Taking | None) -> Iterator[str]:
    whole = current is not None and current.live and current.sealed and not current.those("lost", "stray")
    if current is None or not whole or not request.selector.given:
        # What is left of a set that is not whole goes, whatever it was meant to be.
        return
    selection = select(picture, request.selector)
    yield from selection.reasons
    difference = differing(current, selection)
    if difference is not None and not selection.reasons:
        yield difference


def _still_going_back(taking: Taking) -> Iterator[str]:
    for member in taking.those("invalid"):
        yield from _lost_rollback(member)
    for member in taking.those("merge_failed"):
        yield f"the merge of {member.label} failed and its origin is in between: see state merged of this set"
    hopeless = bool(taking.those("lost", "stray"))
    # With a member lost nothing can finish the rollback any more, so what is already merged is let go.
    running = taking.those("merging") if hopeless else taking.those("merging", "merged")
    if running:
        names = ", ".join(member.label for member in running)
        origins = " ".join(member.origin.full_name for member in running if member.origin)
        way = f"have it watched to its end (lvchange --poll y {origins}) and run again" if hopeless else _FINISH
        yield f"{names} is being merged, which cannot be stopped: {way}"
    for member in taking.those("merge_pending"):
        yield _cancel(member)
    if taking.state == "partly_merged":
        back = ", ".join(member.label for member in taking.those(*GOING_BACK))
        yield f"it is half rolled back ({back}): {_FINISH}"


def _lost_rollback(member: Member) -> Iterator[str]:
    # Once the origin was activated again it is itself invalid as a merge target, runs on its new content, and LVM lets
    # the snapshot go; before that nothing removes it.
    merging = member.snapshot is not None and member.snapshot.merging
    if not merging or member.origin is None or member.origin.invalid:
        return
    yield (
        f"{member.label} overflowed while its merge was pending: LVM cannot remove it before "
        f"{member.origin.full_name} is next activated (a reboot); the host then has its new content"
    )


def _cancel(member: Member) -> str:
    if member.origin is None or member.snapshot is None:
        return f"{member.label} waits to be merged"
    if member.kind == "thin":
        return (
            f"{member.label} waits to be merged into {member.origin.full_name}, and LVM has no way to cancel a "
            f"pending thin merge: {_FINISH}"
        )
    origin = member.origin.full_name
    forgetting = f"lvchange --deltag {member.outcome.to_tag()} {origin}; " if member.outcome else ""
    return (
        f"{member.label} waits to be merged into {origin}: to cancel that, unmount it, then {forgetting}"
        f"lvchange -an {origin}; lvremove {member.snapshot.full_name}; lvchange -ay {origin}"
    )
