# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input files of a rollback timer's program. Pure; private to this collection."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._boot_files.firmware import REVOCATIONS, SECURE_BOOT, SECURE_BOOT_OFF
from .._boot_files.rule import FIRMWARE, is_indispensable, is_left_alone, menu_globs, part_of, phase
from .._errors import Refused
from .._paths import EFIVARS
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

_SEPARATORS = 5
_NOTHING = "-"

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
        "EFIVARS": str(EFIVARS),
        "SECURE_BOOT": SECURE_BOOT,
        "SECURE_BOOT_OFF": hashlib.sha256(SECURE_BOOT_OFF).hexdigest(),
        "REVOCATIONS": " ".join(REVOCATIONS),
        "RUNNING": running_mark(timer.set_name),
        "TAB": "\t",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def filesystems(devices: Mapping[str, str], mounts: Sequence[Mount], trees: Sequence[Tree]) -> str:
    """Return the filesystems of ``trees``, one per line: persistent name of the device, type, mountpoint, importance.

    Raises Refused if one of them is not mounted.
    """
    by_mountpoint = {mount.mountpoint: mount for mount in mounts}
    if missing := [tree.mountpoint for tree in trees if tree.mountpoint not in by_mountpoint]:
        reasons = [f"{mountpoint} was saved and is not mounted now: mount it" for mountpoint in missing]
        raise Refused("cannot arm the rollback timer", reasons)
    return "".join(
        f"{devices[tree.mountpoint]} {by_mountpoint[tree.mountpoint].fstype} {tree.mountpoint} "
        f"{'needed' if is_indispensable(tree) else 'optional'}\n"
        for tree in trees
    )


def boot_list(trees: Sequence[Tree]) -> str:
    """Return what is in the backup, one line per path, in the order in which it is restored.

    A line has these fields: kind, mountpoint, part (``_boot_files.rule``), size in bytes, path, and the checksum or the
    target of a link. The kind ``image`` is a path only to be compared, ``content`` a file without metadata. Raises
    Refused if a name contains a tab or a line feed.
    """
    found = sorted(line for tree in trees for line in _boot_lines(tree))
    lines = ["\t".join(fields) for _order, fields in found]
    if bad := [line for line in lines if "\n" in line or line.count("\t") != _SEPARATORS]:
        raise Refused("cannot arm the rollback timer", [f"/boot contains a name with a tab or line feed: {bad[0]!r}"])
    return "".join(f"{line}\n" for line in lines)


def _boot_lines(tree: Tree) -> Iterator[tuple[tuple[object, ...], tuple[str, ...]]]:
    """Each line with its place in the order: images, directories, then by phase, the ESP before others."""
    for part in sorted({part_of(path) for path in tree.entries} - {"", FIRMWARE}):
        image = tree.entries.get(part)
        name = tree.absolute(part)
        yield (0,), ("image", tree.mountpoint, name, "0", name, image.sha256 if image else _NOTHING)
    for path, entry in tree.entries.items():
        name, part = tree.absolute(path), part_of(path)
        where = (tree.mountpoint, tree.absolute(part) if part not in ("", FIRMWARE) else part or _NOTHING)
        if entry.kind in ("directory", "mountpoint"):
            yield (1, name), ("directory", *where, "0", name, _NOTHING)
        elif entry.kind == "link":
            yield (2, phase(path), tree.has_metadata, name), ("link", *where, "0", name, entry.target)
        elif entry.kind == "file":
            kind = "file" if tree.has_metadata else "content"
            yield (2, phase(path), tree.has_metadata, name), (kind, *where, str(entry.size), name, entry.sha256)


def menus(trees: Sequence[Tree]) -> str:
    """Return patterns of files from which boot loaders read what they boot: mountpoint, part, pattern for a shell.

    Files that match and are not in the backup must be moved away, unless the part stays as it is.
    """
    return "".join(
        f"{tree.mountpoint}\t{_part_beside(glob)}\t{pattern}\n" for tree in trees for glob, pattern in menu_globs(tree)
    )


def _part_beside(glob: str) -> str:
    return FIRMWARE if is_left_alone(glob, frozenset({FIRMWARE}), added=True) else _NOTHING
