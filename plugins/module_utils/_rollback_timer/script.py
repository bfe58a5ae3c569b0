# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input files of a rollback timer's program. Pure; private to this collection."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._boot_files.firmware import REVOCATIONS, SECURE_BOOT, SECURE_BOOT_OFF
from .._boot_files.rule import FIRMWARE, is_indispensable, is_left_alone, menu_globs, part_of, phase
from .._errors import Refused
from .._paths import EFIVARS, KEXEC_DISABLED, KEXEC_LIMIT, KEXEC_LOADED, LOCK_PATH, NO_HIBERNATION
from .._settings import NO_HIBERNATION_TEXT, POLL_SECONDS
from .._snapset.coverage import boot_outside_set
from .._snapset.steps import Retag
from .timers import motd_path, status_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._host_model import Mount
    from .._model import HostState, LvKey
    from .._snapset.context import BootBackup, SnapsetContext
    from .._snapset.plan.base import Plan
    from .._snapset.state import Member
    from .._snapset.tags import TimerTags

_SEPARATORS = 5
_NOTHING = "-"

# The change may have broken udev or filled the disk. With these settings LVM does not wait for udev, and does not fail
# because it cannot write its archive. The last lines are for reports, which lvm.conf changes. (LVM 2.03.31 reads a
# suspended device even with devices/ignore_suspended_devices=1, and waits for it.)
_CONFIG = (
    f"activation/polling_interval={POLL_SECONDS} activation/udev_sync=0 backup/archive=0 backup/backup=0 "
    'report/compact_output=0 report/mark_hidden_devices=0 report/list_item_separator="," report/prefixes=0 '
    "report/binary_values_as_numeric=0 log/report_command_log=0 log/verbose=0 log/silent=0"
)
# The name of a device without a meaning for LVM's patterns.
_PLAIN_NAME = re.compile(r"/dev/[A-Za-z0-9/_:-]+")
# lvm.conf can set both filters.
_ONLY = 'devices/use_devicesfile=0 devices/filter=["a|.*|"] devices/global_filter=[{}]'

LIMITS = {
    # How often the program looks around, and how often it tries again.
    "TICK": 5,
    "RETRY": 30,
    # Time in each boot to accept the change, at most. How late it may be for a rollback without a decision.
    "GRACE": 600,
    "LATE_LEAST": 3600,
    "LATE_MOST": 86400,
    # How long LVM may take to list volumes, to change something, and the rest.
    "LOOK_LIMIT": 90,
    "CHANGE_LIMIT": 300,
    "FILES_LIMIT": 1800,
    # For how long another run may hold the host lock, and after which time LVM is released from a wait for udev.
    "LOCK_LIMIT": 600,
    "UDEV_LIMIT": 300,
    # When the host is rebooted because LVM or a disk hangs, and when a reboot is forced.
    "STUCK_LIMIT": 1200,
    "REBOOT_LIMIT": 120,
    "LOG_LINES": 5000,
}
"""Times in seconds, and the length of the log in lines. docs/timer.md explains them."""

PLACES = {
    "KERNEL_LOG": "/dev/kmsg",
    "UPTIME": "/proc/uptime",
    "BOOT_ID": "/proc/sys/kernel/random/boot_id",
    "CMDLINE": "/proc/cmdline",
    "MACHINE": "/sys/class/dmi/id/product_uuid",
    # Where generators of systemd select another target for this boot (systemd.generator(7)).
    "EARLY_TARGET": "/run/systemd/generator.early/default.target",
    "SYSTEMCTL": "/usr/bin/systemctl",
    "KEXEC": "/usr/sbin/kexec",
    "SYSRQ": "/proc/sysrq-trigger",
    "LOCK": LOCK_PATH,
    "EFIVARS": str(EFIVARS),
    "MOUNTS": "/proc/self/mountinfo",
    "BLOCKS": "/sys/dev/block",
    "NO_HIBERNATION": str(NO_HIBERNATION),
    "KEXEC_LOADED": str(KEXEC_LOADED),
    "KEXEC_LIMIT": str(KEXEC_LIMIT),
    "KEXEC_DISABLED": str(KEXEC_DISABLED),
}
"""What the program uses of the host."""


@dataclass(frozen=True)
class RollbackScript:
    """What the program must do when the time is over: restore /boot from ``backup``, then merge ``members``.

    ``record`` is the step that tags their origins before.
    """

    members: tuple[Member, ...]
    record: Retag
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
    (record,) = (step for step in plan.steps if isinstance(step, Retag) and step.purpose == "remember_merge")
    members = context.instance.live if context.instance else ()
    return RollbackScript(members=members, record=record, backup=context.bound)


