# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is observed on a host apart from LVM: devices, mounts, what it boots. Frozen values; private."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DeviceNumber = tuple[int, int]

SWAP = "[SWAP]"
"""The mountpoint that is recorded for an active swap area."""

_AUTOMOUNT = "autofs"
_MEMORY = ("tmpfs", "ramfs", "rootfs", "devtmpfs", "hugetlbfs")
_NETWORK = (
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "virtiofs", "afs", "coda", "lustre", "gpfs", "beegfs"),
    *("orangefs", "pvfs2", "glusterfs", "davfs", "fuse.glusterfs", "fuse.sshfs", "fuse.ceph", "fuse.rclone"),
)
# Their content is in other filesystems, or on disks without being a block device's own: not the network.
_LOCAL = ("overlay", "zfs", "bcachefs", "btrfs", "ubifs", "jffs2")
# The device-mapper UUIDs of cryptsetup begin so (lib/libdevmapper.c).
_ENCRYPTED = "CRYPT-"
# Filesystems that cannot be written, whoever mounts them.
_IMAGES = ("squashfs", "erofs", "iso9660", "cramfs", "romfs")


@dataclass(frozen=True)
class Mount:
    """A mounted filesystem of any type, or an active swap area (mountpoint ``[SWAP]``).

    ``device`` is the block device that it is on, None if there is none; ``more`` are further ones (other devices of
    btrfs, an external log). ``used`` is in bytes; None if unknown. ``root`` is the directory of the filesystem that is
    shown at the mountpoint; other than ``/`` for bind mounts and subvolumes. ``read_only`` is true if the whole
    filesystem is, not only this mount. ``number`` and ``parent`` are the mount IDs of mountinfo. ``carrier`` is the
    path of what holds all that is written here: the upper directory of an overlay, or the file behind a loop device.
    ``layers`` are the lower directories of an overlay.
    """

    mountpoint: str
    source: str
    fstype: str
    device: DeviceNumber | None = None
    used: int | None = None
    root: str = "/"
    number: int = 0
    parent: int = 0
    read_only: bool = False
    more: tuple[DeviceNumber, ...] = ()
    carrier: str = ""
    layers: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[DeviceNumber, ...]:
        """All block devices that it is on."""
        return () if self.device is None else (self.device, *self.more)

    @property
    def is_automount(self) -> bool:
        """Whether it only waits for somebody to look, and then mounts something over itself."""
        return self.fstype == _AUTOMOUNT

    @property
    def is_network(self) -> bool:
        """Whether its content is on another host."""
        return is_network(self.fstype)

    @property
    def in_memory(self) -> bool:
        """Whether its content is lost at a reboot."""
        return self.fstype in _MEMORY

    @property
    def is_program(self) -> bool:
        """Whether a process of the host provides it (FUSE)."""
        return self.fstype.partition(".")[0] in ("fuse", "fuseblk")

    @property
    def is_image(self) -> bool:
        """Whether its type can never be written to."""
        return self.fstype in _IMAGES

    @property
    def is_local(self) -> bool:
        """Whether a look at it cannot wait for a network, for another process or for an automount."""
        return not self.is_program and (self.device is not None or self.in_memory or self.fstype in _LOCAL)

    @property
    def is_part(self) -> bool:
        """Whether it shows only a directory of its filesystem (mount --bind). Subvolumes are not such a part."""
        return self.root != "/" and self.fstype not in ("btrfs", "bcachefs")


def is_network(fstype: str) -> bool:
    """Whether filesystems of this type are on another host."""
    return fstype in _NETWORK


