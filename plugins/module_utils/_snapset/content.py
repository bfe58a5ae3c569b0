# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the content of an origin prevents: an identity that two devices would have, and filesystems on several LVs.

A thick snapshot is a visible device with the content of its origin, also with its UUIDs. Thin snapshots are not active,
so nothing finds them. Pure; private to this collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._host_model import Signature
from .._names import device_path
from .coverage import root_volumes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._host_model import DeviceNumber, Mount, Reference
    from .._model import HostState, Volume

# Parts of something larger that finds them by an identity inside (the names are those of blkid(8)).
_PARTS = {
    "linux_raid_member": "an md array",
    "ddf_raid_member": "a RAID array",
    "isw_raid_member": "a RAID array",
    "bcache": "bcache",
    "bcachefs": "a bcachefs filesystem",
    "ceph_bluestore": "Ceph",
    "drbd": "DRBD",
    "stratis": "a Stratis pool",
    "zfs_member": "a ZFS pool",
}


def identity_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    """Why a thick snapshot of ``origin`` could be taken for the origin itself, or for a second part of something."""
    signature = _signature(host_state, origin)
    mounted = [mount.mountpoint for mount in host_state.mounts_of(origin) if mount.fstype == "btrfs"]
    if mounted or signature.fstype == "btrfs":
        at = f" at {mounted[0]}" if mounted else ""
        yield (
            f"{origin.full_name} has btrfs{at}, and a thick snapshot would show the kernel the same filesystem twice: "
            "use btrfs snapshots, or a thin volume"
        )
    if signature.fstype in _PARTS:
        whole = _PARTS[signature.fstype]
        yield (
            f"{origin.full_name} is a part of {whole} ({signature.fstype}), and a thick snapshot would be a second one "
            f"with the same identity: protect what is on {whole} in another way, or use a thin volume"
        )
    path = device_path(origin.vg, origin.name)
    for reference in host_state.host.references:
        if _finds(host_state, reference, origin, signature):
            yield (
                f"{reference.text}, which a thick snapshot of {origin.full_name} would have too: "
                f"{reference.cure.replace('{path}', path)}"
            )


def _signature(host_state: HostState, volume: Volume) -> Signature:
    device = host_state.device_of(volume)
    return device.signature if device else Signature()


def _finds(host_state: HostState, reference: Reference, origin: Volume, signature: Signature) -> bool:
    if reference.uuid and signature.uuid.lower().startswith(reference.uuid.lower()):
        return True
    if reference.label and signature.label == reference.label:
        return True
    if reference.device is not None and _shows(host_state, reference.device, origin):
        return True
    # The mountpoint identifies the LV even if the setting resolves to nothing.
    return any(
        mount.mountpoint == reference.mountpoint and mount.device and _shows(host_state, mount.device, origin)
        for mount in host_state.mounts_of(origin)
    )


def _shows(host_state: HostState, number: DeviceNumber, origin: Volume) -> bool:
    """Whether a device has the content of ``origin`` as it is, not decrypted: that is also in the snapshot."""
    if host_state.lv_below(number) != origin:
        return False
    device = host_state.host.devices.get(number)
    while device is not None and not device.dm_uuid.startswith("LVM-"):
        if device.dm_uuid.startswith("CRYPT-"):
            return False
        device = host_state.host.devices.get(device.slaves[0]) if device.slaves else None
    return True


def use_warnings(host_state: HostState, origins: Sequence[Volume]) -> Iterator[str]:
    """Which of ``origins`` something uses that is not a mount of this host and not a device on top of the LV."""
    for origin in origins:
        device = host_state.device_of(origin)
        if origin.open and not host_state.mounts_of(origin) and not (device and device.holders):
            yield (
                f"{origin.full_name} is in use but not mounted here, for example by a virtual machine, a container or "
                "an export of its blocks: its snapshot is what that would find after a power failure, and a rollback "
                f"waits until it is stopped (fuser -v {device_path(origin.vg, origin.name)}), or until the host reboots"
            )


def prober_warnings(host_state: HostState, origins: Sequence[Volume]) -> Iterator[str]:
    """That a thick snapshot of one of ``origins`` would be taken for another system that the host can boot.

    os-prober of Debian 13 (1.83) finds the snapshot of /, and its mount of that stays (seen, docs/boot.md).
    """
    roots = root_volumes(host_state)
    names = [origin.full_name for origin in origins if origin in roots and not origin.is_thin]
    if host_state.host.runs_os_prober and names:
        yield (
            f"GRUB_DISABLE_OS_PROBER is false, so update-grub takes the snapshot of {', '.join(names)} for another "
            "system and may leave it mounted, and LVM then neither merges nor removes it: set it to true in "
            "/etc/default/grub, or unmount it before rollback and commit (umount /var/lib/os-prober/mount)"
        )


def several_problems(host_state: HostState, origins: Sequence[Volume]) -> Iterator[str]:
    """Why filesystems that are on several devices, one of ``origins`` among them, could not be rolled back.

    LVM takes one snapshot after another. While such a filesystem is in use, they are of different moments, and after
    the merge it cannot be mounted any more (seen with btrfs on two thin LVs, docs/lvm.md).
    """
    for mount in dict.fromkeys(mount for origin in origins for mount in host_state.mounts_of(origin)):
        volumes, others = host_state.volumes_below(mount)
        if len(volumes) + len(others) > 1:
            yield from _mounted_on_several(mount, volumes, others, origins)
    for origin in origins:
        yield from _parts_elsewhere(host_state, origin, origins)


def _mounted_on_several(
    mount: Mount, volumes: Sequence[Volume], others: Sequence[str], origins: Sequence[Volume]
) -> Iterator[str]:
    what = f"the {mount.fstype} filesystem at {mount.mountpoint}"
    names = ", ".join([*sorted(volume.full_name for volume in volumes), *others])
    missing = [volume.full_name for volume in volumes if volume not in origins]
    if others:
        yield f"{what} is on {names}, and LVM cannot roll back {', '.join(others)}: leave out {_names(volumes)}"
    elif not mount.read_only:
        yield (
            f"{what} is on {names}, whose snapshots would be of different moments: take the snapset while it is not "
            "mounted, or mounted read-only, and protect all of these"
        )
    elif missing:
        yield f"{what} is on {names}: protect also {', '.join(missing)}, or none of these"


def _names(volumes: Sequence[Volume]) -> str:
    return ", ".join(volume.full_name for volume in volumes)


def _parts_elsewhere(host_state: HostState, origin: Volume, origins: Sequence[Volume]) -> Iterator[str]:
    """A btrfs filesystem that is not mounted: the other devices with its UUID. Snapshots have it too."""
    own = _signature(host_state, origin)
    if own.fstype != "btrfs" or host_state.mounts_of(origin):
        return
    missing = []
    for number, device in host_state.host.devices.items():
        if (device.signature.fstype, device.signature.uuid) != ("btrfs", own.uuid):
            continue
        volume = host_state.lv_below(number)
        if volume is None:
            missing.append(f"/dev/{device.name}")
        elif volume not in origins and not volume.is_snapshot:
            missing.append(volume.full_name)
    if missing:
        yield (
            f"the btrfs filesystem on {origin.full_name} is also on {', '.join(dict.fromkeys(missing))}: protect all "
            "of these, or none"
        )
