# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands against a boot entry: of the set, and of GRUB. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._snapset.context import host_problems
from .entries import READ_ONLY, preview_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._model import BlockDevice, HostState, Mount
    from .._snapset.context import SnapsetContext
    from .grub import Grub

# Where GRUB can write its environment block in place (save_env of GRUB 2.12 writes the blocks that the file has).
_GRUB_WRITES_TO = ("ext2", "ext3", "ext4", "xfs", "vfat")
_SAVED = "${saved_entry}"


def entry_problems(now: SnapsetContext) -> Iterator[str]:
    """What stands against an entry for the set, but for what GRUB is."""
    yield from host_problems(now)
    if now.instance is None or now.set_state != "active":
        yield f"snapset {now.name} is {now.set_state}; expected is one that is active"
        return
    if not any(one.mountpoint == "/" for one in preview_mounts(now.host_state, now.instance)):
        yield (
            f"no member of {now.name} is a root filesystem that could be booted: expected is / on one of its origins "
            f"itself, not encrypted, with {', '.join(READ_ONLY)}"
        )
    if now.host_state.host.mount_at("/usr") is not None:
        yield "/usr is a filesystem of its own, and the initramfs would mount the one of the change with the old /"
    if now.bound is None:
        yield "there is no backup of /boot for it, and so no kernel that is sure to fit (boot_backup)"
    elif not now.bound.volume.active:
        name = now.bound.volume.full_name
        yield f"{name}, which holds the backup of /boot, is not active: lvchange -ay {name}"


def grub_problems(grub: Grub | None, host_state: HostState, environment_mount: Mount | None) -> Iterator[str]:
    """What stands against an entry that GRUB boots once and only once."""
    if grub is None:
        yield "no grub.cfg is there, in /boot/grub, /boot/grub2 or the ESP: only GRUB is supported"
        return
    if "next_entry" not in grub.menu:
        yield f"{grub.directory}/grub.cfg does not look at next_entry: make it anew (update-grub, or grub2-mkconfig)"
    if "custom.cfg" not in grub.menu:
        yield f"{grub.directory}/grub.cfg does not read custom.cfg: make it anew, with /etc/grub.d/41_custom"
    if grub.entries is not None and not _has_saved_default(grub):
        yield (
            f"{grub.environment_path} has no saved_entry that is in /boot/loader/entries, or the menu does not look at "
            "it, so another entry could become the default: GRUB_DEFAULT=saved, grub2-mkconfig, grub2-set-default ENTRY"
        )
    yield from _clearing_problems(grub, host_state, environment_mount)


def _has_saved_default(grub: Grub) -> bool:
    return grub.default == _SAVED and grub.environment.get("saved_entry", "") in (grub.entries or ())


def _clearing_problems(grub: Grub, host_state: HostState, mount: Mount | None) -> Iterator[str]:
    place = f"{grub.environment_path}, in which GRUB has to clear the choice of the next boot,"
    if mount is None:
        yield f"{place} lies on no disk that could be found"
        return
    device = host_state.host.devices.get(mount.device)
    if device is None or not _is_plain(device):
        yield f"{place} lies on {mount.source}, and GRUB cannot write to LVM, RAID or encrypted disks"
    if mount.fstype not in _GRUB_WRITES_TO:
        yield f"{place} lies on {mount.fstype}, and GRUB can write to {', '.join(_GRUB_WRITES_TO)} only"


def _is_plain(device: BlockDevice) -> bool:
    return not (device.slaves or device.dm_uuid or device.name.startswith("md"))
