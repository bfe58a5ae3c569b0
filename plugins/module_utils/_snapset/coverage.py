# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which filesystems a set brings back, and which have to go back together. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._paths import BOOT_MOUNTPOINTS, SYSTEM_MOUNTPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import HostState, Mount, Volume


def system_mountpoints(host_state: HostState, ignore: Sequence[str]) -> tuple[str, ...]:
    """/ and those of the system's directories that are filesystems of their own, without those to ignore."""
    separate = (path for path in SYSTEM_MOUNTPOINTS if path == "/" or host_state.host.mount_at(path) is not None)
    return tuple(path for path in separate if path not in ignore)


def boot_mounts(host_state: HostState) -> tuple[Mount, ...]:
    """The filesystems that boot the host and do not roll back with /."""
    mounts = {mount.mountpoint: mount for mount in host_state.host.mounts if mount.mountpoint in BOOT_MOUNTPOINTS}
    return tuple(mounts[mountpoint] for mountpoint in sorted(mounts))


def boot_beside(host_state: HostState, members: Sequence[Volume]) -> tuple[str, ...]:
    """Where what boots the host lies when / rolls back with ``members`` and that does not; nothing without /."""
    if not _with_root(host_state, members):
        return ()
    mounts = boot_mounts(host_state)
    return tuple(mount.mountpoint for mount in mounts if host_state.lv_below(mount.device) not in members)


def _with_root(host_state: HostState, members: Sequence[Volume]) -> bool:
    return any(mount.mountpoint == "/" for volume in members for mount in host_state.mounts_of(volume))


def uncovered_with_root(host_state: HostState, members: Sequence[Volume], ignore: Sequence[str]) -> Iterator[str]:
    """Why ``members`` would take / back without filesystems that belong to it; nothing when / is not among them."""
    if not _with_root(host_state, members):
        return
    for mountpoint in system_mountpoints(host_state, ("/", *ignore)):
        mount = host_state.host.mount_at(mountpoint)
        if mount is not None and host_state.lv_below(mount.device) not in members:
            yield (
                f"/ is protected, but {mountpoint} is a filesystem of its own and is not: "
                "add it to mountpoints, or name it in ignore_uncovered"
            )


def read_by_boot_loader(host_state: HostState, members: Sequence[Volume], ignore: Sequence[str]) -> Iterator[str]:
    """Why the boot loader could not boot the host while one of ``members`` is merged.

    It reads a thick origin as it lies on the disk: what the change has made of it after the merge was requested, and a
    mixture while it runs (seen with GRUB 2.12, docs/boot.md). Thin volumes no boot loader can read.
    """
    for member in members:
        if member.is_thin:
            continue
        for mount in host_state.mounts_of(member):
            if mount.mountpoint in BOOT_MOUNTPOINTS:
                yield (
                    f"{mount.mountpoint} lies on {member.full_name}, and a boot loader would read it half merged: "
                    "leave it out; the module boot_backup saves it, and so does the role pre_upgrade"
                )
            if mount.mountpoint == "/" and _holds_kernels(host_state) and "/boot" not in ignore:
                yield (
                    f"/boot lies on / ({member.full_name}), and while that is merged, a boot loader would read it half "
                    "merged, or as the change has left it: give /boot a filesystem of its own, or name it in "
                    "ignore_uncovered if the kernel comes from elsewhere"
                )


def _holds_kernels(host_state: HostState) -> bool:
    boot = host_state.host.boot
    return boot is not None and bool(boot.initramfs) and host_state.host.mount_at("/boot") is None


def why_not_lvm(host_state: HostState, mount: Mount) -> str:
    """Why the filesystem of ``mount`` cannot be protected, when no LV is below it."""
    device = host_state.host.devices.get(mount.device)
    if device is None:
        return f"{mount.source} is not a block device of this host"
    if len(device.slaves) > 1:
        return f"{mount.source} lies on several devices"
    return f"{mount.source} is not on LVM"
