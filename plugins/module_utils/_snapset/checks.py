# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before anything is touched, as sentences. Pure; private to this collection."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from .._model import SWAP
from .._names import REAL_SUFFIX, device_path, fits_device_mapper
from .._paths import PREVIEW_MARK
from .sizes import Size, format_bytes
from .tags import is_auxiliary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import FstabEntry, Host, HostState, Initramfs, Volume, VolumeGroup

POOL_DATA_LIMIT = Fraction(80)
POOL_METADATA_LIMIT = Fraction(75)


def group_problems(group: VolumeGroup) -> Iterator[str]:
    """Why nothing may be made, merged or removed in a VG."""
    if group.partial:
        yield f"VG {group.name} is partial (a PV is missing): bring the PV back, then run again"
    if group.exported:
        yield f"VG {group.name} is exported: vgimport {group.name}, then run again"
    if group.lock_type:
        yield f"VG {group.name} is shared (lock type {group.lock_type}): only VGs of this host alone are supported"


def udev_problems(host: Host) -> Iterator[str]:
    """Why nothing may be changed on a host on which LVM would wait for udev without an end."""
    if not host.udev_runs:
        yield (
            "udev does not run (there is /run/udev/control, and no process systemd-udevd), and LVM would wait for it "
            "without an end: systemctl start systemd-udevd, then run again"
        )


def kernel_problems(host_state: HostState) -> Iterator[str]:
    """Why nothing may be done on a host on which LVM does not look at the kernel: what is in use would be changed."""
    if any(volume.active is None for volume in host_state.volumes):
        yield (
            "LVM does not know which LVs are active (activation=0 in lvm.conf, or a kernel without device-mapper): let "
            "it, then run again"
        )


def ambiguity_problems(host_state: HostState, name: str) -> Iterator[str]:
    """Why nothing may be done for the set of that name: it might be a copy's."""
    return (doubt for set_name, doubt in host_state.doubts if set_name == name)


def visibility_problems(host_state: HostState) -> list[str]:
    """What LVM does not show of the host, and why: members of a set may be there."""
    spots = [f"LVM could not read everything: {host_state.unread}"] if host_state.unread else []
    if host_state.hidden_devices:
        spots.append(
            f"LVM does not show the VG of active LVs ({', '.join(host_state.hidden_devices)}): bring its disks back, "
            "or change the filter or the devices file that leaves them out (lvmconfig devices, lvmdevices)"
        )
    return spots


def preview_problems(host: Host) -> Iterator[str]:
    """Why nothing may be changed in a preview boot: its files and mounts are not those of the host."""
    if host.preview or any(mount.mountpoint.startswith(f"{PREVIEW_MARK}/") for mount in host.mounts):
        shown = host.preview[0] if host.preview else "a snapset"
        yield f"this is a preview boot of {shown} (boot_entry): reboot, then run again"


def origin_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    """Why ``origin`` cannot be given a snapshot that could be merged again."""
    name = origin.full_name
    kind = "a RAID volume with integrity" if _has_integrity(host_state, origin) else _origin_type_problem(origin)
    if kind is not None:
        yield f"{name} is {kind}, which cannot be an origin"
        return
    if not origin.writable:
        yield f"{name} is read-only: LVM would never merge into it (lvchange --permission rw {name})"
    if origin.health:
        yield f"{name} is not healthy ({origin.health}): repair it first"
    if origin.suspended:
        yield f"{name} is suspended: find out why, then dmsetup resume {device_path(origin.vg, origin.name)}"
    snapshots = host_state.snapshots_of(origin)
    for snapshot in snapshots:
        if snapshot.merging:
            yield f"{snapshot.full_name} is being merged into {name}: no snapshot can be taken until that has ended"
    if origin.is_thin:
        yield from _thin_origin_problems(origin, snapshots)
    else:
        yield from _thick_origin_problems(host_state, origin)


