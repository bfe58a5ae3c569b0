# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for ``state: absent``: let go of a set and of all that was kept for it. Pure; private."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._model import (
    Picture,
    Volume,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._names import device_path
from ansible_collections.safepoint.lvm.plugins.module_utils._plan import (
    Plan,
    Request,
    common_problems,
    differing,
    find,
    forget,
    remembering,
    removal_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._selection import select
from ansible_collections.safepoint.lvm.plugins.module_utils._snapsets import (
    GOING_BACK,
    Member,
    Taking,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import Remove, Step
from ansible_collections.safepoint.lvm.plugins.module_utils._view import View


def plan_absent(picture: Picture, request: Request) -> Plan:
    """The plan that leaves nothing of the set of ``request``.

    Raises Refused with every reason that was found.
    """
    found = find(picture, request)
    after = View(name=request.name, state="absent")
    reasons = list(common_problems(picture, found, ()))
    living = [taking for taking in (found.current, *found.leftovers) if taking is not None]
    for taking in living:
        reasons += _still_going_back(taking)
        reasons += removal_problems(picture, taking)
    if found.current is not None and found.current.live and request.selector.given:
        selection = select(picture, request.selector)
        difference = None if selection.reasons else differing(found.current, selection)
        reasons += [*selection.reasons, *([difference] if difference else [])]
    if reasons:
        raise Refused(f"{request.title} cannot be absent", reasons)
    outcome_names = {taking.outcome_name for taking in living}
    origins: dict[str, tuple[Volume, ...]] = {name: remembering(picture, name) for name in outcome_names}
    steps: list[Step] = []
    volumes = tuple(member.label for taking in living for member in taking.live)
    if volumes:
        steps.append(Remove(volumes=volumes))
    for name, volumes_remembering in origins.items():
        steps += forget(volumes_remembering, name)
    return Plan(steps=tuple(steps), after=after, taking=found.current)


def _still_going_back(taking: Taking) -> Iterator[str]:
    pending = [member for member in taking.members if member.snapshot and member.snapshot.merging]
    if taking.state == "partly_merged":
        back = ", ".join(member.label for member in taking.members if member.state in GOING_BACK)
        yield f"it is half rolled back ({back}): finish that with state: merged"
    elif taking.state == "invalid" and pending:
        yield from (problem for member in pending for problem in _lost_rollback(member))
    elif taking.state == "merge_failed":
        failed = ", ".join(member.label for member in taking.those("merge_failed"))
        yield f"the merge of {failed} failed and its origin is in between: see state merged of this set"
    elif taking.state == "merging":
        yield "it is being merged, which cannot be stopped: finish with state: merged"
    elif taking.state == "merge_pending":
        yield from (_cancel(member) for member in pending)


def _lost_rollback(member: Member) -> Iterator[str]:
    # Once the origin was activated again it is itself invalid as a merge target, runs on its new content, and LVM lets
    # the snapshot go; before that nothing removes it.
    if member.origin is None or member.origin.invalid:
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
            "pending thin merge: finish with state: merged"
        )
    origin = member.origin.full_name
    return (
        f"{member.label} waits to be merged into {origin}: to cancel that, unmount it, then lvchange -an {origin}; "
        f"lvremove {member.snapshot.full_name}; lvchange -ay {origin} (path {device_path(member.origin.vg, member.origin.name)})"
    )
