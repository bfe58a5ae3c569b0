# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input files of a rollback timer's program. Pure; private to this collection."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._boot_files.tree import boot_safe_order, is_menu
from .._errors import Refused
from .._paths import BOOT_MOUNTPOINTS
from .._settings import POLL_SECONDS
from .._snapset.coverage import boot_outside_set
from .._snapset.steps import Merge, Retag
from .timers import running_mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._host_model import Host, Mount
    from .._model import HostState, Volume
    from .._snapset.context import BootBackup, SnapsetContext
    from .._snapset.plan.base import Plan
    from .._snapset.steps import LvmStep
    from .._snapset.tags import TimerTags

_SEPARATORS = 2

# The change may have broken udev or filled the disk. With these settings LVM does not wait for udev, and does not fail
# because it cannot write its archive.
_CONFIG = f"activation{{polling_interval={POLL_SECONDS} udev_sync=0}} backup{{archive=0 backup=0}}"


@dataclass(frozen=True)
class RollbackScript:
    """What the program must do when the time is over: restore /boot from ``backup``, then carry out the LVM ``steps``.

    ``members`` are the snapshots that must exist.
    """

    members: tuple[Volume, ...]
    steps: tuple[LvmStep, ...]
    backup: BootBackup | None


def set_problems(context: SnapsetContext) -> Iterator[str]:
    """Yield why the snapset could not be rolled back when the time is over."""
    if context.set_state != "active":
        yield f"snapset {context.name} is {context.set_state} and must be active"


def boot_problems(context: SnapsetContext) -> Iterator[str]:
    """Yield why the host might not boot after / has been rolled back, with nobody there to notice."""
    origins = [one.origin for one in context.instance.members if one.origin] if context.instance else []
    separate = ", ".join(boot_outside_set(context.host_state, origins))
    if separate and context.bound is None:
        yield (
            f"/ would be rolled back without {separate}, so the host might not boot: save /boot (boot_backup) before "
            "you take the snapset"
        )


def rollback_script(context: SnapsetContext, plan: Plan) -> RollbackScript:
    """Return what the program must do, according to ``plan``, which merges the snapset in its current state."""
    members = context.instance.live if context.instance else ()
    return RollbackScript(
        members=tuple(member.snapshot for member in members if member.snapshot),
        steps=tuple(step for step in plan.steps if isinstance(step, (Retag, Merge))),
        backup=context.bound,
    )


def requests(rollback: RollbackScript, host_state: HostState) -> str:
    """Return the LVM commands as two shell functions: ``remember`` tags the origins, ``request`` requests the merges.

    ``request`` can run again after an interruption: it skips what is already merging.
    """
    moment = f":{host_state.host.boot_id}:{host_state.host.now}"
    remembers = [step for step in rollback.steps if isinstance(step, Retag)]
    merges = [one for step in rollback.steps if isinstance(step, Merge) for one in step.members]
    lines = [
        *("remember() {", *(f"    tool lvm {_shell_command(step, moment)} || return" for step in remembers), "}"),
        *(
            "request() {",
            *(f"    merge {'/'.join(one.key)} {shlex.quote(one.snapshot)} || return" for one in merges),
            "}",
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def _shell_command(step: Retag, moment: str) -> str:
    verb, *rest = step.arguments()
    return " ".join([verb, "--config", '"$CONFIG"', *(_shell_word(word, moment) for word in rest)])


def _shell_word(word: str, moment: str) -> str:
    # The boot ID and the time of the rollback are known only when it starts.
    before, found, after = word.partition(moment)
    return f'{shlex.quote(before)}":$boot_id:$now"{shlex.quote(after)}' if found else shlex.quote(word)


def facts(timer: TimerTags, volume: str, rollback: RollbackScript, host: Host) -> str:
    """Return the variables of the shell program, as assignments. The timer is armed in the current boot of ``host``."""
    backup = rollback.backup
    values = {
        "NAME": timer.set_name,
        "ID": timer.set_id,
        "ARMED_BOOT": host.boot_id,
        "ARMED_UPTIME": str(host.uptime),
        "AFTER": str(timer.after),
        "BOOTS": str(timer.boots),
        "VOLUME": volume,
        "MEMBERS": " ".join("/".join(member.key) for member in rollback.members),
        "VGS": " ".join(sorted({member.vg for member in rollback.members})),
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
    """Return the boot filesystems, one per line: persistent name of the device, type, mountpoint."""
    return "".join(f"{devices[mount.mountpoint]} {mount.fstype} {mount.mountpoint}\n" for mount in mounts)


def boot_list(trees: Sequence[Tree]) -> str:
    """Return what must be restored in /boot, one line per path: kind, path, and checksum or target of a link.

    The order is that of ``boot_safe_order``. Raises Refused if a name contains a tab or a line feed.
    """
    lines = [line for tree in trees for line in _boot_lines(tree)]
    if bad := [line for line in lines if "\n" in line or line.count("\t") != _SEPARATORS]:
        raise Refused("cannot arm the rollback timer", [f"/boot contains a name with a tab or line feed: {bad[0]!r}"])
    return "".join(f"{line}\n" for line in lines)


def _boot_lines(tree: Tree) -> Iterator[str]:
    directories = [path for path, entry in tree.entries.items() if entry.kind in ("directory", "mountpoint")]
    for path in sorted(directories):
        yield f"directory\t{tree.absolute(path)}\t-"
    for path in boot_safe_order(path for path in tree.entries if path not in directories):
        entry = tree.entries[path]
        yield f"{entry.kind}\t{tree.absolute(path)}\t{entry.sha256 or entry.target}"


def menu_directories(trees: Sequence[Tree]) -> str:
    """Return the directories, one per line, in which every file is an entry of the boot menu.

    Files there that are not restored must be hidden.
    """
    found = {tree.absolute(path).rpartition("/")[0] for tree in trees for path in tree.entries if is_menu(path)}
    return "".join(f"{directory}\n" for directory in sorted(found) if directory.endswith("/loader/entries"))
