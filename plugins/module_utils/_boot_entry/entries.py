# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a boot entry: filesystems, a kernel and its command line. Pure; private to this collection.

An entry boots the kernel and the initramfs from the backup of /boot, plus a second, small initramfs. The second one
mounts each snapshot read-only below an overlay in memory, so a preview boot does not change the snapset.

The package ``_boot_entry`` knows how to add a preview boot of a snapset to the boot menu, and what that boots. It must
not know how a backup of /boot is made, or what a rollback timer is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._host_model import SWAP
from .._names import device_path
from .._paths import initramfs_names
from .units import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._boot_files.tree import Tree
    from .._host_model import Mount
    from .._model import HostState, Volume
    from .._snapset.state import Instance
    from .units import Services

InitramfsKind = Literal["initramfs-tools", "dracut"]

# Options that mount each filesystem without any write, not even a replay of the journal (ext4(5), xfs(5)). The journal
# is empty, because LVM freezes a mounted filesystem while it takes the snapshot.
READ_ONLY = {"ext2": "ro", "ext3": "ro,noload", "ext4": "ro,noload", "xfs": "ro,norecovery,nouuid"}
# A word of a kernel command line. Spaces inside quotes do not end it (kernel-parameters in the kernel's documentation).
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_COMMON = (
    r"(BOOT_IMAGE|initrd|root|rootflags|rootfstype|panic|resume|resume_offset|fsck\.mode)=.*"
    r"|systemd\.(unit|wants|gpt_auto)=.*"
    "|ro|rw|noresume|single|rescue|emergency"
)
# Arguments of the current boot that the entry does not use. For dracut, boot= is kept: with FIPS it locates the kernel.
_DROPPED_ARGUMENTS: Mapping[InitramfsKind, re.Pattern[str]] = {
    "initramfs-tools": re.compile(rf"{_COMMON}|boot=.*"),
    "dracut": re.compile(rf"{_COMMON}|rd\.(lvm\.lv|lvm\.vg|shell|emergency|timeout)=.*"),
}
_NUMBERS = re.compile(r"(\d+)")
_KERNELS = re.compile(r"vmlinuz-(.+)")


@dataclass(frozen=True)
class PreviewMount:
    """A filesystem that a preview boot shows: its mountpoint, its type, the origin and the snapshot."""

    mountpoint: str
    fstype: str
    origin: Volume
    snapshot: Volume

    @property
    def line(self) -> str:
        """A line for the preview's shell program: mountpoint, device, type, options, origin, snapshot."""
        device = device_path(self.snapshot.vg, self.snapshot.name)
        mount = f"{self.mountpoint}\t{device}\t{self.fstype}\t{READ_ONLY[self.fstype]}"
        return f"{mount}\t{self.origin.full_name}\t{self.snapshot.full_name}"


@dataclass(frozen=True)
class Kernel:
    """A kernel in the backup: its version, and its files as paths relative to /boot."""

    version: str
    kernel: str
    initramfs: str


def preview_mounts(host_state: HostState, instance: Instance) -> tuple[PreviewMount, ...]:
    """Return the filesystems of ``instance`` that a preview boot can mount, parents first."""
    found = [
        PreviewMount(mount.mountpoint, mount.fstype, member.origin, member.snapshot)
        for member in instance.live
        if member.origin and member.snapshot and (mount := _mount_of(host_state, member.origin)) is not None
    ]
    return tuple(sorted(found, key=lambda one: one.mountpoint))


def _mount_of(host_state: HostState, origin: Volume) -> Mount | None:
    """Return the mount of a filesystem directly on ``origin``, or None.

    Encrypted filesystems do not count, nor those with a log on another device, a part of one (mount --bind), and
    mountpoints that contain a tab or a line feed.
    """
    device = host_state.device_of(origin)
    for mount in host_state.mounts_of(origin):
        is_whole = device is not None and host_state.host.device_of(mount) == device
        direct = is_whole and not mount.is_part and not mount.more
        if direct and mount.fstype in READ_ONLY and mount.mountpoint != SWAP and "\t" not in mount.mountpoint:
            return mount if "\n" not in mount.mountpoint else None
    return None


def preview_digest(filesystems: Iterable[PreviewMount], services: Services) -> str:
    """Return a SHA-256 that identifies what a preview boot shows and starts."""
    return hashlib.sha256("".join([services, *(one.line for one in filesystems)]).encode()).hexdigest()


def kernels_in(tree: Tree) -> tuple[Kernel, ...]:
    """Return the kernels in the backup of /boot that have an initramfs, the newest last."""
    files = {path for path, entry in tree.entries.items() if entry.kind == "file"}
    found = []
    for path in files:
        match = _KERNELS.fullmatch(path)
        if match and "rescue" not in path:
            found += [Kernel(match[1], path, name) for name in initramfs_names(match[1]) if name in files][:1]
    return tuple(sorted(found, key=lambda kernel: _version_key(kernel.version)))


def _version_key(version: str) -> list[tuple[int, str]]:
    """Return a sort key for kernel versions: 6.1.0-10 comes after 6.1.0-9."""
    parts = _NUMBERS.split(version)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def kernel_arguments(cmdline: str, root: PreviewMount, kind: InitramfsKind, services: Services) -> list[str]:
    """Return the kernel arguments of a preview boot: those of the current boot, ``cmdline``, with another root.

    They have no quotes, because GRUB itself puts an argument that contains spaces into quotes
    (grub_create_loader_cmdline of GRUB 2.06 and 2.12). Every failure leads to a reboot, which takes the default entry
    (initramfs-tools(7), dracut.cmdline(7)). Partitions that fstab does not have are not mounted
    (systemd-gpt-auto-generator(8)).
    """
    dropped = _DROPPED_ARGUMENTS[kind]
    words = (word.replace('"', "") for word in _WORD.findall(cmdline))
    common = [
        *(word for word in words if not dropped.fullmatch(word)),
        f"root={device_path(root.snapshot.vg, root.snapshot.name)}",
        "ro",
        f"rootfstype={root.fstype}",
        f"rootflags={READ_ONLY[root.fstype]}",
        "panic=10",
        "noresume",
        "fsck.mode=skip",
        "systemd.gpt_auto=0",
        *([] if services == "all" else [f"systemd.unit={TARGET}"]),
    ]
    if kind == "initramfs-tools":
        return [*common, "boot=safepoint"]
    return [
        *common,
        f"rd.lvm.lv={root.origin.full_name}",
        f"rd.lvm.lv={root.snapshot.full_name}",
        "rd.shell=0",
        "rd.emergency=reboot",
        "rd.timeout=120",
    ]
