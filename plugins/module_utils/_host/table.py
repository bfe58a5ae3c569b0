# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the table of mounts, with what mountinfo does not say of them. Private to this collection."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._host_model import SWAP, MountTable
from .links import resolve
from .mounts import parse_mountinfo, parse_swaps
from .process import clean_environment, find_tool
from .reading import read, unless_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from .._host_model import BlockDevice, DeviceNumber, FstabEntry, Mount

_BTRFS = Path("/sys/fs/btrfs")
_DELETED = " (deleted)"
# How long to wait for automounts, in seconds. The mount may check its filesystem first.
_PATIENCE = 30
_GIVING_UP = 2


def read_table(devices: Mapping[DeviceNumber, BlockDevice]) -> MountTable:
    """Return every mount and swap area. ``used`` is known only where a look cannot wait for anything."""
    # Split at line feeds only: names may contain other characters that Unicode treats as line ends or spaces.
    mounts = parse_mountinfo(read("/proc/self/mountinfo").split("\n"), devices)
    numbers = {device.name: number for number, device in devices.items()}
    complete = tuple(_with_devices(mount, devices, numbers) for mount in mounts)
    table = MountTable((*complete, *parse_swaps(read("/proc/swaps").split("\n"))))
    return MountTable(tuple(_with_used(table, _with_places(table, mount)) for mount in table.mounts))


def _with_devices(
    mount: Mount, devices: Mapping[DeviceNumber, BlockDevice], numbers: Mapping[str, DeviceNumber]
) -> Mount:
    device = devices.get(mount.device) if mount.device else None
    if device is None:
        return mount
    if device.name.startswith("loop"):
        file = read(f"/sys/class/block/{device.name}/loop/backing_file").rstrip("\n")
        return replace(mount, carrier="" if file.endswith(_DELETED) else file)
    names = _btrfs_names(device.name) if mount.fstype == "btrfs" else [_journal_name(device.name)]
    more = (numbers[name] for name in names if name in numbers and name != device.name)
    return replace(mount, more=tuple(dict.fromkeys((*mount.more, *more))))


def _btrfs_names(name: str) -> list[str]:
    """Return the devices of the mounted btrfs filesystem that the device ``name`` belongs to (btrfs(5))."""
    found: list[Path] = unless_gone(lambda: sorted(_BTRFS.glob("*/devices/*")), [])
    whole = next((path.parent for path in found if path.name == name), None)
    return [path.name for path in found if path.parent == whole]


def _journal_name(name: str) -> str:
    """Return the device of the journal of a mounted ext4 filesystem on the device ``name``; empty if unknown.

    The thread of the journal is called jbd2/DEVICE, or jbd2/DEVICE-8 if the journal is the inode 8 of the filesystem
    (jbd2_journal_init_dev and jbd2_journal_init_inode, fs/jbd2/journal.c).
    """
    task = read(f"/sys/fs/ext4/{name}/journal_task").strip()
    return read(f"/proc/{task}/comm").strip().partition("/")[2] if task else ""


def _with_places(table: MountTable, mount: Mount) -> Mount:
    carrier = resolve(table, mount.carrier) if mount.carrier else ""
    return replace(mount, carrier=carrier, layers=tuple(resolve(table, layer) for layer in mount.layers))


def _with_used(table: MountTable, mount: Mount) -> Mount:
    if mount.device is None or not table.is_seen(mount) or not table.is_safe(mount.mountpoint):
        return mount
    try:
        status = os.statvfs(mount.mountpoint)
    except OSError:
        return mount
    return replace(mount, used=(status.f_blocks - status.f_bfree) * status.f_frsize)


def wake_all(paths: Sequence[str], remote: Collection[str], read_now: Callable[[], MountTable]) -> MountTable:
    """Make the automounts on the way to ``paths`` mount their filesystem, and return the table after that.

    Not those at the mountpoints ``remote``, whose filesystems are on other hosts. ``read_now`` reads the table.
    """
    table = read_now()
    tried: set[str] = set()
    while waiting := [path for path in paths if path not in tried and _is_waiting(table, path, remote)]:
        _wake(resolve(table, path) for path in waiting)
        tried.update(waiting)
        table = read_now()
        for path in waiting:
            place = resolve(table, path)
            if table.is_safe(place):
                _keep_mounted(place)
    return table


def _is_waiting(table: MountTable, path: str, remote: Collection[str]) -> bool:
    mount = table.lies_on(resolve(table, path))
    return mount is not None and mount.is_automount and mount.mountpoint not in remote


def _wake(mountpoints: Iterable[str]) -> None:
    """Make the automounts at these mountpoints mount their filesystem. Those that do not within 30 s are left alone.

    A process that looks at an automount sleeps until the mount has ended. So children look, and are killed.
    """
    lookers = [_look(mountpoint) for mountpoint in mountpoints]
    end = time.monotonic() + _PATIENCE
    for looker in lookers:
        with suppress(subprocess.TimeoutExpired):
            looker.wait(max(0.0, end - time.monotonic()))
            continue
        looker.kill()
        # The kernel lets a process that waits for an automount be killed (autofs_wait, fs/autofs/waitq.c).
        with suppress(subprocess.TimeoutExpired):
            looker.wait(_GIVING_UP)


def _look(mountpoint: str) -> subprocess.Popen[bytes]:
    # The last dot makes the kernel go into the directory. To look at the directory alone would mount nothing (stat(2)).
    argv = [find_tool("ls") or "ls", "-d", "--", f"{mountpoint}/."]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing, env=clean_environment())


def _keep_mounted(mountpoint: str) -> None:
    """Keep what an automount has mounted from being unmounted for being idle, until this process ends.

    Nobody closes the descriptor: what is planned with this filesystem must still be true when it is done.
    """
    with suppress(OSError):
        os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def with_paths(fstab: Iterable[FstabEntry], table: MountTable) -> Iterator[FstabEntry]:
    """Yield the entries with their mountpoints as the kernel shows them, without symbolic links."""
    for entry in fstab:
        yield entry if entry.mountpoint == SWAP else replace(entry, mountpoint=resolve(table, entry.mountpoint))