def _has_integrity(host_state: HostState, origin: Volume) -> bool:
    # Only the hidden legs tell. LVM before 2.03.23 refuses snapshots of these.
    legs = f"{origin.name}_rimage_"
    return any(v.vg == origin.vg and v.name.startswith(legs) and "integrity" in v.layout for v in host_state.volumes)


def _origin_type_problem(origin: Volume) -> str | None:
    kinds = (
        (origin.is_pool, "a pool"),
        (origin.hidden, "an LV that LVM keeps to itself"),
        (origin.is_snapshot, "a snapshot"),
        (origin.is_sparse, "a sparse volume"),
        (is_auxiliary(origin.all_tags), "kept by this collection for a snapset"),
        ("extthinorigin" in origin.roles, "the external origin of thin volumes"),
        (
            "mirror" in origin.layout and "raid" not in origin.layout,
            "a mirror of the old type",
        ),
    )
    return next((text for fits, text in kinds if fits), None)


def _thin_origin_problems(origin: Volume, snapshots: Sequence[Volume]) -> Iterator[str]:
    for snapshot in snapshots:
        if snapshot.is_thick_snapshot:
            yield (
                f"{origin.full_name} is thin and has a thick snapshot ({snapshot.full_name}): LVM would never merge "
                f"a thin one into it; remove {snapshot.name} first"
            )


def _thick_origin_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    name = origin.full_name
    if not fits_device_mapper(origin.vg, origin.name, REAL_SUFFIX):
        yield f"{name} has too long a name: device-mapper could not hold its hidden device (hyphens count twice)"
    for mount in host_state.mounts_of(origin):
        if mount.fstype == "btrfs":
            yield (
                f"{name} holds btrfs at {mount.mountpoint}: a thick snapshot shows the kernel the same filesystem "
                "twice; use btrfs snapshots, or a thin volume"
            )
    yield from _duplicate_pv_problems(host_state, origin)
    yield from _ambiguous_mount_problems(host_state, origin)


def _duplicate_pv_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    names = {device_path(origin.vg, origin.name), f"/dev/{origin.full_name}"}
    for group in host_state.volume_groups:
        if not names.isdisjoint(group.pv_names):
            yield (
                f"{origin.full_name} is a PV of VG {group.name}, and a thick snapshot would be a duplicate of it: LVM "
                f"neither changes nor activates a VG while a PV of it is there twice; protect the LVs of {group.name} "
                "instead"
            )


def _ambiguous_mount_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    path = device_path(origin.vg, origin.name)
    mountpoints = {mount.mountpoint for mount in host_state.mounts_of(origin)}
    for entry in host_state.host.fstab:
        if _by_content(entry.spec) and _is_for(host_state, entry, origin, mountpoints):
            yield (
                f"/etc/fstab mounts {entry.mountpoint} by {entry.spec}, and a thick snapshot of {origin.full_name} "
                f"carries the same one: write {path} instead of it"
            )
    if "/" in mountpoints and _by_content(host_state.host.root_argument):
        yield (
            f"the kernel was booted with root={host_state.host.root_argument}, and a thick snapshot of "
            f"{origin.full_name} carries the same one: boot with root={path} instead"
        )


def _by_content(spec: str) -> bool:
    by_link = spec.startswith(("/dev/disk/by-uuid/", "/dev/disk/by-label/"))
    return by_link or spec.startswith(("UUID=", "LABEL="))


def _is_for(host_state: HostState, entry: FstabEntry, origin: Volume, mountpoints: set[str]) -> bool:
    # A mountpoint tells which LV is meant even while its spec resolves to nothing; every swap area has the same one.
    if entry.mountpoint != SWAP and entry.mountpoint in mountpoints:
        return True
    return entry.device is not None and host_state.lv_below(entry.device) == origin


def thin_size_problem(origin: Volume) -> str:
    """Why a size may not be given for a thin origin: LVM would make a thick snapshot of it."""
    return f"{origin.full_name} is thin: its snapshots have no size of their own, so leave size out for it"


