# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the modules snapset and snapshot: snapshots taken, extended, merged and removed. Private."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._errors import CommandFailed, Refused
from .._host.boot import read_boot
from .._snapset.coverage import boot_outside_set
from .._snapset.plan.base import Plan, find
from .._snapset.result import view_of
from .run import UseCase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._errors import SafepointError
    from .._model import HostState
    from .._snapset.plan.base import Request, State
    from .._snapset.result import View
    from .._snapset.state import SetState
    from .._steps import Runner, Step

_ENDS: Mapping[State, tuple[SetState, ...]] = {
    "present": ("active",),
    "merged": ("merge_pending", "merging", "rolled_back"),
    "absent": ("absent",),
}


@dataclass(frozen=True)
class Snapshots:
    """LVM and the host around it, and what of them ``request`` is about."""

    host_state: HostState
    request: Request

    @property
    def view(self) -> View:
        """What is there now. Raises Refused when it cannot be looked up."""
        return view_of(self.host_state, find(self.host_state, self.request).current, name=self.request.name)


# A host compiles every file that a run imports, so each state imports its own planner only.


def plan_snapshots(host_state: HostState, request: Request) -> Plan:
    """The plan for the state that ``request`` asks for. Raises Refused with every reason why there is none."""
    if request.state == "present":
        from .._snapset.plan.present import plan_present as planner
    elif request.state == "merged":
        from .._snapset.plan.merged import plan_merged as planner
    else:
        from .._snapset.plan.absent import plan_absent as planner
    return planner(host_state, request)


class SnapshotsCase(UseCase[Snapshots, Plan]):
    """``key`` is the result's name for the set, or for the single snapshot."""

    def __init__(self, key: str, request: Request) -> None:
        self.title = request.title
        self.state = request.state
        self._key = key
        self._request = request

    def observe(self, host_state: HostState) -> Snapshots:
        """LVM and the host; what the initramfs has only where the root filesystem is to be protected."""
        if self.state != "present":
            return Snapshots(host_state, self._request)
        from .._snapset.plan.present import will_protect_root

        if will_protect_root(host_state, self._request):
            host_state = replace(host_state, host=replace(host_state.host, boot=read_boot()))
        return Snapshots(host_state, self._request)

    @staticmethod
    def failure(
        plan: Plan, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
    ) -> SafepointError:
        """Undo what can be undone, and return the error. Only a run that fails imports how."""
        from .failure import failure_of

        return failure_of(plan, step, error, done, runner)

    def plan(self, observed: Snapshots) -> Plan:
        """The steps; pure. Raises Refused."""
        return plan_snapshots(observed.host_state, self._request)

    def predicted(self, plan: Plan, before: Snapshots) -> dict[str, Any]:
        """The set after ``plan``."""
        return self._result(before.host_state, plan.after, plan.after.to_check_result(before.host_state.host.now))

    def shown(self, observed: Snapshots) -> dict[str, Any]:
        """The set now."""
        host_state, view = observed.host_state, observed.view
        return self._result(host_state, view, view.to_result(host_state.host.now))

    def expected(self, plan: Plan) -> dict[str, Any]:
        """The set after ``plan``, without what differs between two runs."""
        return plan.after.to_prediction()

    def compared(self, observed: Snapshots) -> dict[str, Any]:
        """The set now, without what differs between two runs."""
        return observed.view.to_prediction()

    def _result(self, host_state: HostState, view: View, shown: dict[str, Any]) -> dict[str, Any]:
        boot = {} if self._request.single else _boot_parts(host_state, self._request, view)
        return {self._key: shown, "reboot_required": view.reboot_required, "poll_after": view.poll_after, **boot}

    def verify(self, before: Snapshots, plan: Plan, now: Snapshots) -> None:
        """Raise CommandFailed when the set is not what it was to be, or a merge has not begun that should have."""
        if plan.steps:
            check_done(before, now)
        _check_started(plan, now)


def _boot_parts(host_state: HostState, request: Request, view: View) -> dict[str, Any]:
    """What boots the host and does not roll back with the set: to be saved, or given up by the user."""
    origins = [host_state.volume(member.vg, member.origin) for member in view.members]
    found = list(boot_outside_set(host_state, [origin for origin in origins if origin is not None]))
    ignored = "/boot" in request.selector.ignore_uncovered
    return {"boot_to_save": [] if ignored else found, "boot_ignored": found if ignored else []}


def check_done(before: Snapshots, now: Snapshots) -> None:
    """Raise CommandFailed when no command failed, and the set is not in the state that was asked for all the same."""
    request = now.request
    try:
        state = now.view.state
    except Refused as refused:
        told = refused.message
    else:
        if state in _ENDS[request.state]:
            return
        told = f"{request.title} is {state}"
    raise CommandFailed(
        f"every command succeeded, and yet {told}: somebody else changed LVs at the same time; look with snapset_info, "
        "then run again",
        changed=_lasting(before.host_state) != _lasting(now.host_state),
    )


def _lasting(host_state: HostState) -> set[tuple[object, ...]]:
    """What LVM's metadata say of the LVs, without what changes by itself."""
    return {(volume.key, volume.name, volume.size, volume.tags, volume.merging) for volume in host_state.volumes}


def _check_started(plan: Plan, now: Snapshots) -> None:
    """Fail when a merge that should have begun at the last boot is still pending after LVM was asked to look."""
    current = find(now.host_state, now.request).current if plan.must_start else None
    waiting = current.members_in("merge_pending") if current else ()
    stuck = [member.label for member in waiting if member.origin_key in plan.must_start]
    if stuck:
        raise CommandFailed(
            f"the merge of {', '.join(stuck)} was requested before the last boot and has still not begun: "
            "its origin was activated without it; look into the journal for LVM's reason (journalctl -b -g lvm)",
            changed=plan.changes,
        )
