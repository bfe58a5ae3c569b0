# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the module rollback_timer works: lock, observe, plan, carry out, result. Private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_files.manifest import read_manifest
from .._errors import FilesFailed, SafepointError, sentence_of
from .._host.boot import read_boot
from .._host.filesystem import NEEDED_TOOLS, mounted
from .._host.mounts import lasting_name
from .._host.process import missing_tools
from .._names import generated_names, name_problem, set_name_problem
from .._rollback_timer.orders import (
    Orders,
    boot_list,
    boot_problems,
    facts,
    filesystems,
    menu_directories,
    orders,
    requests,
    set_problems,
)
from .._rollback_timer.program import PROGRAM
from .._rollback_timer.running import SYSTEMD, UNITS, is_active, is_running, with_running
from .._rollback_timer.timers import timer_view, timers_in, unit_name
from .._rollback_timer.toolbox import TOOLS, toolbox
from .._rollback_timer.unit import start, stop
from .._rollback_timer.volume import ROOM, write_timer
from .._settings import FILESYSTEM
from .._snapset.context import host_problems
from .._snapset.coverage import boot_mounts
from .._snapset.plan.base import Request
from .._snapset.plan.merged import plan_merged
from .._snapset.sizes import AUTO
from .._snapset.steps import Remove, Retag
from .._snapset.tags import TIMER_READY, TimerTags
from .._snapset.volumes import ROOM_FOR_ENTRY, plan_volume
from .argspec import duration_parameter
from .changes import ChangeSession
from .onepass import Run
from .session import check, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._boot_files.tree import Tree
    from .._model import Picture
    from .._rollback_timer.timers import Timer
    from .._snapset.context import Situation
    from .._snapset.volumes import NewVolume

_MOST_BOOTS = 99


class _Run(Run):
    """One run of the module."""

    def __init__(self, module: AnsibleModule, session: ChangeSession) -> None:
        params = module.params
        self.after = _after(params["after"]) if params["state"] == "armed" else 0
        super().__init__(module, session, f"the rollback timer of {params['name']}")
        self.vg: str | None = params["vg"]
        self.boots: int = params["failed_boots"]


def run_rollback_timer(module: AnsibleModule) -> None:
    """Bring the timer to what the module's parameters ask for. Ends the module."""
    with open_session(module, ChangeSession) as session:
        name, state, vg, boots = (module.params[key] for key in ("name", "state", "vg", "failed_boots"))
        check("name", set_name_problem(name))
        check("vg", None if vg is None else name_problem(vg, "a VG"))
        check("failed_boots", None if 0 <= boots <= _MOST_BOOTS else f"{boots} must be 0 to {_MOST_BOOTS}")
        session.subject = f"rollback timer of {name}"
        with session.locked(f"{session.subject}, state {state}"):
            run = _Run(module, session)
            with run.file_errors():
                (_arm if state == "armed" else _disarm)(run)
            now = run.look() if run.planned and not run.predicts else run.now
        session.end(
            changed=bool(run.planned),
            rollback_timer=_predicted(run, state) if run.predicts and run.planned else _view(now),
            planned=run.planned,
            commands=[] if run.predicts else session.lvm.commands,
        )


def _after(text: str | None) -> int:
    return duration_parameter(text or "", "after", least="60s", most="30d").seconds


def _timers(now: Situation) -> list[Timer]:
    return [timer for timer in timers_in(now.picture) if timer.tags.set_name == now.name]


def _arm(run: _Run) -> None:
    if run.now.taking and any(_is_wanted(run, timer) for timer in _timers(run.now)):
        return
    run.refuse_for(_cannot_arm(run))
    found = _orders(run)
    place = plan_volume(
        run.now.picture,
        f"the rollback timer of {run.name}",
        names=generated_names("safepoint_timer", run.name),
        vg=run.vg,
        needed=ROOM + sum(Path(source).stat().st_size + ROOM_FOR_ENTRY for source, _target in toolbox()),
        going=[timer.volume for timer in _timers(run.now)],
    )
    _disarm(run)
    tags = TimerTags(
        set_name=run.name,
        set_id=run.now.set_id,
        armed=run.now.picture.host.now,
        after=run.after,
        boots=run.boots,
        vg=place.vg_uuid,
    )
    run.lvm(place.step("timer", tags.to_tags()))
    try:
        run.work("write_timer", lambda: _write(run, place, tags, found), volume=place.full_name)
        run.lvm(Retag(purpose="seal", volumes=(place.full_name,), add=(TIMER_READY,)))
        run.work("start_timer", lambda: start(run.name, tags.deadline, place.device), unit=unit_name(run.name))
    except (SafepointError, OSError) as error:
        raise _undone(run, error) from error