def pool_failure_problems(pool: Volume) -> Iterator[str]:
    """Why nothing may be made, merged or removed in a thin pool: LVM would do half of it."""
    if pool.health in ("metadata_read_only", "failed"):
        yield (
            f"thin pool {pool.full_name} has no room for metadata, or has damaged ones ({pool.health}): LVM can make, "
            "merge or remove nothing in it, and would leave the origin of a merge inactive; "
            f"lvextend --poolmetadatasize +SIZE {pool.full_name}, or if that does not help lvconvert --repair, "
            "then run again"
        )


def pool_problems(pool: Volume, reserve: Size) -> Iterator[str]:
    """Why no further snapshot may be taken in a thin pool; ``reserve`` (bytes or PERCENT) is what must be free."""
    data, metadata = pool.data_percent, pool.metadata_percent
    if data is None or metadata is None:
        yield f"thin pool {pool.full_name} is not active, so its fill cannot be known: activate it first"
        return
    if data >= POOL_DATA_LIMIT:
        yield (
            f"thin pool {pool.full_name} has {float(data):.2f}% of its data used (limit {POOL_DATA_LIMIT}%): extend it"
        )
    if metadata >= POOL_METADATA_LIMIT:
        yield (
            f"thin pool {pool.full_name} has {float(metadata):.2f}% of its metadata used "
            f"(limit {POOL_METADATA_LIMIT}%): extend it with lvextend --poolmetadatasize"
        )
    free = int(pool.size * (100 - data) / 100)
    needed = reserve.amount if reserve.unit == "bytes" else pool.size * reserve.amount / 100
    if free < needed:
        yield (
            f"thin pool {pool.full_name} has {format_bytes(free)} free, less than pool_reserve ({reserve.text}): "
            "extend it"
        )


def boot_problems(host: Host, *, thick: bool) -> Iterator[str]:
    """Why the host might not boot again once its root LV has a snapshot.

    Even an untouched origin needs dm-snapshot to be activated while it has a thick snapshot; a thin one needs
    dm-thin-pool, as its root always did.
    """
    boot = host.boot
    if boot is None:
        return
    kernels = {initramfs.kernel for initramfs in boot.initramfs}
    if boot.running_kernel not in kernels:
        yield (
            f"the running kernel {boot.running_kernel} is not in /boot: a rollback could not boot it; "
            "boot an installed kernel first"
        )
    needed = "dm_snapshot" if thick else "dm_thin_pool"
    for initramfs in boot.initramfs:
        yield from _initramfs_problems(initramfs, needed)


def _initramfs_problems(initramfs: Initramfs, needed: str) -> Iterator[str]:
    kernel = initramfs.kernel
    if not initramfs.has_modules_dir:
        yield f"kernel {kernel} is in /boot but has no /lib/modules/{kernel}: install or remove it as a whole"
    elif initramfs.path is None:
        yield f"kernel {kernel} has no initramfs in /boot: it could not activate a root LV that has a snapshot"
    elif initramfs.modules is None:
        yield f"{initramfs.path} cannot be listed: lsinitramfs or lsinitrd is needed to see whether it holds {needed}"
    elif needed not in initramfs.modules:
        yield (
            f"{initramfs.path} has no {needed}: the host would not boot while / has a snapshot; add the module "
            f"(update-initramfs -u -k {kernel}, or dracut --force --add-drivers {needed.replace('_', '-')})"
        )


def boot_warnings(host: Host) -> tuple[str, ...]:
    """What may go wrong at the boot into a rollback of the root LV, and can be helped by hand."""
    images = [image.path for image in host.boot.initramfs if image.path and image.leaves_pollers] if host.boot else []
    return tuple(
        f"{image}: LVM in it may be ending a merge when the real root takes over, and then the boot into a rollback "
        "can stand still until the power is cut: run the module initramfs_hook, as the role pre_upgrade does"
        for image in images
    )
