# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the modules snapset and snapshot: create, extend, merge and remove snapshots. Private."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._errors import CommandFailed, Refused
from .._host.boot import read_boot
from .._host.facts import read_host
from .._paths import BOOT_MOUNTPOINTS, SYSTEM_MOUNTPOINTS
from .._snapset.coverage import boot_mounts, boot_outside_set, not_rolled_back
from .._snapset.packages import package_databases
from .._snapset.plan.base import Plan, find
from .._snapset.result import view_of
from .._snapset.steps import CreateSnapshot
from .packages import CheckPackages, wait_for_packages
from .run import UseCase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._errors import SafepointError
    from .._model import HostState, Volume
    from .._snapset.plan.base import Request, State
    from .._snapset.result import View
    from .._snapset.state import SetState
    from .._steps import Runner, Step
    from .apply import Done
    from .changes import ChangeSession

_ENDS: Mapping[State, tuple[SetState, ...]] = {
    "present": ("active",),
    "merged": ("merge_pending", "merging", "rolled_back"),
    "absent": ("absent",),
}


@dataclass(frozen=True)
class Snapshots:
    """The state of the host, and the ``request``. ``problems`` are further reasons why it is refused."""

    host_state: HostState
    request: Request
    problems: tuple[str, ...] = ()

    @property
    def view(self) -> View:
        """The snapset or snapshot as it is now. Raises Refused if it cannot be identified."""
        return view_of(self.host_state, find(self.host_state, self.request).current, name=self.request.name)


# The host compiles every file that a run imports. Therefore each state imports only its own planner.


def plan_snapshots(host_state: HostState, request: Request) -> Plan:
    """The plan for the requested state. Raises Refused with every reason if there is none."""
    if request.state == "present":
        from .._snapset.plan.present import plan_present as planner
    elif request.state == "merged":
        from .._snapset.plan.merged import plan_merged as planner
    else:
        from .._snapset.plan.absent import plan_absent as planner
    if not request.adopt:
        return planner(host_state, request)
    from .._snapset.plan.adoption import plan_adoption

    adoption, host_state = plan_adoption(host_state, request)
    plan = planner(host_state, request)
    return replace(plan, steps=(*adoption, *plan.steps))


def origins_to_take(host_state: HostState, request: Request) -> tuple[Volume, ...]:
    """The LVs of which the plan will create snapshots. Raises Refused if that cannot be found out."""
    if request.state != "present":
        return ()
    from .._snapset.plan.present import new_origins

    return new_origins(host_state, request)


class SnapshotsCase(UseCase[Snapshots, Plan]):
    """``key`` is the name of the snapset or the snapshot in the result."""

    def __init__(self, key: str, request: Request) -> None:
        self.title = request.title
        self.state = request.state
        self.refusal = request.refusal
        self.paths = (*request.selector.mountpoints, *request.selector.exclude)
        if self.state == "present":
            self.paths += (*SYSTEM_MOUNTPOINTS, *BOOT_MOUNTPOINTS)
        self._key = key
        self._request = request

    def prepare(self, session: ChangeSession) -> None:
        """Wait for package managers, also in check mode, so that its prediction is that of a run that waits.

        Raises SafepointError.
        """
        timeout = self._request.package_timeout
        if self.state == "present" and timeout and any(one.user for one in read_host().packages):
            host_state = session.observe(self.paths)
            origins = origins_to_take(host_state, self._request)
            wait_for_packages(package_databases(host_state, origins), timeout)

    def read(self, session: ChangeSession) -> HostState:
        """The host; with the limits of the thin pools in which something will be created."""
        host_state = session.observe(self.paths)
        if self.state != "present":
            return host_state
        from .._snapset.plan.present import pools_to_use

        profiles = {pool.key: profile for pool, profile in pools_to_use(host_state, self._request)}
        limits = {profile: session.lvm.creation_limit(profile) for profile in dict.fromkeys(profiles.values())}
        return replace(
            host_state,
            volumes=tuple(
                replace(volume, creation_limit=limits[profiles[volume.key]]) if volume.key in profiles else volume
                for volume in host_state.volumes
            ),
        )

    def observe(self, host_state: HostState) -> Snapshots:
        """The host; with kernels and initramfs only if they matter, and if no automount keeps them."""
        boot = host_state.host.lies_on("/boot")
        if self.state == "merged":
            return Snapshots(self._with_locks(host_state), self._request)
        if self.state != "present" or (boot is not None and boot.is_automount):
            return Snapshots(host_state, self._request)
        from .._snapset.plan.present import depends_on_boot

        if depends_on_boot(host_state, self._request):
            host_state = replace(host_state, host=replace(host_state.host, boot=read_boot()))
        return Snapshots(host_state, self._request)

    def _with_locks(self, host_state: HostState) -> HostState:
        """The host; with its encrypted devices if the rollback is not yet requested, and will reboot the host."""
        current = find(host_state, self._request).current
        members = current.members_in("active") if current is not None else ()
        if not any(member.origin is not None and member.origin.open for member in members):
            return host_state
        from .._host.crypt import read_locks

        return replace(host_state, host=replace(host_state.host, locks=read_locks(host_state.host)))

    @staticmethod
    def failure(
        plan: Plan, step: Step, error: SafepointError | OSError, done: Sequence[Step], runner: Runner
    ) -> SafepointError:
        """Undo what can be undone, and return the error. Only a run that fails imports this code."""
        from .failure import failure_of

        return failure_of(plan, step, error, done, runner)

    def plan(self, observed: Snapshots) -> Plan:
        """The plan, with checks between the creation of the snapshots and the seal. Raises Refused."""
        try:
            plan = plan_snapshots(observed.host_state, self._request)
        except Refused as refused:
            raise Refused(self.refusal, (*refused.reasons, *observed.problems)) from refused
        if observed.problems:
            raise Refused(self.refusal, observed.problems)
        return checked_after_creation(plan, list(self.checks(observed)))

    def checks(self, observed: Snapshots) -> Iterator[Step]:
        """What must still be true when the last snapshot has been created."""
        host_state = observed.host_state
        if databases := package_databases(host_state, origins_to_take(host_state, self._request)):
            yield CheckPackages(databases)

    def measured(self, done: Sequence[Done]) -> dict[str, Any]:
        """In which order the volumes were taken, and how long that took."""
        created = [(one, one.step) for one in done if isinstance(one.step, CreateSnapshot)]
        if not created or self._request.single:
            return {}
        return {
            "taken_order": [name for _one, step in created for name in step.lvs],
            "taken_within_ms": math.ceil((created[-1][0].ended - created[0][0].begun) * 1000),
        }

    def predicted(self, plan: Plan, before: Snapshots) -> dict[str, Any]:
        """The snapset after ``plan``."""
        return self._result(before.host_state, plan.after, plan.after.to_check_result(before.host_state.host.now))

    def shown(self, observed: Snapshots) -> dict[str, Any]:
        """The snapset as it is now."""
        host_state, view = observed.host_state, observed.view
        return self._result(host_state, view, view.to_result(host_state.host.now))

    def expected(self, plan: Plan) -> dict[str, Any]:
        """The snapset after ``plan``, without values that differ between two runs."""
        return plan.after.to_prediction()

    def compared(self, observed: Snapshots) -> dict[str, Any]:
        """The snapset now, without values that differ between two runs."""
        return observed.view.to_prediction()

    def _result(self, host_state: HostState, view: View, shown: dict[str, Any]) -> dict[str, Any]:
        beside = {} if self._request.single else _beside_the_set(host_state, self._request, view)
        return {self._key: shown, "reboot_required": view.reboot_required, "poll_after": view.poll_after, **beside}

    def verify(self, before: Snapshots, plan: Plan, now: Snapshots) -> None:
        """Raise CommandFailed if the snapset is not as planned, or a merge has not started."""
        if plan.steps:
            check_done(before, now)
        _check_started(plan, now)


