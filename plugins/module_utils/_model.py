# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is observed on a host, as frozen values. Private to this collection.

Sizes are in bytes. Percents are the exact values that LVM printed, as fractions. ``None`` means unknown.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

Kind = Literal["thick", "thin"]
DeviceNumber = tuple[int, int]
LvKey = tuple[str, str]
"""The VG's UUID and the LV's UUID. A copy of a VG gets a new UUID, but its LVs keep theirs (vgimportclone(8))."""

SWAP = "[SWAP]"
"""The mountpoint that is recorded for an active swap area."""

_MARK_LENGTH = 6
# "LVM-" + VG UUID + LV UUID, 32 characters each without hyphens, then "-layer" for hidden devices (dmsetup(8)).
_VG_IN_DM_UUID = slice(4, 36)


@dataclass(frozen=True)
class VolumeGroup:
    """A VG. ``free_extents`` are on PVs that are present and allocatable. ``max_lvs`` is 0 if there is no limit.

    ``lv_count`` counts visible LVs. ``metadata_free`` is how much its metadata can grow, in bytes. ``duplicates`` are
    devices that look like its PVs, and that LVM does not use. ``profile`` are attached settings (lvm.conf(5)).
    """

    name: str
    uuid: str
    extent_size: int
    extent_count: int
    free_extents: int
    partial: bool = False
    exported: bool = False
    lock_type: str = ""
    writable: bool = True
    max_lvs: int = 0
    lv_count: int = 0
    metadata_free: int | None = None
    profile: str = ""
    pv_uuids: tuple[str, ...] = ()
    pv_names: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()

    @property
    def pv_marks(self) -> tuple[str, ...]:
        """Its PVs as a tag records them: the first six characters of each UUID, sorted."""
        return tuple(sorted(uuid[:_MARK_LENGTH] for uuid in self.pv_uuids))


