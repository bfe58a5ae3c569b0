# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback timers: how they are told by tags, what stands against one, and what its files say. Pure; private.

A timer is an LV of its own with a small filesystem, a toolbox that needs nothing of the host but its kernel, and a unit
of systemd that starts the program in it at every boot.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from .._snapset import tags as _tags
from .._boot_backup.backups import BootBackup, Situation, boot_mounts
from .._boot_files.tree import in_order, is_menu
from .._errors import Refused
from .._host.filesystem import FILESYSTEM
from .._host.lock import RUN_DIRECTORY
from .._model import BOOT_MOUNTPOINTS, LOOK_MARK
from .._names import device_path
from .._snapset.plan.base import Request
from .._snapset.plan.merged import plan_merged
from .._snapset.sizes import AUTO
from .._snapset.steps import POLL_SECONDS, Merge, Retag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._model import Host, Mount, Picture, Volume
    from .._snapset.steps import Step

PLACE = f"{RUN_DIRECTORY}/timer"
"""Where the program sees the filesystem of the timer, in a mount namespace of its own."""

_SEPARATORS = 2

TimerState = Literal["incomplete", "armed", "fired"]

# LVM would wait for a udev, or give up for want of an archive, that the change may have broken.
_CONFIG = f"activation{{polling_interval={POLL_SECONDS} udev_sync=0}} backup{{archive=0 backup=0}}"


@dataclass(frozen=True)
class Timer:
    """A timer, by the LV that holds it and by its tags."""

    volume: Volume
    tags: _tags.TimerTags

    @property
    def state(self) -> TimerState:
        """What it does."""
        if self.tags.fired is not None:
            return "fired"
        return "armed" if self.tags.ready else "incomplete"


def timers_in(picture: Picture) -> tuple[Timer, ...]:
    """The timers on the host, the youngest last."""
    found = [Timer(one, tags) for one in picture.volumes if (tags := _tags.parse_timer(one.tags)) is not None]
    return tuple(sorted(found, key=lambda timer: timer.tags.armed))


def timer_view(timer: Timer) -> dict[str, Any]:
    """A timer as results show it."""
    return {
        "name": timer.tags.set_name,
        "id": timer.tags.set_id,
        "state": timer.state,
        "after": timer.tags.after,
        "deadline": _date(timer.tags.deadline),
        "failed_boots": timer.tags.boots or None,
        "fired_at": None if timer.tags.fired is None else _date(timer.tags.fired),
        "vg": timer.volume.vg,
        "volume": timer.volume.name,
    }


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def unit_name(set_name: str) -> str:
    """The unit that runs the timer of a set."""
    return f"safepoint-lvm-timer-{set_name}.service"


@dataclass(frozen=True)
class Orders:
    """What the program is to do when the time is over: LVM's ``steps``, and before them ``trees`` of ``backup``."""

    members: tuple[Volume, ...]
    steps: tuple[Step, ...]
    backup: BootBackup | None


def orders(now: Situation) -> Orders:
    """What going back takes, found out now. Raises Refused with every reason why it could not be done."""
    title = f"the rollback timer of {now.name} cannot be armed"
    if now.taking is None or now.set_state != "active":
        raise Refused(title, [f"snapset {now.name} is {now.set_state}; expected is one that is active"])
    plan = plan_merged(now.picture, Request(name=now.name, state="merged", reserve=AUTO, pool_reserve=AUTO))
    if problems := tuple(_boot_problems(now)):
        raise Refused(title, problems)
    return Orders(
        members=tuple(member.snapshot for member in now.taking.live if member.snapshot),
        steps=tuple(step for step in plan.steps if isinstance(step, (Retag, Merge))),
        backup=now.bound,
    )


def _boot_problems(now: Situation) -> Iterator[str]:
    members = now.taking.members if now.taking else ()
    with_root = any(
        mount.mountpoint == "/" for one in members if one.origin for mount in now.picture.mounts_of(one.origin)
    )
    separate = ", ".join(mount.mountpoint for mount in boot_mounts(now.picture))
    if with_root and separate and now.bound is None:
        yield (
            f"/ would go back and {separate} would not, because it was not saved for this set (boot_backup): nobody "
            "would be there to see whether the host boots"
        )