def checked_after_creation(plan: Plan, checks: Sequence[Step]) -> Plan:
    """``plan`` with ``checks`` after its last creation, before anything says that the set is complete."""
    end = max((at for at, step in enumerate(plan.steps, 1) if isinstance(step, CreateSnapshot)), default=0)
    return replace(plan, steps=(*plan.steps[:end], *checks, *plan.steps[end:])) if end else plan


def _beside_the_set(host_state: HostState, request: Request, view: View) -> dict[str, Any]:
    """What does not roll back with the snapset: boot filesystems to be saved or ignored, and everything else."""
    origins = [host_state.volume(member.vg, member.origin) for member in view.members]
    members = [origin for origin in origins if origin is not None]
    boot, ignored = boot_outside_set(host_state, members), request.selector.ignore_uncovered
    saved = {mount.mountpoint for mount in boot_mounts(host_state, ignored)}
    return {
        "boot_to_save": [path for path in boot if path in saved],
        "boot_ignored": [path for path in boot if path not in saved],
        "not_rolled_back": [{"path": path, "reason": why} for path, why in not_rolled_back(host_state, members)],
    }


def check_done(before: Snapshots, now: Snapshots) -> None:
    """Raise CommandFailed if all commands succeeded, but the snapset is not in the requested state."""
    request = now.request
    try:
        state = now.view.state
    except Refused as refused:
        found = "; ".join(refused.reasons)
    else:
        if state in _ENDS[request.state]:
            return
        found = f"{request.title} is {state}"
    raise CommandFailed(
        f"all commands succeeded, but {found}: somebody else changed LVs at the same time; check with snapset_info, "
        "then run again",
        changed=_lasting(before.host_state) != _lasting(now.host_state),
    )


def _lasting(host_state: HostState) -> set[tuple[object, ...]]:
    """The metadata of the LVs, without values that change by themselves."""
    return {(volume.key, volume.name, volume.size, volume.tags, volume.merging) for volume in host_state.volumes}


def _check_started(plan: Plan, now: Snapshots) -> None:
    """Raise CommandFailed if a merge that should have started at the last boot is still pending after polling."""
    current = find(now.host_state, now.request).current if plan.must_start else None
    waiting = current.members_in("merge_pending") if current else ()
    stuck = [member.label for member in waiting if member.origin_key in plan.must_start]
    if stuck:
        raise CommandFailed(
            f"the merge of {', '.join(stuck)} was requested before the last boot but has not started: "
            "its origin was activated without it; see LVM's reason in the journal (journalctl -b -g lvm)",
            changed=plan.changes,
        )
