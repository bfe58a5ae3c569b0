# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of the module rollback_timer: lock, observe, plan, carry out, result. Private to this collection."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._snapset import tags as _tags
from .._boot_backup.backups import (
    Situation,
    boot_mounts,
    host_problems,
)
from .._boot_backup.restore import write_whole
from .._boot_backup.volume import read_manifest
from .._errors import (
    FilesFailed,
    SafepointError,
    sentence_of,
)
from .._host.filesystem import (
    FILESYSTEM,
    make_filesystem,
    missing_tools,
    mounted,
    run_tool,
)
from .._host.facts import lasting_name, read_boot
from .session import Session, check, open_session
from .._names import (
    device_path,
    generated_names,
    name_problem,
    set_name_problem,
)
from .._snapset.volumes import ROOM_FOR_ENTRY, NewVolume, plan_volume
from .._snapset.checks import look_problems
from .onepass import Run
from .._snapset.steps import CreateVolume, Remove, Retag
from .._rollback_timer.program import (
    CHECKSUMS,
    PROGRAM,
    TOOLS,
    checksums,
    toolbox,
    write_toolbox,
)
from .._rollback_timer.timers import (
    Orders,
    Timer,
    boot_list,
    facts,
    filesystems,
    menu_directories,
    orders,
    requests,
    running_mark,
    timer_view,
    timers_in,
    unit,
    unit_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._boot_files.tree import Tree
    from .._model import Picture

UNITS = Path("/etc/systemd/system")
_SYSTEMD = Path("/run/systemd/system")
_LVM_ETC = Path("/etc/lvm")
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST, _LONGEST = 60, 30 * 86400
_MOST_BOOTS = 99
_WANTED_BY = "sysinit.target.wants"
# What the list of LVM's settings, the log and the program need at most, besides the toolbox.
_ROOM = 4 * 1024 * 1024
_INODES = 512
# For the program to verify all of its files, on a slow host.
_PATIENCE = 300


class _Run(Run):
    """One run of the module."""

    def __init__(self, module: AnsibleModule, session: Session) -> None:
        params = module.params
        self.after = _duration(params["after"]) if params["state"] == "armed" else 0
        super().__init__(module, session, f"the rollback timer of {params['name']}")
        self.vg: str | None = params["vg"]
        self.boots: int = params["failed_boots"] if params["also_on_failed_boot"] else 0


def run_rollback_timer(module: AnsibleModule) -> None:
    """Bring the timer to what the module's parameters ask for. Ends the module."""
    with open_session(module) as session:
        name, state, vg, boots = (module.params[key] for key in ("name", "state", "vg", "failed_boots"))
        check("name", set_name_problem(name))
        check("vg", None if vg is None else name_problem(vg, "a VG"))
        check("failed_boots", None if 1 <= boots <= _MOST_BOOTS else f"out of range: expected 1 to {_MOST_BOOTS}")
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


def _duration(text: str | None) -> int:
    match = _DURATION.fullmatch(text or "")
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        check("after", f"{text!r} is no time to wait: expected 60s to 30d, as in 90s, 30m, 12h or 7d")
    return seconds


def _timers(now: Situation) -> list[Timer]:
    return [timer for timer in timers_in(now.picture) if timer.tags.set_name == now.name]


def _arm(run: _Run) -> None:
    if run.now.taking and any(_is_wanted(run, timer) for timer in _timers(run.now)):
        return
    run.refuse_for(_cannot_arm(run))
    found = orders(run.now)
    place = plan_volume(
        run.now.picture,
        f"the rollback timer of {run.name}",
        names=generated_names("safepoint_timer", run.name),
        vg=run.vg,
        needed=_ROOM + sum(Path(source).stat().st_size + ROOM_FOR_ENTRY for source, _target in toolbox()),
        going=[timer.volume for timer in _timers(run.now)],
    )
    _disarm(run)
    tags = _tags.TimerTags(
        set_name=run.name,
        set_id=run.now.taking.set_id if run.now.taking else "",
        armed=run.now.picture.host.now,
        after=run.after,
        boots=run.boots,
        vg=place.vg_uuid,
    )
    run.lvm(CreateVolume("timer", place, tags.to_tags()))
    try:
        run.work("write_timer", lambda: _write(run, place, tags, found), volume=place.full_name)
        run.lvm(Retag(purpose="seal", volumes=(place.full_name,), add=(_tags.TIMER_READY,)))
        run.work("start_timer", lambda: _start(run.name, tags, place), unit=unit_name(run.name))
    except (SafepointError, OSError) as error:
        raise _undone(run, error) from error


def _is_wanted(run: _Run, timer: Timer) -> bool:
    """Whether a timer is just what is asked for, and runs."""
    taking, tags = run.now.taking, timer.tags
    same = (tags.set_id, tags.after, tags.boots) == (taking.set_id if taking else "", run.after, run.boots)
    return same and timer.state == "armed" and _is_running(run.name)


def _is_running(name: str) -> bool:
    """Whether the program watches, and will do so after the next boot."""
    wanted = UNITS / _WANTED_BY / unit_name(name)
    return wanted.exists() and Path(running_mark(name)).exists() and _is_active(name)


def _is_active(name: str) -> bool:
    if not _SYSTEMD.is_dir():
        return False
    try:
        run_tool("systemctl", "is-active", "--quiet", unit_name(name))
    except FilesFailed:
        return False
    return True


def _cannot_arm(run: _Run) -> Sequence[str]:
    problems = list(host_problems(run.now))
    if not _SYSTEMD.is_dir():
        problems.append("this host was not booted by systemd, which has to run it")
    problems += _cannot_be_mounted(run.now.picture)
    missing = missing_tools(("mkfs.ext4", "mount", "umount", "ldd", "systemctl", *TOOLS))
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


def _write(run: _Run, place: NewVolume, tags: _tags.TimerTags, found: Orders) -> None:
    """Make the filesystem of the timer with all that the program needs, and let the program verify it."""
    trees: tuple[Tree, ...] = ()
    if found.backup is not None:
        backup = found.backup
        with mounted(device_path(backup.volume.vg, backup.volume.name)) as kept:
            trees = read_manifest(kept, backup.tags.manifest)
    mounts = boot_mounts(run.now.picture) if trees else ()
    files = {
        "go-back": PROGRAM,
        "facts": facts(tags, place.full_name, found, run.now.picture.host),
        "requests": requests(found, run.now.picture),
        "boot": boot_list(trees),
        "menus": menu_directories(trees),
        "filesystems": filesystems({mount.mountpoint: lasting_name(mount.source) for mount in mounts}, mounts),
    }
    make_filesystem(place.device, inodes=_INODES, journal=True)
    with mounted(place.device, writable=True, executable=True) as top:
        write_toolbox(top)
        _copy_lvm_settings(top / "lvm")
        for name, text in files.items():
            (top / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        (top / CHECKSUMS).write_text(checksums(top), encoding="utf-8")
        (top / "deadline").write_text(f"{tags.deadline}\n", encoding="ascii")
        (top / "failed").write_text(f"0 {run.now.picture.host.boot_id}\n", encoding="ascii")
        os.sync()
        loader, library = str(top / "lib" / "ld"), str(top / "lib")
        run_tool(loader, "--library-path", library, f"{top}/bin/sh", f"{top}/go-back", str(top), "--check")


def _copy_lvm_settings(target: Path) -> None:
    if _LVM_ETC.is_dir():
        shutil.copytree(_LVM_ETC, target, ignore=shutil.ignore_patterns("archive", "backup", "cache"))


def _start(name: str, tags: _tags.TimerTags, place: NewVolume) -> None:
    """Have systemd run the program now and at every boot, and wait until it says that it watches."""
    Path(running_mark(name)).unlink(missing_ok=True)
    write_whole(UNITS / unit_name(name), unit(name, tags.deadline, place.device))
    run_tool("systemctl", "daemon-reload")
    run_tool("systemctl", "enable", "--now", unit_name(name))
    end = time.monotonic() + _PATIENCE
    while not Path(running_mark(name)).exists():
        if time.monotonic() > end:
            raise FilesFailed(f"{unit_name(name)} does not begin to watch: journalctl -u {unit_name(name)}")
        time.sleep(0.5)
    os.sync()


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
    run.refuse_for(look_problems(run.now.picture))
    file = UNITS / unit_name(run.name)
    if file.exists() or _is_active(run.name):
        run.work("stop_timer", lambda: _stop(run.name), unit=unit_name(run.name))
    if timers := _timers(run.now):
        run.lvm(Remove.of(timer.volume for timer in timers))


def _stop(name: str) -> None:
    # Not by disable, which fails where somebody has removed the file of a unit that runs.
    run_tool("systemctl", "stop", unit_name(name))
    for place in (UNITS / _WANTED_BY, UNITS):
        (place / unit_name(name)).unlink(missing_ok=True)
    Path(running_mark(name)).unlink(missing_ok=True)
    run_tool("systemctl", "daemon-reload")
    os.sync()


def _view(now: Situation) -> dict[str, Any]:
    timers = _timers(now)
    return with_running(timer_view(timers[-1])) if timers else _none(now.name)


def with_running(view: dict[str, Any]) -> dict[str, Any]:
    """What is known of a timer by its tags, and whether its program runs."""
    return {**view, "running": view["state"] == "armed" and _is_running(view["name"])}


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
        "id": run.now.taking.set_id if run.now.taking else None,
        "after": run.after,
        "failed_boots": run.boots or None,
        **{key: made[key] for key in ("vg", "volume")},
    }