def requests(found: Orders, picture: Picture) -> str:
    """LVM's commands as two functions of the shell program: ``remember``, then ``request`` for what is left."""
    moment = f":{picture.host.boot_id}:{picture.host.now}"
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


def facts(timer: _tags.TimerTags, volume: str, found: Orders, host: Host) -> str:
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
        "BACKUP": device_path(backup.volume.vg, backup.volume.name) if backup else "",
        "CONFIG": _CONFIG,
        "KERNEL_LOG": "/dev/kmsg",
        "UPTIME": "/proc/uptime",
        "BOOT": BOOT_MOUNTPOINTS[0],
        "RUNNING": running_mark(timer.set_name),
        "TAB": "\t",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def running_mark(set_name: str) -> str:
    """The file that the program makes at each boot, when it has found everything in order."""
    return f"{RUN_DIRECTORY}/timer-{set_name}"


def filesystems(devices: Mapping[str, str], mounts: Sequence[Mount]) -> str:
    """The boot filesystems, a line each: a name of the device that lasts, type, mountpoint."""
    return "".join(f"{devices[mount.mountpoint]} {mount.fstype} {mount.mountpoint}\n" for mount in mounts)


def boot_list(trees: Sequence[Tree]) -> str:
    """What is to be brought back of /boot, a line each: what it is, its path, and its checksum or target.

    The order is that of ``in_order``. Raises Refused for names that lines cannot hold.
    """
    lines = [line for tree in trees for line in _boot_lines(tree)]
    if bad := [line for line in lines if "\n" in line or line.count("\t") != _SEPARATORS]:
        raise Refused("the rollback timer cannot be armed", [f"/boot has a name that no list can hold: {bad[0]!r}"])
    return "".join(f"{line}\n" for line in lines)


def _boot_lines(tree: Tree) -> Iterator[str]:
    directories = [path for path, entry in tree.entries.items() if entry.kind in ("directory", "mountpoint")]
    for path in sorted(directories):
        yield f"directory\t{tree.absolute(path)}\t-"
    for path in in_order(path for path in tree.entries if path not in directories):
        entry = tree.entries[path]
        yield f"{entry.kind}\t{tree.absolute(path)}\t{entry.sha256 or entry.target}"


def menu_directories(trees: Sequence[Tree]) -> str:
    """The directories in which whatever is not in the list would be a further entry of the boot menu, a line each."""
    found = {tree.absolute(path).rpartition("/")[0] for tree in trees for path in tree.entries if is_menu(path)}
    return "".join(f"{directory}\n" for directory in sorted(found) if directory.endswith("/loader/entries"))


def unit(set_name: str, deadline: int, device: str) -> str:
    """The unit of systemd. It waits for nothing: a host whose boot stands still goes back as well."""
    # systemd would replace a single $ itself.
    stub = (
        f"(umask 077; mkdir -p {PLACE}); "
        f"until mount -t {FILESYSTEM} -o nosuid,nodev {device} {PLACE}; do sleep 5; done; "
        f"exec {PLACE}/lib/ld --library-path {PLACE}/lib {PLACE}/bin/sh {PLACE}/go-back {PLACE}"
    )
    return f"""\
# Made by safepoint.lvm.rollback_timer, which also removes it.
[Unit]
Description=Go back to the safe point {set_name} at {_date(deadline)} unless the change is confirmed
DefaultDependencies=no
# Not in a safe point that was taken while this was armed, and is looked at.
ConditionPathExists=!{LOOK_MARK}

[Service]
PrivateMounts=yes
ExecStart=/bin/sh -c '{stub}'
Restart=on-failure
RestartSec=30
# There is no way back.
RestartPreventExitStatus=3
OOMScoreAdjust=-900

[Install]
WantedBy=sysinit.target
"""