@dataclass(frozen=True)
class FstabEntry:
    """A line of /etc/fstab. ``device`` is the device that its first field resolves to now, or None.

    ``mountpoint`` is the path as the kernel would show it: without links and without a slash at the end.
    """

    spec: str
    mountpoint: str
    device: DeviceNumber | None = None
    fstype: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A setting with which the host finds a device at boot by what is on it, not by its name.

    ``text`` begins the sentence about it, for example "/etc/crypttab opens data by UUID=1". ``uuid`` or ``label`` is
    what it looks for, ``device`` what this resolves to now, or None. If ``mountpoint`` is not empty, the device is the
    one that is mounted there. ``cure`` says what to do; ``{path}`` in it stands for the path of the origin.
    """

    text: str
    uuid: str = ""
    label: str = ""
    device: DeviceNumber | None = None
    mountpoint: str = ""
    cure: str = "use {path} there instead"


@dataclass(frozen=True)
class Signature:
    """What udev found on a block device (udevadm(8)): the type of its content, and how it is identified.

    ``partition`` is the type of the partition, a GUID for GPT. Everything is empty if udev does not know the device.
    """

    fstype: str = ""
    uuid: str = ""
    label: str = ""
    partition: str = ""


@dataclass(frozen=True)
class BlockDevice:
    """A block device of the kernel: the numbers of the devices below it and the names of those on top of it.

    ``signature`` is what udev has found on it.
    """

    name: str
    dm_name: str = ""
    dm_uuid: str = ""
    slaves: tuple[DeviceNumber, ...] = ()
    holders: tuple[str, ...] = ()
    signature: Signature = Signature()


@dataclass(frozen=True)
class MountTable:
    """All mounts of a host, as a tree in which paths are looked up as the kernel does. Paths must have no links."""

    mounts: tuple[Mount, ...]

    @cached_property
    def _above(self) -> Mapping[tuple[int | None, str], Mount]:
        # A mount hides a path only in the mount that is its parent (proc_pid_mountinfo(5)). The parent of / is not in
        # the table, and in a chroot / may not be there either.
        mounts = [mount for mount in self.mounts if mount.mountpoint != SWAP]
        numbers = {mount.number for mount in mounts}
        return {
            (
                mount.parent if mount.parent in numbers and mount.parent != mount.number else None,
                mount.mountpoint,
            ): mount
            for mount in mounts
        }

    def trail(self, path: str) -> tuple[Mount, ...]:
        """The mounts that ``path`` leads through, the one that it lies on last. Empty if the table has none of them."""
        found: list[Mount] = []
        self._climb(found, "/")
        here = ""
        for name in filter(None, path.split("/")):
            here = f"{here}/{name}"
            self._climb(found, here)
        return tuple(found)

    def _climb(self, found: list[Mount], path: str) -> None:
        while (above := self._above.get((found[-1].number if found else None, path))) is not None:
            found.append(above)

    def lies_on(self, path: str) -> Mount | None:
        """The mount that ``path`` lies on, whether it exists or not; None if the table has none."""
        trail = self.trail(path)
        return trail[-1] if trail else None

    def at(self, mountpoint: str) -> Mount | None:
        """The mount at ``mountpoint`` that is seen there, or None."""
        mount = self.lies_on(mountpoint)
        return mount if mount is not None and mount.mountpoint == mountpoint else None

    def is_seen(self, mount: Mount) -> bool:
        """Whether no other mount hides ``mount``."""
        return self.lies_on(mount.mountpoint) == mount

    def is_safe(self, path: str) -> bool:
        """Whether a look at ``path`` touches only local filesystems, so that no dead server or program stops it."""
        trail = self.trail(path)
        # Through an automount that has mounted its filesystem the way is free.
        return bool(trail) and trail[-1].is_local and all(mount.is_local or mount.is_automount for mount in trail)


@dataclass(frozen=True)
class Initramfs:
    """The initramfs of one installed kernel. ``path`` is None when there is none.

    ``modules`` are the names, with underscores, of the kernel modules inside it and of those built into the kernel;
    None when it cannot be read. ``leaves_pollers`` is true when LVM in it may still end a merge later.
    """

    kernel: str
    path: str | None
    modules: frozenset[str] | None
    has_modules_dir: bool = True
    leaves_pollers: bool = False


@dataclass(frozen=True)
class Shutdown:
    """How the host could go down so that its next boot is not an ordinary one.

    ``hibernation`` is ``allowed`` or ``forbidden`` by this collection; empty if systemd does not run. ``kexec`` is
    ``loaded`` if the next reboot may start a kernel directly, ``allowed`` if one could still be loaded, else empty.
    """

    hibernation: Literal["", "allowed", "forbidden"] = ""
    kexec: Literal["", "allowed", "loaded"] = ""


@dataclass(frozen=True)
class Lock:
    """An encrypted device that the host opens when it boots. ``reason`` says how it is known what opens it.

    ``key`` is a key file that is in every initramfs. With ``unknown`` the host may open it by itself, for example with
    a TPM. With ``person`` somebody must type a passphrase or touch a token.
    """

    name: str
    opened_by: Literal["key", "unknown", "person"]
    reason: str = ""


@dataclass(frozen=True)
class Boot:
    """What the next boot will use. Read only when the root filesystem is to be protected."""

    running_kernel: str
    initramfs: tuple[Initramfs, ...] = ()


@dataclass(frozen=True)
class PackageDatabase:
    """The database of a package manager, in ``directory``. ``user`` is the process that has locked it, or empty.

    ``version`` is the inode and the time of the file that lists the packages: another one after each change. ``cure``
    is the command that completes an earlier run, if that was interrupted; otherwise empty.
    """

    manager: str
    directory: str
    user: str = ""
    version: tuple[int, int] = (0, 0)
    cure: str = ""


@dataclass(frozen=True)
class Host:
    """The host around LVM. ``now`` is in seconds since the epoch, ``uptime`` in seconds since the boot.

    ``links`` are symbolic links among the paths that matter, with what they lead to. ``references`` find devices at
    boot by their content. ``early_volumes`` are the LVs (VG/LV) that the kernel's command line makes the initramfs
    activate. ``has_ostree`` is true where ostree or bootc manages the system. ``udev_runs`` is false when LVM would
    wait for a udev that does not run. ``can_archive`` is false when LVM's copies of its metadata cannot be written, or
    have almost no space. ``has_devices_file`` is true when a devices file may restrict LVM to the devices in it.
    ``preview`` is the name and the ID of the snapset that a preview boot shows. ``host_id`` is a hash of the machine-id
    if there is one. ``locks`` and ``boot`` are read only for plans with a reboot. ``runs_os_prober`` is true if
    the menu of GRUB is to have all systems that os-prober finds.
    """

    now: int
    boot_id: str
    host_id: str = ""
    uptime: int = 0
    mounts: tuple[Mount, ...] = ()
    devices: Mapping[DeviceNumber, BlockDevice] = field(default_factory=lambda: MappingProxyType({}))
    fstab: tuple[FstabEntry, ...] = ()
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    references: tuple[Reference, ...] = ()
    early_volumes: tuple[str, ...] = ()
    udev_runs: bool = True
    can_archive: bool = True
    has_devices_file: bool = False
    boots_by_efi: bool = False
    has_ostree: bool = False
    preview: tuple[str, str] | None = None
    boot: Boot | None = None
    shutdown: Shutdown = Shutdown()
    locks: tuple[Lock, ...] = ()
    packages: tuple[PackageDatabase, ...] = ()
    runs_os_prober: bool = False

    @cached_property
    def table(self) -> MountTable:
        """The mounts as a tree."""
        return MountTable(self.mounts)

    def device_of(self, mount: Mount) -> BlockDevice | None:
        """The block device that a filesystem is on, the main one of several; None if it is on none."""
        return self.devices.get(mount.device) if mount.device else None

    def resolved(self, path: str) -> str:
        """``path`` without symbolic links, if it is one of those that were read."""
        return self.links.get(path, path)

    def lies_on(self, path: str) -> Mount | None:
        """The mount that ``path`` lies on, perhaps an automount that waits. None if there is none."""
        return self.table.lies_on(self.resolved(path))

    def mount_at(self, path: str) -> Mount | None:
        """The filesystem that is mounted at ``path`` and seen there, or None. A waiting automount does not count."""
        mount = self.table.at(self.resolved(path))
        return None if mount is None or mount.is_automount else mount

    def encrypted_below(self, devices: Sequence[DeviceNumber]) -> tuple[str, ...]:
        """The names of the encrypted devices among ``devices`` and all that is below them, each once."""
        found, waiting = {}, list(devices)
        while waiting:
            device = self.devices.get(waiting.pop())
            if device is not None:
                waiting += device.slaves
                if device.dm_uuid.startswith(_ENCRYPTED):
                    found[device.dm_name] = device
        return tuple(found)
