# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module rollback_timer. Pure; private to this collection."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._errors import Refused
from .._names import device_path, generated_names
from .._snapset.context import host_problems, missing_problems
from .._snapset.coverage import boot_mounts
from .._snapset.foreign import foreign_problems
from .._snapset.locks import passphrase_problems, reboot_warnings
from .._snapset.lvm_rules import lvm_problems
from .._snapset.plan.base import Request
from .._snapset.plan.merged import plan_merged
from .._snapset.sizes import AUTO
from .._snapset.steps import Retag, removal_of
from .._snapset.tags import TIMER_READY, TimerTags
from .._snapset.timers import armed_timers
from .._snapset.volumes import plan_volume
from .._steps import StepsPlan
from .program.watch import PROGRAM
from .script import (
    boot_list,
    boot_problems,
    facts,
    filesystems,
    members,
    menus,
    rollback_script,
    set_problems,
    term,
)
from .steps import SetTime, StartUnit, StopUnit, WriteTimer
from .timers import ROOM, timer_view, with_status
from .unit import unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._snapset.timers import Timer
    from .._snapset.volumes import NewVolume
    from .._steps import Step
    from .observed import TimerObserved, TimerRequest
    from .script import RollbackScript


def refusal(name: str, state: str) -> str:
    """Return how the message begins when the request for the snapset ``name`` is refused."""
    return f"cannot {'arm' if state == 'armed' else 'disarm'} the rollback timer of {name}"


def set_timer_view(observed: TimerObserved) -> dict[str, Any]:
    """Return the newest timer of the snapset as results show it."""
    if not observed.timers:
        return _no_timer(observed.context.name)
    return with_status(timer_view(observed.timers[-1]), observed.status, runs=observed.runs)


def _no_timer(name: str) -> dict[str, Any]:
    nothing = ("id", "phase", "reason", "after", "spread", "deadline", "failed_boots", "fired_at", "vg", "volume")
    return {"name": name, "state": "disarmed", "running": False, **dict.fromkeys(nothing)}


def plan_disarmed(observed: TimerObserved) -> StepsPlan:
    """Return the steps that stop and remove every timer of the snapset."""
    steps, name = tuple(_removal(observed)), observed.context.name
    warnings = () if observed.timers else tuple(foreign_problems(observed.host_state, name, kind="timer"))
    return StepsPlan(steps, _no_timer(name) if steps else set_timer_view(observed), warnings)


def _removal(observed: TimerObserved) -> Iterator[Step]:
    if observed.has_unit:
        yield StopUnit(observed.context.name)
    yield from removal_of([timer.volume for timer in observed.timers])


def plan_armed(observed: TimerObserved, request: TimerRequest) -> StepsPlan:
    """Return the steps to a running timer. Raises Refused with every reason that would prevent its rollback.

    The program of a timer that is running is given another time. So there is no moment without a timer.
    """
    if observed.is_current(request):
        return StepsPlan((), set_timer_view(observed))
    _refuse(observed, (*_problems(observed), *_request_problems(observed, request)))
    rollback = _rollback_script(observed)
    found = observed.watching
    return _set_time(observed, request, found) if found else _create(observed, request, rollback)


def _set_time(observed: TimerObserved, request: TimerRequest, found: Timer) -> StepsPlan:
    now = observed.host_state.host.now
    tags = replace(found.tags, armed=now, after=request.after, spread=request.spread, boots=request.boots)
    old, new = found.tags.to_tags(), tags.to_tags()
    name, volume = observed.context.name, found.volume
    steps = (
        SetTime(name, volume.full_name, device_path(volume.vg, volume.name), observed.serial, _term(observed, request)),
        Retag(
            purpose="remember_time",
            volumes=(volume.full_name,),
            add=tuple(tag for tag in new if tag not in old),
            delete=tuple(tag for tag in old if tag not in new),
        ),
    )
    return StepsPlan(steps, _armed_view(observed, request, volume.vg, volume.name))


def _create(observed: TimerObserved, request: TimerRequest, rollback: RollbackScript) -> StepsPlan:
    name, host = observed.context.name, observed.host_state.host
    place = plan_volume(
        observed.host_state,
        f"the rollback timer of {name}",
        names=generated_names("safepoint_timer", name),
        vg=request.vg,
        needed=ROOM + observed.tools_size,
        going=[timer.volume for timer in observed.timers],
    )
    tags = TimerTags(
        set_name=name,
        set_id=observed.context.set_id,
        armed=host.now,
        after=request.after,
        boots=request.boots,
        vg=place.vg_uuid,
        host=observed.context.instance.host if observed.context.instance else "",
        spread=request.spread,
    )
    steps = (
        *_removal(observed),
        place.step("timer", tags.to_tags()),
        _write(observed, request, place, facts(tags, rollback, observed.host_state), members(rollback)),
        Retag(purpose="seal", volumes=(place.full_name,), add=(TIMER_READY,)),
        StartUnit(name, unit(name, place.full_name, place.device, observed.serial), observed.serial),
    )
    view = _armed_view(observed, request, place.vg, place.name)
    return StepsPlan(steps, view, reboot_warnings(observed.host_state))


