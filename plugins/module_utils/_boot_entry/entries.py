# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot entry is made of: filesystems, a kernel and its command line. Pure; private to this collection.

An entry boots the kernel and the initramfs of the backup of /boot, with a second, small initramfs beside it. That one
mounts each snapshot read-only, with whatever is written above it in memory, so looking at a safe point changes nothing.

The package ``_boot_entry`` knows how the boot menu gets an entry that shows a set, and what boots then. It must not
know how a backup of /boot is made, or what a rollback timer is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._model import SWAP
from .._names import device_path
from .._paths import initramfs_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._boot_files.tree import Tree
    from .._model import HostState, Mount, Volume
    from .._snapset.state import Instance

InitramfsKind = Literal["initramfs-tools", "dracut"]

# How each filesystem is mounted without a write, a replay of its journal included (ext4(5), xfs(5)). Its journal is
# empty: LVM freezes a mounted filesystem to take a snapshot of it.
READ_ONLY = {"ext2": "ro", "ext3": "ro,noload", "ext4": "ro,noload", "xfs": "ro,norecovery,nouuid"}
# A word of a kernel command line; quotes keep blanks together (kernel-parameters of the kernel's documentation).
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_COMMON = (
    r"(BOOT_IMAGE|initrd|root|rootflags|rootfstype|panic|resume|resume_offset|fsck\.mode|systemd\.unit)=.*"
    "|ro|rw|noresume|single|rescue|emergency"
)
# For dracut, boot= is where a host with FIPS has its kernel.
_NOT_OURS: Mapping[InitramfsKind, re.Pattern[str]] = {
    "initramfs-tools": re.compile(rf"{_COMMON}|boot=.*"),
    "dracut": re.compile(rf"{_COMMON}|rd\.(lvm\.lv|lvm\.vg|shell|emergency|timeout)=.*"),
}
_NUMBERS = re.compile(r"(\d+)")
_KERNELS = re.compile(r"vmlinuz-(.+)")


@dataclass(frozen=True)
class PreviewMount:
    """A filesystem of the safe point: where it is mounted, the origin and its snapshot."""

    mountpoint: str
    fstype: str
    origin: Volume
    snapshot: Volume

    @property
    def line(self) -> str:
        """What the program of the look reads: mountpoint, device, type, options, origin, snapshot."""
        device = device_path(self.snapshot.vg, self.snapshot.name)
        mount = f"{self.mountpoint}\t{device}\t{self.fstype}\t{READ_ONLY[self.fstype]}"
        return f"{mount}\t{self.origin.full_name}\t{self.snapshot.full_name}"


@dataclass(frozen=True)
class Kernel:
    """A kernel of the backup, as paths relative to /boot."""

    version: str
    kernel: str
    initramfs: str


def preview_mounts(host_state: HostState, instance: Instance) -> tuple[PreviewMount, ...]:
    """What of ``instance`` can be mounted instead of the present filesystems, parents first."""
    found = [
        PreviewMount(mount.mountpoint, mount.fstype, member.origin, member.snapshot)
        for member in instance.live
        if member.origin and member.snapshot and (mount := _mount_of(host_state, member.origin)) is not None
    ]
    return tuple(sorted(found, key=lambda one: one.mountpoint))


def _mount_of(host_state: HostState, origin: Volume) -> Mount | None:
    """Where an origin itself is mounted; not what lies on it encrypted, and nothing that no line could hold."""
    device = host_state.device_of(origin)
    for mount in host_state.mounts_of(origin):
        plain = device is not None and host_state.host.devices.get(mount.device) == device
        if plain and mount.fstype in READ_ONLY and mount.mountpoint != SWAP and "\t" not in mount.mountpoint:
            return mount if "\n" not in mount.mountpoint else None
    return None


def preview_digest(filesystems: Iterable[PreviewMount]) -> str:
    """What stands for all that is shown (SHA-256)."""
    return hashlib.sha256("".join(one.line for one in filesystems).encode()).hexdigest()


def kernels_in(tree: Tree) -> tuple[Kernel, ...]:
    """The kernels in the backup of /boot that have an initramfs, the newest last."""
    files = {path for path, entry in tree.entries.items() if entry.kind == "file"}
    found = []
    for path in files:
        match = _KERNELS.fullmatch(path)
        if match and "rescue" not in path:
            found += [Kernel(match[1], path, name) for name in initramfs_names(match[1]) if name in files][:1]
    return tuple(sorted(found, key=lambda kernel: _in_order(kernel.version)))


def _in_order(version: str) -> list[tuple[int, str]]:
    """A key by which 6.1.0-10 comes after 6.1.0-9."""
    parts = _NUMBERS.split(version)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def kernel_arguments(cmdline: str, root: PreviewMount, kind: InitramfsKind) -> list[str]:
    """The words of the kernel's command line for a look: those of the present boot, with another root.

    Whatever goes wrong ends in a reboot, and so in the default entry (initramfs-tools(7), dracut.cmdline(7)).
    """
    unwanted = _NOT_OURS[kind]
    kept = [word for word in _WORD.findall(cmdline) if not unwanted.fullmatch(word)]
    common = [
        *kept,
        f"root={device_path(root.snapshot.vg, root.snapshot.name)}",
        "ro",
        f"rootfstype={root.fstype}",
        f"rootflags={READ_ONLY[root.fstype]}",
        "panic=10",
        "noresume",
        "fsck.mode=skip",
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
