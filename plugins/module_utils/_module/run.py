# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules snapset and snapshot work: lock, observe, plan, apply, result. Private to this collection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._errors import CommandFailed, Refused
from .._host.boot import read_boot
from .._paths import LVM_ARCHIVE
from .._snapset.checks import udev_problems
from .._snapset.coverage import boot_beside
from .._snapset.plan.absent import plan_absent
from .._snapset.plan.base import find
from .._snapset.plan.merged import plan_merged
from .._snapset.plan.present import plan_present, takes_root
from .._snapset.result import view_of
from .apply import apply
from .changes import ChangeSession
from .session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ansible.module_utils.basic import AnsibleModule

    from .._model import Picture
    from .._snapset.plan.base import Plan, Request, State
    from .._snapset.result import View
    from .._snapset.state import SetState

PLANNERS: Mapping[State, Callable[[Picture, Request], Plan]] = {
    "present": plan_present,
    "merged": plan_merged,
    "absent": plan_absent,
}

_ENDS: Mapping[State, tuple[SetState, ...]] = {
    "present": ("active",),
    "merged": ("merge_pending", "merging", "rolled_back"),
    "absent": ("absent",),
}


def run_state(module: AnsibleModule, key: str, build: Callable[[AnsibleModule], Request]) -> None:
    """Bring the host to what the module's parameters ask for; ``key`` is the result's name for the set.

    Ends the module, with exit_json or fail_json.
    """
    with open_session(module, ChangeSession) as session:
        request = build(module)
        with session.locked(f"{request.title}, state {request.state}"):
            result = _bring_about(module, session, request)
        session.end(**{key: result.pop("view"), **result})


def _bring_about(module: AnsibleModule, session: ChangeSession, request: Request) -> dict[str, Any]:
    before = session.observe()
    if request.state == "present" and takes_root(before, request):
        before = replace(before, host=replace(before.host, boot=read_boot()))
    plan = PLANNERS[request.state](before, request)
    if plan.steps and (problems := tuple(udev_problems(before.host))):
        raise Refused(f"{request.title} cannot be {request.state}", problems)
    for warning in (*plan.warnings, *_no_archive(before, plan)):
        session.warn(warning)
    now = before
    if plan.steps and not module.check_mode:
        # Each command goes to the journal with the set and its id.
        session.subject = f"{request.title} {plan.taking.set_id if plan.taking else '(new)'}"
        now = apply(plan, session)
    if now is not before:
        _check_done(before, now, request)
    view = plan.after if module.check_mode else _view(now, request)
    if not module.check_mode:
        _check_begun(plan, now, request)
    return {
        "changed": plan.changes,
        "reboot_required": view.reboot_required,
        "poll_after": view.poll_after,
        "planned": [dict(step.render()) for step in plan.steps],
        "commands": [] if module.check_mode else session.lvm.commands,
        "diff": {"before": _view(before, request).to_prediction(), "after": view.to_prediction()},
        "view": view.to_check_result(now.host.now) if module.check_mode else view.to_result(now.host.now),
        **({} if request.single else _boot_parts(before, request, view)),
    }


def _boot_parts(picture: Picture, request: Request, view: View) -> dict[str, Any]:
    """What boots the host and does not roll back with the set: to be saved, or given up by the user."""
    origins = [picture.volume(member.vg, member.origin) for member in view.members]
    found = list(boot_beside(picture, [origin for origin in origins if origin is not None]))
    ignored = "/boot" in request.selector.ignore_uncovered
    return {"boot_to_save": [] if ignored else found, "boot_ignored": found if ignored else []}


def _no_archive(picture: Picture, plan: Plan) -> Iterator[str]:
    # A full or broken filesystem is what people want to come back from.
    if plan.steps and not picture.host.can_archive:
        yield f"{LVM_ARCHIVE} has hardly any room or is read-only: LVM archives no metadata of what is changed here"


def _view(picture: Picture, request: Request) -> View:
    return view_of(picture, find(picture, request).current, name=request.name)


def _check_done(before: Picture, now: Picture, request: Request) -> None:
    """Fail when no command failed, and the host is not as it was to be all the same."""
    try:
        state = _view(now, request).state
    except Refused as refused:
        told = refused.message
    else:
        if state in _ENDS[request.state]:
            return
        told = f"{request.title} is {state}"
    raise CommandFailed(
        f"every command succeeded, and yet {told}: somebody else changed LVs at the same time; look with snapset_info, "
        "then run again",
        changed=_lasting(before) != _lasting(now),
    )


def _lasting(picture: Picture) -> set[tuple[object, ...]]:
    """What LVM's metadata say of the LVs, without what changes by itself."""
    return {(volume.key, volume.name, volume.size, volume.tags, volume.merging) for volume in picture.volumes}


def _check_begun(plan: Plan, now: Picture, request: Request) -> None:
    """Fail when a merge that should have begun at the last boot is still pending after LVM was asked to look."""
    current = find(now, request).current if plan.must_start else None
    waiting = current.those("merge_pending") if current else ()
    stuck = [member.label for member in waiting if member.origin_key in plan.must_start]
    if stuck:
        raise CommandFailed(
            f"the merge of {', '.join(stuck)} was requested before the last boot and has still not begun: "
            "its origin was activated without it; look into the journal for LVM's reason (journalctl -b -g lvm)",
            changed=plan.changes,
        )
