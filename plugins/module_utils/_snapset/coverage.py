# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which filesystems must be protected and rolled back together. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._paths import BOOT_MOUNTPOINTS, SYSTEM_MOUNTPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import HostState, Mount, Volume


def system_mountpoints(host_state: HostState, ignore: Sequence[str]) -> tuple[str, ...]:
    """/ and those of SYSTEM_MOUNTPOINTS that are separate filesystems, without those in ``ignore``."""
    separate = (path for path in SYSTEM_MOUNTPOINTS if path == "/" or host_state.host.mount_at(path) is not None)
    return tuple(path for path in separate if path not in ignore)


def boot_mounts(host_state: HostState) -> tuple[Mount, ...]:
    """The mounted filesystems that boot the host and are separate from /."""
    mounts = {mount.mountpoint: mount for mount in host_state.host.mounts if mount.mountpoint in BOOT_MOUNTPOINTS}
    return tuple(mounts[mountpoint] for mountpoint in sorted(mounts))


def boot_outside_set(host_state: HostState, members: Sequence[Volume]) -> tuple[str, ...]:
    """The mountpoints of what boots the host and is not on ``members``; empty if / is not on ``members``."""
    if not _with_root(host_state, members):
        return ()
    mounts = boot_mounts(host_state)
    return tuple(mount.mountpoint for mount in mounts if host_state.lv_below(mount.device) not in members)


def _with_root(host_state: HostState, members: Sequence[Volume]) -> bool:
    return any(mount.mountpoint == "/" for volume in members for mount in host_state.mounts_of(volume))


def uncovered_problems(host_state: HostState, members: Sequence[Volume], ignore: Sequence[str]) -> Iterator[str]:
    """Which filesystems of the system ``members`` do not protect although they protect /."""
    if not _with_root(host_state, members):
        return
    for mountpoint in system_mountpoints(host_state, ("/", *ignore)):
        mount = host_state.host.mount_at(mountpoint)
        if mount is not None and host_state.lv_below(mount.device) not in members:
            yield (
                f"/ is protected, but {mountpoint} is a separate filesystem and is not: "
                "add it to mountpoints, or list it in ignore_uncovered"
            )


def boot_loader_problems(host_state: HostState, members: Sequence[Volume], ignore: Sequence[str]) -> Iterator[str]:
    """Why the boot loader could not boot the host while one of ``members`` is merged.

    It reads the raw blocks of a thick origin. After a merge is requested, these are still the changed ones, and while
    it runs, a mixture (seen with GRUB 2.12, docs/boot.md). No boot loader can read thin volumes.
    """
    for member in members:
        if member.is_thin:
            continue
        for mount in host_state.mounts_of(member):
            if mount.mountpoint in BOOT_MOUNTPOINTS:
                yield (
                    f"{mount.mountpoint} is on {member.full_name}, and the boot loader would read it half merged: "
                    "leave it out, and save it with the module boot_backup or the role pre_upgrade"
                )
            if mount.mountpoint == "/" and _holds_kernels(host_state) and "/boot" not in ignore:
                yield (
                    f"/boot is on / ({member.full_name}), and the boot loader would read it half merged or still "
                    "changed: put /boot on a separate filesystem, or list it in ignore_uncovered if the kernel comes "
                    "from elsewhere"
                )


def _holds_kernels(host_state: HostState) -> bool:
    boot = host_state.host.boot
    return boot is not None and bool(boot.initramfs) and host_state.host.mount_at("/boot") is None


def not_on_lvm_problem(host_state: HostState, mount: Mount) -> str:
    """Why the filesystem of ``mount``, which is not on an LV, cannot be protected."""
    device = host_state.host.devices.get(mount.device)
    if device is None:
        return f"{mount.source} is not a block device of this host"
    if len(device.slaves) > 1:
        return f"{mount.source} is on several devices"
    return f"{mount.source} is not on LVM"