def _armed_view(observed: TimerObserved, request: TimerRequest, vg: str, volume: str) -> dict[str, Any]:
    # Only the real run knows the deadline.
    armed = {"state": "armed", "running": True, "phase": "watching", "id": observed.context.set_id}
    requested = {"after": request.after, "spread": request.spread, "failed_boots": request.boots}
    return {**_no_timer(observed.context.name), **armed, **requested, "vg": vg, "volume": volume}


def _refuse(observed: TimerObserved, problems: Iterable[str], **details: bool) -> None:
    if found := tuple(problems):
        raise Refused(refusal(observed.context.name, "armed"), found, **details)


def _problems(observed: TimerObserved) -> Iterator[str]:
    yield from host_problems(observed.context)
    if not observed.systemd:
        yield "the host was not booted by systemd, which must run the timer"
    for initramfs in observed.initramfs:
        for kind in observed.needed_filesystems:
            if initramfs.modules is None or kind not in initramfs.modules:
                yield (
                    f"the initramfs of kernel {initramfs.kernel} has no {kind}, which the timer needs: "
                    f"dracut --force --add-drivers {kind} --kver {shlex.quote(initramfs.kernel)}, or add "
                    f"{kind} to /etc/initramfs-tools/modules and run update-initramfs"
                )
    yield from (f"the program {name} is missing: install it" for name in observed.missing_tools)


def _request_problems(observed: TimerObserved, request: TimerRequest) -> Iterator[str]:
    if observed.systemd and request.boots and not observed.target:
        yield (
            "failed_boots: the default target of systemd is not active now, so every boot would count as failed: see "
            "systemctl get-default and systemctl list-jobs, or use failed_boots: 0"
        )
    if not request.allow_passphrase:
        for problem in passphrase_problems(observed.host_state):
            yield f"{problem}. If somebody will be there after the reboot of the timer, use allow_passphrase: true"


def _rollback_script(observed: TimerObserved) -> RollbackScript:
    """Return what the program must do. Raises Refused."""
    context = observed.context
    if context.instance is None:
        raise Refused(refusal(context.name, "armed"), [*missing_problems(context)], snapset_missing=True)
    _refuse(observed, set_problems(context), snapset_missing=context.set_state in ("rolled_back", "incomplete"))
    plan = plan_merged(context.host_state, Request(name=context.name, state="merged", reserve=AUTO, pool_reserve=AUTO))
    # The steps of the rollback itself: those of the arming are checked like the steps of every module.
    refused_by_lvm = lvm_problems(context.host_state, plan.steps)
    _refuse(observed, (*boot_problems(context), *_rival_problems(observed), *refused_by_lvm))
    return rollback_script(context, plan)


def _rival_problems(observed: TimerObserved) -> Iterator[str]:
    instance = observed.context.instance
    origins = [one.origin for one in instance.members if one.origin] if instance else []
    for timer, shared in armed_timers(observed.host_state, origins):
        if timer.tags.set_name != observed.context.name:
            yield (
                f"the rollback timer of another snapset, {timer.tags.set_name}, is armed for {shared}, and only one of "
                "the two could roll back: accept that change (ansible-playbook safepoint.lvm.commit -e "
                f"snapset={timer.tags.set_name}), or disarm that timer (rollback_timer, state: disarmed)"
            )


def _term(observed: TimerObserved, request: TimerRequest) -> str:
    return term(
        serial=observed.serial,
        after=request.after,
        delay=int(observed.drawn * (request.spread + 1)),
        spread=request.spread,
        boots=request.boots,
        target=observed.target,
        machine=observed.machine,
    )


def _write(
    observed: TimerObserved, request: TimerRequest, place: NewVolume, its_facts: str, its_members: str
) -> WriteTimer:
    mounts = boot_mounts(observed.host_state) if observed.saved else ()
    files = {
        "go-back": PROGRAM,
        "facts": its_facts,
        "members": its_members,
        "boot": boot_list(observed.saved),
        "menus": menus(observed.saved),
        "filesystems": filesystems(observed.devices, mounts, observed.saved),
    }
    changing = {"term": _term(observed, request), "failed": f"0 {observed.host_state.host.boot_id}\n"}
    return WriteTimer(place.full_name, place.device, observed.serial, files, changing)