@dataclass(frozen=True)
class Volume:
    """An LV, hidden or not. ``origin`` is the name of a snapshot's origin, ``pool`` that of a thin volume's pool.

    ``copied_tags`` are tags of this collection that came with a copy of a VG, ``foreign_tags`` those of another host.
    See ``_snapset``. ``locked``: pvmove(8) moves it. ``creation_limit``: LVM creates nothing in a pool above that
    percentage.
    """

    vg: str
    name: str
    uuid: str
    vg_uuid: str
    size: int
    tags: tuple[str, ...] = ()
    copied_tags: tuple[str, ...] = ()
    foreign_tags: tuple[str, ...] = ()
    roles: frozenset[str] = frozenset()
    layout: frozenset[str] = frozenset()
    segtype: str = "linear"
    origin: str = ""
    pool: str = ""
    thin_id: int | None = None
    chunk_size: int = 0
    active: bool | None = None
    open: bool | None = None
    suspended: bool | None = None
    writable: bool = True
    merging: bool = False
    merge_failed: bool = False
    invalid: bool | None = None
    data_percent: Fraction | None = None
    metadata_percent: Fraction | None = None
    health: str = ""
    locked: bool = False
    profile: str = ""
    creation_limit: int | None = None
    created: int | None = None

    @property
    def full_name(self) -> str:
        """VG/LV, as LVM commands accept it."""
        return f"{self.vg}/{self.name}"

    @property
    def all_tags(self) -> tuple[str, ...]:
        """All its tags, copied and foreign ones included."""
        return self.tags + self.copied_tags + self.foreign_tags

    @property
    def key(self) -> LvKey:
        """The UUIDs that identify it."""
        return self.vg_uuid, self.uuid

    @property
    def hidden(self) -> bool:
        """Whether the LV is internal to LVM (a pool's data, a RAID leg, a merging snapshot).

        A VDO volume with a thick snapshot has the role ``private`` too, but is not internal (LVM 2.03.31).
        """
        return "private" in self.roles and not (self.segtype == "vdo" and "thickorigin" in self.roles)

    @property
    def is_sparse(self) -> bool:
        """Whether it is a sparse volume (lvcreate --type snapshot --virtualsize). VDO volumes have the same layout."""
        return self.origin.endswith("_vorigin") or ("virtual" in self.layout and self.segtype != "vdo")

    @property
    def is_thin(self) -> bool:
        """Whether it is a thin volume; a thin snapshot is one too. Its snapshots are thin unless given a size."""
        return self.segtype == "thin"

    @property
    def is_pool(self) -> bool:
        """Whether it is a pool of any type (thin, cache, VDO)."""
        return "pool" in self.layout

    @property
    def is_thick_snapshot(self) -> bool:
        """Whether it is the COW store of an existing origin. The hidden origin of a sparse volume does not count."""
        return "thicksnapshot" in self.roles and bool(self.origin) and not self.origin.endswith("_vorigin")

    @property
    def is_thin_snapshot(self) -> bool:
        """Whether it is a thin volume for which LVM still records an existing origin."""
        return self.is_thin and "thinsnapshot" in self.roles and bool(self.origin)

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a thick or thin snapshot of an existing origin."""
        return self.is_thick_snapshot or self.is_thin_snapshot

    @property
    def snapshot_kind(self) -> Kind:
        """The kind of snapshot that is created when this LV is the origin."""
        return "thin" if self.is_thin else "thick"


@dataclass(frozen=True)
class Mount:
    """A mounted filesystem or an active swap area (mountpoint ``[SWAP]``). ``used`` is in bytes; None if unknown."""

    mountpoint: str
    source: str
    fstype: str
    device: DeviceNumber
    used: int | None = None


@dataclass(frozen=True)
class BlockDevice:
    """A block device of the kernel: the numbers of the devices below it and the names of those on top of it."""

    name: str
    dm_name: str = ""
    dm_uuid: str = ""
    slaves: tuple[DeviceNumber, ...] = ()
    holders: tuple[str, ...] = ()


@dataclass(frozen=True)
class FstabEntry:
    """A line of /etc/fstab. ``device`` is the device that its first field resolves to now, or None."""

    spec: str
    mountpoint: str
    device: DeviceNumber | None = None


@dataclass(frozen=True)
class Initramfs:
    """The initramfs of one installed kernel. ``path`` is None when there is none.

    ``modules`` are the names, with underscores, of the kernel modules inside it and of those built into the kernel;
    None when it cannot be read. ``leaves_pollers`` is true when LVM in it may still be ending a merge while the real
    root filesystem takes over.
    """

    kernel: str
    path: str | None
    modules: frozenset[str] | None
    has_modules_dir: bool = True
    leaves_pollers: bool = False


@dataclass(frozen=True)
class Boot:
    """What the next boot will use. Read only when the root filesystem is to be protected."""

    running_kernel: str
    initramfs: tuple[Initramfs, ...] = ()


@dataclass(frozen=True)
class Host:
    """The host around LVM. ``now`` is in seconds since the epoch, ``uptime`` in seconds since the boot.

    ``mounts`` are in the order in which they were mounted. ``udev_runs`` is false when LVM would wait for a udev that
    does not run. ``can_archive`` is false when LVM's copies of its metadata cannot be written, or have almost no space.
    ``has_devices_file`` is true when there is a devices file, which may restrict LVM to the devices in it. ``preview``
    is the name and the ID of the snapset that a preview boot shows instead of the host. ``host_id`` is a hash of the
    machine-id, empty if there is none.
    """

    now: int
    boot_id: str
    host_id: str = ""
    uptime: int = 0
    mounts: tuple[Mount, ...] = ()
    devices: Mapping[DeviceNumber, BlockDevice] = field(default_factory=lambda: MappingProxyType({}))
    fstab: tuple[FstabEntry, ...] = ()
    root_argument: str = ""
    udev_runs: bool = True
    can_archive: bool = True
    has_devices_file: bool = False
    preview: tuple[str, str] | None = None
    boot: Boot | None = None

    def mount_at(self, mountpoint: str) -> Mount | None:
        """The mount at ``mountpoint``. Of several, it is the last one, which hides the others."""
        return next((mount for mount in reversed(self.mounts) if mount.mountpoint == mountpoint), None)


@dataclass(frozen=True)
class HostState:
    """Everything that a plan is made from: one LVM report and the host around it.

    ``unread`` is LVM's error message when it could not read everything, else empty. ``ambiguities`` are the names of
    sets whose members may be this host's own or may have come with a copy of a VG, each with a sentence for the user.
    """

    host: Host
    volume_groups: tuple[VolumeGroup, ...] = ()
    volumes: tuple[Volume, ...] = ()
    unread: str = ""
    ambiguities: tuple[tuple[str, str], ...] = ()

    # A host can have hundreds of LVs and mounts, and plans look up each of them often: hence the dictionaries.
    # If two VGs have the same name, the first one counts.

    @cached_property
    def _groups(self) -> Mapping[str, VolumeGroup]:
        return {group.name: group for group in reversed(self.volume_groups)}

    @cached_property
    def _volumes_by_name(self) -> Mapping[tuple[str, str], Volume]:
        return {(volume.vg_uuid, volume.name): volume for volume in self.volumes}

    @cached_property
    def _volumes_by_key(self) -> Mapping[LvKey, Volume]:
        return {volume.key: volume for volume in self.volumes}

    @cached_property
    def _volumes_by_dm_uuid(self) -> Mapping[str, Volume]:
        return {"".join(volume.key).replace("-", ""): volume for volume in self.volumes}

    @cached_property
    def _snapshots(self) -> Mapping[LvKey, Sequence[Volume]]:
        found: dict[LvKey, list[Volume]] = defaultdict(list)
        for volume in self.volumes:
            origin = self.origin_of(volume)
            if origin is not None:
                found[origin.key].append(volume)
        return dict(found)

    @cached_property
    def _mounts(self) -> Mapping[LvKey, Sequence[Mount]]:
        found: dict[LvKey, list[Mount]] = defaultdict(list)
        for mount in self.host.mounts:
            volume = self.lv_below(mount.device)
            if volume is not None:
                found[volume.key].append(mount)
        return dict(found)

    @cached_property
    def hidden_devices(self) -> Sequence[str]:
        """The device-mapper names of active LVs whose VG LVM does not report. Members of a set may be among them."""
        known = {group.uuid.replace("-", "") for group in self.volume_groups}
        return sorted(
            device.dm_name
            for device in self.host.devices.values()
            if device.dm_uuid.startswith("LVM-") and device.dm_uuid[_VG_IN_DM_UUID] not in known
        )

    def group(self, name: str) -> VolumeGroup | None:
        """The VG with that name."""
        return self._groups.get(name)

    def volume(self, vg: str, name: str) -> Volume | None:
        """The LV with that name, hidden or not."""
        group = self.group(vg)
        return self._volumes_by_name.get((group.uuid, name)) if group else None

    def by_key(self, key: LvKey) -> Volume | None:
        """The LV with those UUIDs."""
        return self._volumes_by_key.get(key)

    def origin_of(self, snapshot: Volume) -> Volume | None:
        """The origin of a snapshot, or None if it no longer exists."""
        return self._volumes_by_name.get((snapshot.vg_uuid, snapshot.origin)) if snapshot.is_snapshot else None

    def snapshots_of(self, origin: Volume) -> Sequence[Volume]:
        """All snapshots of ``origin``, thick and thin, merging ones included."""
        return self._snapshots.get(origin.key, ())

    def mounts_of(self, volume: Volume) -> Sequence[Mount]:
        """Where ``volume`` is mounted or used as swap, directly or through devices on top of it (encryption)."""
        return self._mounts.get(volume.key, ())

    def lv_below(self, device: DeviceNumber) -> Volume | None:
        """The LV that ``device`` is or is built on; None if it is built on no LV or on several devices."""
        found = self.host.devices.get(device)
        while found is not None and not found.dm_uuid.startswith("LVM-"):
            if len(found.slaves) != 1:
                return None
            found = self.host.devices.get(found.slaves[0])
        return self._lv_of_device(found) if found else None

    def _lv_of_device(self, device: BlockDevice) -> Volume | None:
        return self._volumes_by_dm_uuid.get(device.dm_uuid[len("LVM-") :].partition("-")[0])

    def device_of(self, volume: Volume) -> BlockDevice | None:
        """The kernel's device of an active LV, or None."""
        found = (one for one in self.host.devices.values() if self._lv_of_device(one) == volume)
        # Others are hidden layers of it.
        return next((one for one in found if "-" not in one.dm_uuid[len("LVM-") :]), None)
