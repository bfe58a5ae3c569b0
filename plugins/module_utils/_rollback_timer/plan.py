# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module rollback_timer. Pure; private to this collection."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from .._errors import Refused
from .._names import generated_names
from .._settings import FILESYSTEM
from .._snapset.context import host_problems, missing_problems
from .._snapset.coverage import boot_mounts
from .._snapset.foreign import foreign_problems
from .._snapset.plan.base import Request
from .._snapset.plan.merged import plan_merged
from .._snapset.sizes import AUTO
from .._snapset.steps import Remove, Retag
from .._snapset.tags import TIMER_READY, TimerTags
from .._snapset.volumes import plan_volume
from .._steps import StepsPlan
from .program import PROGRAM
from .script import (
    boot_list,
    boot_problems,
    facts,
    filesystems,
    menus,
    requests,
    rollback_script,
    set_problems,
)
from .steps import StartUnit, StopUnit, WriteTimer
from .timers import ROOM, timer_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._snapset.volumes import NewVolume
    from .._steps import Step
    from .observed import TimerObserved
    from .script import RollbackScript


def refusal(name: str, state: str) -> str:
    """Return how the message begins when the request for the snapset ``name`` is refused."""
    return f"cannot {'arm' if state == 'armed' else 'disarm'} the rollback timer of {name}"


def set_timer_view(observed: TimerObserved) -> dict[str, Any]:
    """Return the newest timer of the snapset as results show it."""
    if not observed.timers:
        return _no_timer(observed.context.name)
    found = timer_view(observed.timers[-1])
    return {**found, "running": found["state"] == "armed" and observed.running}


def _no_timer(name: str) -> dict[str, Any]:
    nothing = ("id", "after", "deadline", "failed_boots", "fired_at", "vg", "volume")
    return {"name": name, "state": "disarmed", "running": False, **dict.fromkeys(nothing)}


def plan_disarmed(observed: TimerObserved) -> StepsPlan:
    """Return the steps that stop and remove every timer of the snapset."""
    steps, name = tuple(_removal(observed)), observed.context.name
    warnings = () if observed.timers else tuple(foreign_problems(observed.host_state, name, kind="timer"))
    return StepsPlan(steps, _no_timer(name) if steps else set_timer_view(observed), warnings)


def _removal(observed: TimerObserved) -> Iterator[Step]:
    if observed.has_unit:
        yield StopUnit(observed.context.name)
    if observed.timers:
        yield Remove.of(timer.volume for timer in observed.timers)


def plan_armed(observed: TimerObserved, *, after: int, boots: int, vg: str | None) -> StepsPlan:
    """Return the steps to a running timer. Raises Refused with every reason that would prevent its rollback.

    ``after`` is in seconds. ``boots`` is how many failed boots trigger the rollback, 0 for none.
    """
    if observed.is_current(after, boots):
        return StepsPlan((), set_timer_view(observed))
    name, host = observed.context.name, observed.host_state.host
    _refuse(observed, _problems(observed))
    rollback = _rollback_script(observed)
    place = plan_volume(
        observed.host_state,
        f"the rollback timer of {name}",
        names=generated_names("safepoint_timer", name),
        vg=vg,
        needed=ROOM + observed.tools_size,
        going=[timer.volume for timer in observed.timers],
    )
    tags = TimerTags(
        set_name=name,
        set_id=observed.context.set_id,
        armed=host.now,
        after=after,
        boots=boots,
        vg=place.vg_uuid,
        host=observed.context.instance.host if observed.context.instance else "",
    )
    steps = (
        *_removal(observed),
        place.step("timer", tags.to_tags()),
        _write(observed, place, tags, rollback),
        Retag(purpose="seal", volumes=(place.full_name,), add=(TIMER_READY,)),
        StartUnit(name, tags.deadline, place.device),
    )
    armed = {"state": "armed", "running": True, "id": observed.context.set_id, "after": after, "failed_boots": boots}
    return StepsPlan(steps, {**_no_timer(name), **armed, "vg": place.vg, "volume": place.name})


def _refuse(observed: TimerObserved, problems: Iterable[str], **details: bool) -> None:
    if found := tuple(problems):
        raise Refused(refusal(observed.context.name, "armed"), found, **details)


def _problems(observed: TimerObserved) -> Iterator[str]:
    yield from host_problems(observed.context)
    if not observed.systemd:
        yield "the host was not booted by systemd, which must run the timer"
    for initramfs in observed.initramfs:
        # The change may break the modules on /.
        if initramfs.modules is None or FILESYSTEM not in initramfs.modules:
            yield (
                f"the initramfs of kernel {initramfs.kernel} has no {FILESYSTEM}, which the timer needs: "
                f"dracut --force --add-drivers {FILESYSTEM} --kver {shlex.quote(initramfs.kernel)}, or add "
                f"{FILESYSTEM} to /etc/initramfs-tools/modules and run update-initramfs"
            )
    yield from (f"the program {name} is missing: install it" for name in observed.missing_tools)


def _rollback_script(observed: TimerObserved) -> RollbackScript:
    """Return what the program must do. Raises Refused."""
    context = observed.context
    if context.instance is None:
        raise Refused(refusal(context.name, "armed"), [*missing_problems(context)], snapset_missing=True)
    _refuse(observed, set_problems(context), snapset_missing=context.set_state in ("rolled_back", "incomplete"))
    plan = plan_merged(context.host_state, Request(name=context.name, state="merged", reserve=AUTO, pool_reserve=AUTO))
    _refuse(observed, boot_problems(context))
    return rollback_script(context, plan)


def _write(observed: TimerObserved, place: NewVolume, tags: TimerTags, rollback: RollbackScript) -> WriteTimer:
    mounts = boot_mounts(observed.host_state) if observed.saved else ()
    files = {
        "go-back": PROGRAM,
        "facts": facts(tags, place.full_name, rollback, observed.host_state.host),
        "requests": requests(rollback, observed.host_state),
        "boot": boot_list(observed.saved),
        "menus": menus(observed.saved),
        "filesystems": filesystems(observed.devices, mounts, observed.saved),
    }
    changing = {"deadline": f"{tags.deadline}\n", "failed": f"0 {observed.host_state.host.boot_id}\n"}
    return WriteTimer(place.full_name, place.device, files, changing)