def term(*, serial: str, after: int, delay: int, spread: int, boots: int, target: str, machine: str) -> str:
    """Return the request that the program carries out. The module replaces it when the timer is armed again.

    ``serial`` differs from that of every other request. ``delay`` is the drawn part of ``spread``. ``target`` is the
    target that a good boot reaches. ``machine`` is the DMI product UUID, empty if there is none; kernels write it in
    upper or lower case.
    """
    words = [serial, after, delay, spread, boots, target or "-", machine.upper(), machine.lower()]
    return " ".join(map(str, words)).rstrip() + "\n"


def facts(timer: TimerTags, rollback: RollbackScript, host_state: HostState) -> str:
    """Return the variables of the shell program, as assignments."""
    groups = sorted({member.snapshot.vg_uuid for member in rollback.members if member.snapshot})
    wanted = dict.fromkeys((*groups, timer.vg, *([rollback.backup.volume.vg_uuid] if rollback.backup else [])))
    values = {
        "NAME": timer.set_name,
        "ID": timer.set_id,
        "GROUPS_NEEDED": " ".join(groups),
        "TIMER_GROUP": timer.vg,
        "SELECTION": " || ".join(f"vg_uuid={uuid}" for uuid in wanted),
        "BACKUP": _key(rollback.backup.volume.key) if rollback.backup else "",
        **_outcome(rollback.record, host_state),
        "CONFIG": _CONFIG,
        "EVERY_DEVICE": _ONLY.format('"a|.*|"'),
        "OUR_DEVICES": _ONLY.format(", ".join((*_patterns_of(host_state, wanted), '"r|.*|"'))),
        "SECURE_BOOT": SECURE_BOOT,
        "SECURE_BOOT_OFF": hashlib.sha256(SECURE_BOOT_OFF).hexdigest(),
        "REVOCATIONS": " ".join(REVOCATIONS),
        "STATUS": status_path(timer.set_name),
        "MOTD": motd_path(timer.set_name),
        "TAB": "\t",
        "NO_HIBERNATION_TEXT": NO_HIBERNATION_TEXT.rstrip("\n"),
        **PLACES,
        **{name: str(value) for name, value in LIMITS.items()},
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _outcome(record: Retag, host_state: HostState) -> Mapping[str, str]:
    # The boot ID and the time of the rollback are known only when it starts.
    start, _moment, rest = record.add[0].partition(f":{host_state.host.boot_id}:{host_state.host.now}")
    return {"OUTCOME_START": start, "OUTCOME_REST": rest, "KNOWN_OUTCOMES": " ".join(record.delete)}


def _patterns_of(host_state: HostState, groups: Mapping[str, None]) -> Iterator[str]:
    """Yield the patterns for the PVs of VGs, by their UUIDs and by their present names, which can change at boot.

    udev links most PVs by their UUID (69-dm-lvm.rules of LVM 2.03). LVM accepts a device if one of its names matches.
    """
    for group in host_state.volume_groups:
        if group.uuid in groups:
            names = (f"/dev/disk/by-id/lvm-pv-uuid-{uuid}" for uuid in group.pv_uuids)
            plain = (name for name in group.pv_names if _PLAIN_NAME.fullmatch(name))
            yield from (f'"a|^{name}$|"' for name in (*names, *plain))


def members(rollback: RollbackScript) -> str:
    """Return the members, one per line: kind, the UUIDs of the snapshot (VG/LV), the LV UUID of its origin."""
    lines = ((one.kind, one.snapshot, one.origin) for one in rollback.members)
    return "".join(
        f"{kind} {_key(snapshot.key)} {origin.uuid}\n" for kind, snapshot, origin in lines if snapshot and origin
    )


def _key(key: LvKey) -> str:
    return "/".join(key)


def filesystems(devices: Mapping[str, tuple[str, str]], mounts: Sequence[Mount], trees: Sequence[Tree]) -> str:
    """Return the filesystems of ``trees``, one per line.

    A line has these fields: name of the device, type, mountpoint, importance, and another name of the device if there
    is one. Raises Refused if one of them is not mounted.
    """
    by_mountpoint = {mount.mountpoint: mount for mount in mounts}
    if missing := [tree.mountpoint for tree in trees if tree.mountpoint not in by_mountpoint]:
        reasons = [f"{mountpoint} was saved and is not mounted now: mount it" for mountpoint in missing]
        raise Refused("cannot arm the rollback timer", reasons)
    return "".join(_filesystem(by_mountpoint[tree.mountpoint], *devices[tree.mountpoint], tree) for tree in trees)


def _filesystem(mount: Mount, name: str, second: str, tree: Tree) -> str:
    importance = "needed" if is_indispensable(tree) else "optional"
    return f"{name} {mount.fstype} {mount.mountpoint} {importance} {second}".rstrip() + "\n"


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