def _is_wanted(run: _Run, timer: Timer) -> bool:
    """Whether a timer is just what is asked for, and runs."""
    tags = timer.tags
    same = (tags.set_id, tags.after, tags.boots) == (run.now.set_id, run.after, run.boots)
    return same and timer.state == "armed" and is_running(run.name)


def _orders(run: _Run) -> Orders:
    run.refuse_for(set_problems(run.now))
    plan = plan_merged(run.now.picture, Request(name=run.name, state="merged", reserve=AUTO, pool_reserve=AUTO))
    run.refuse_for(boot_problems(run.now))
    return orders(run.now, plan)


def _cannot_arm(run: _Run) -> Sequence[str]:
    problems = list(host_problems(run.now))
    if not SYSTEMD.is_dir():
        problems.append("this host was not booted by systemd, which has to run it")
    problems += _cannot_be_mounted(run.now.picture)
    missing = missing_tools((*NEEDED_TOOLS, "ldd", "systemctl", *TOOLS))
    return [*problems, *(f"the program {name} is needed and not there: install it" for name in missing)]


def _cannot_be_mounted(picture: Picture) -> Iterator[str]:
    """Why the timer's filesystem might not be mounted after a change that broke the modules on /."""
    if any(mount.mountpoint == "/" and mount.fstype == FILESYSTEM for mount in picture.host.mounts):
        return  # Every initramfs that mounts / has it.
    for initramfs in read_boot().initramfs:
        if initramfs.modules is None or FILESYSTEM not in initramfs.modules:
            yield (
                f"the initramfs of kernel {initramfs.kernel} has no {FILESYSTEM}, which the timer needs: "
                f"dracut --force --add-drivers {FILESYSTEM} --kver {initramfs.kernel}, or add it to "
                "/etc/initramfs-tools/modules and run update-initramfs"
            )


def _write(run: _Run, place: NewVolume, tags: TimerTags, found: Orders) -> None:
    trees: tuple[Tree, ...] = ()
    if found.backup is not None:
        with mounted(found.backup.device) as kept:
            trees = read_manifest(kept, found.backup.tags.manifest)
    mounts = boot_mounts(run.now.picture) if trees else ()
    files = {
        "go-back": PROGRAM,
        "facts": facts(tags, place.full_name, found, run.now.picture.host),
        "requests": requests(found, run.now.picture),
        "boot": boot_list(trees),
        "menus": menu_directories(trees),
        "filesystems": filesystems({mount.mountpoint: lasting_name(mount.source) for mount in mounts}, mounts),
    }
    changing = {"deadline": f"{tags.deadline}\n", "failed": f"0 {run.now.picture.host.boot_id}\n"}
    write_timer(place.device, files, changing)


def _undone(run: _Run, error: SafepointError | OSError) -> FilesFailed:
    """The error of a timer that could not be armed, with what was done about what had been made."""
    told = sentence_of(error)
    # The one that is in its place went before it was made.
    replaced = bool(_timers(run.now))
    run.now = run.look()
    try:
        _disarm(run)
    except (SafepointError, OSError) as failed:
        return FilesFailed(f"{told}; what was made for it is left, because of: {failed}", changed=True)
    gone = "; the timer that was armed before is gone as well: arm it again" if replaced else ""
    return FilesFailed(f"{told}; what was made for it was removed again{gone}", changed=replaced)


def _disarm(run: _Run) -> None:
    file = UNITS / unit_name(run.name)
    if file.exists() or is_active(run.name):
        run.work("stop_timer", lambda: stop(run.name), unit=unit_name(run.name))
    if timers := _timers(run.now):
        run.lvm(Remove.of(timer.volume for timer in timers))


def _view(now: Situation) -> dict[str, Any]:
    timers = _timers(now)
    return with_running(timer_view(timers[-1])) if timers else _none(now.name)


def _none(name: str) -> dict[str, Any]:
    nothing = ("id", "after", "deadline", "failed_boots", "fired_at", "vg", "volume")
    return {"name": name, "state": "disarmed", "running": False, **dict.fromkeys(nothing)}


def _predicted(run: _Run, state: str) -> dict[str, Any]:
    """The timer as it would be, without the deadline, which only the real run can know."""
    if state == "disarmed":
        return _none(run.name)
    made = next(step for step in run.planned if step["step"] == "create_timer")
    return {
        **_none(run.name),
        "state": "armed",
        "running": True,
        "id": run.now.set_id or None,
        "after": run.after,
        "failed_boots": run.boots,
        **{key: made[key] for key in ("vg", "volume")},
    }
