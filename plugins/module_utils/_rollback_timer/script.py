# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of a rollback timer is told in its files. Pure; private to this collection."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._boot_files.tree import boot_safe_order, is_menu
from .._errors import Refused
from .._paths import BOOT_MOUNTPOINTS
from .._settings import POLL_SECONDS
from .._snapset.coverage import boot_beside
from .._snapset.steps import Merge, Retag
from .timers import running_mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._model import Host, HostState, Mount, Volume
    from .._snapset.context import BootBackup, SnapsetContext
    from .._snapset.plan.base import Plan
    from .._snapset.steps import LvmStep
    from .._snapset.tags import TimerTags

_SEPARATORS = 2

# LVM would wait for a udev, or give up for want of an archive, that the change may have broken.
_CONFIG = f"activation{{polling_interval={POLL_SECONDS} udev_sync=0}} backup{{archive=0 backup=0}}"


@dataclass(frozen=True)
class RollbackScript:
    """What the program is to do when the time is over: LVM's ``steps``, and before them ``trees`` of ``backup``."""

    members: tuple[Volume, ...]
    steps: tuple[LvmStep, ...]
    backup: BootBackup | None


def set_problems(now: SnapsetContext) -> Iterator[str]:
    """Why the set could not go back when the time is over."""
    if now.instance is None or now.set_state != "active":
        yield f"snapset {now.name} is {now.set_state}; expected is one that is active"


def boot_problems(now: SnapsetContext) -> Iterator[str]:
    """Why the host might not boot after / has gone back, with nobody there to see it."""
    origins = [one.origin for one in now.instance.members if one.origin] if now.instance else []
    separate = ", ".join(boot_beside(now.host_state, origins))
    if separate and now.bound is None:
        yield (
            f"/ would go back and {separate} would not, because it was not saved for this set (boot_backup): nobody "
            "would be there to see whether the host boots"
        )


def rollback_script(now: SnapsetContext, plan: Plan) -> RollbackScript:
    """What going back takes by ``plan``, which merges the set as it is now."""
    members = now.instance.live if now.instance else ()
    return RollbackScript(
        members=tuple(member.snapshot for member in members if member.snapshot),
        steps=tuple(step for step in plan.steps if isinstance(step, (Retag, Merge))),
        backup=now.bound,
    )


def requests(found: RollbackScript, host_state: HostState) -> str:
    """LVM's commands as two functions of the shell program: ``remember``, then ``request`` for what is left."""
    moment = f":{host_state.host.boot_id}:{host_state.host.now}"
    remembers = [step for step in found.steps if isinstance(step, Retag)]
    merges = [one for step in found.steps if isinstance(step, Merge) for one in step.members]
    lines = [
        *("remember() {", *(f"    tool lvm {_words(step, moment)} || return" for step in remembers), "}"),
        *(
            "request() {",
            *(f"    merge {'/'.join(one.key)} {shlex.quote(one.snapshot)} || return" for one in merges),
            "}",
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def _words(step: Retag, moment: str) -> str:
    verb, *rest = step.arguments()
    return " ".join([verb, "--config", '"$CONFIG"', *(_word(word, moment) for word in rest)])


def _word(word: str, moment: str) -> str:
    # What only the moment of the rollback can tell.
    before, found, after = word.partition(moment)
    return f'{shlex.quote(before)}":$boot_id:$now"{shlex.quote(after)}' if found else shlex.quote(word)


def facts(timer: TimerTags, volume: str, found: RollbackScript, host: Host) -> str:
    """The values that the shell program works with, as assignments; it is armed in the present boot of ``host``."""
    backup = found.backup
    values = {
        "NAME": timer.set_name,
        "ID": timer.set_id,
        "ARMED_BOOT": host.boot_id,
        "ARMED_UPTIME": str(host.uptime),
        "AFTER": str(timer.after),
        "BOOTS": str(timer.boots),
        "VOLUME": volume,
        "MEMBERS": " ".join("/".join(member.key) for member in found.members),
        "VGS": " ".join(sorted({member.vg for member in found.members})),
        "BACKUP": backup.device if backup else "",
        "CONFIG": _CONFIG,
        "KERNEL_LOG": "/dev/kmsg",
        "UPTIME": "/proc/uptime",
        "BOOT": BOOT_MOUNTPOINTS[0],
        "RUNNING": running_mark(timer.set_name),
        "TAB": "\t",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def filesystems(devices: Mapping[str, str], mounts: Sequence[Mount]) -> str:
    """The boot filesystems, a line each: a name of the device that lasts, type, mountpoint."""
    return "".join(f"{devices[mount.mountpoint]} {mount.fstype} {mount.mountpoint}\n" for mount in mounts)


def boot_list(trees: Sequence[Tree]) -> str:
    """What is to be brought back of /boot, a line each: what it is, its path, and its checksum or target.

    The order is that of ``boot_safe_order``. Raises Refused for names that lines cannot hold.
    """
    lines = [line for tree in trees for line in _boot_lines(tree)]
    if bad := [line for line in lines if "\n" in line or line.count("\t") != _SEPARATORS]:
        raise Refused("the rollback timer cannot be armed", [f"/boot has a name that no list can hold: {bad[0]!r}"])
    return "".join(f"{line}\n" for line in lines)


def _boot_lines(tree: Tree) -> Iterator[str]:
    directories = [path for path, entry in tree.entries.items() if entry.kind in ("directory", "mountpoint")]
    for path in sorted(directories):
        yield f"directory\t{tree.absolute(path)}\t-"
    for path in boot_safe_order(path for path in tree.entries if path not in directories):
        entry = tree.entries[path]
        yield f"{entry.kind}\t{tree.absolute(path)}\t{entry.sha256 or entry.target}"


def menu_directories(trees: Sequence[Tree]) -> str:
    """The directories in which whatever is not in the list would be a further entry of the boot menu, a line each."""
    found = {tree.absolute(path).rpartition("/")[0] for tree in trees for path in tree.entries if is_menu(path)}
    return "".join(f"{directory}\n" for directory in sorted(found) if directory.endswith("/loader/entries"))
