# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What prevents a boot entry: problems of the snapset, and of GRUB. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._snapset.context import host_problems, missing_problems
from .entries import READ_ONLY, preview_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._host_model import BlockDevice, Mount
    from .._model import HostState
    from .._snapset.context import SnapsetContext
    from .grub import Grub

# Filesystems on which GRUB can write its environment block (save_env in GRUB 2.12 overwrites the blocks of the file).
_GRUB_WRITES_TO = ("ext2", "ext3", "ext4", "xfs", "vfat")


def entry_problems(context: SnapsetContext) -> Iterator[str]:
    """Yield what prevents an entry for the snapset, apart from GRUB."""
    yield from host_problems(context)
    if context.instance is None:
        yield from missing_problems(context)
        return
    if context.set_state != "active":
        yield f"snapset {context.name} is {context.set_state} and must be active"
        return
    if not any(one.mountpoint == "/" for one in preview_mounts(context.host_state, context.instance)):
        yield (
            f"snapset {context.name} has no root filesystem that can be booted: / must be directly on one of its "
            f"origins, not encrypted, and one of {', '.join(READ_ONLY)}"
        )
    host = context.host_state.host
    if host.lies_on("/usr") != host.lies_on("/"):
        yield "/usr is a separate filesystem: the initramfs would mount the current /usr with the / of the snapset"
    if context.bound is None:
        yield (
            f"snapset {context.name} has no backup of /boot, so no kernel is sure to match it: save /boot "
            "(boot_backup) before you take a snapset"
        )
    elif not context.bound.volume.active:
        name = context.bound.volume.full_name
        yield f"the LV {name} with the backup of /boot is not active: lvchange -ay {name}"


def grub_problems(grub: Grub | None, host_state: HostState, environment_mount: Mount | None) -> Iterator[str]:
    """Yield what keeps GRUB from booting an entry exactly once."""
    if grub is None:
        yield "no grub.cfg found in /boot/grub, /boot/grub2 or the ESP: only GRUB is supported"
        return
    if "next_entry" not in grub.menu:
        yield f"{grub.directory}/grub.cfg does not use next_entry: generate it again (update-grub or grub2-mkconfig)"
    if "custom.cfg" not in grub.menu:
        yield f"{grub.directory}/grub.cfg does not read custom.cfg: generate it again, with /etc/grub.d/41_custom"
    yield from _clearing_problems(grub, host_state, environment_mount)


def _clearing_problems(grub: Grub, host_state: HostState, mount: Mount | None) -> Iterator[str]:
    must = f"GRUB must clear the choice of the next boot in {grub.environment_path}, but"
    if mount is None:
        yield f"{must} the disk with that file was not found"
        return
    device = host_state.host.device_of(mount)
    if device is None or not _is_plain(device):
        yield f"{must} it is on {mount.source}, and GRUB cannot write to LVM, RAID or encrypted disks"
    if mount.fstype not in _GRUB_WRITES_TO:
        yield f"{must} it is on {mount.fstype}, and GRUB can write only to {', '.join(_GRUB_WRITES_TO)}"


def _is_plain(device: BlockDevice) -> bool:
    return not (device.slaves or device.dm_uuid or device.name.startswith("md"))
