# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks before anything is changed: each yields the problems that it finds. Pure; private to this collection."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from .._model import SWAP
from .._names import REAL_SUFFIX, device_path, fits_device_mapper
from .._paths import PREVIEW_MARK
from .sizes import Size, format_bytes
from .state import member_state
from .tags import is_auxiliary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .._model import FstabEntry, Host, HostState, Initramfs, Volume, VolumeGroup

POOL_DATA_LIMIT = Fraction(80)
POOL_METADATA_LIMIT = Fraction(75)


def group_problems(group: VolumeGroup) -> Iterator[str]:
    """Why nothing can be created, merged or removed in a VG."""
    yield from partial_problems(group)
    yield from exported_problems(group)
    if group.lock_type:
        yield f"VG {group.name} is shared (lock type {group.lock_type}): use a VG that belongs to this host only"


def partial_problems(group: VolumeGroup) -> Iterator[str]:
    """Why LVs cannot be created, extended or merged in a VG: a PV is missing."""
    if group.partial:
        yield f"VG {group.name} is partial (a PV is missing): reconnect the PV, then run again"


def exported_problems(group: VolumeGroup) -> Iterator[str]:
    """Why nothing can be done in a VG: it is exported."""
    if group.exported:
        yield f"VG {group.name} is exported: type vgimport {group.name}, then run again"


def read_only_problems(group: VolumeGroup) -> Iterator[str]:
    """Why nothing can be done in a VG: its metadata says that it is read-only."""
    if not group.writable:
        yield f"VG {group.name} is read-only, so LVM does not change it: find out why (vgs -o vg_permissions, vgck)"


def duplicate_problems(group: VolumeGroup) -> Iterator[str]:
    """Why nothing can be done in a VG: one of its PVs is there twice."""
    if group.duplicates:
        yield (
            f"VG {group.name} has a duplicate PV ({', '.join(group.duplicates)}), and LVM changes no such VG: detach "
            "that copy, hide it from LVM (filter or devices file), or give it new UUIDs (vgimportclone), then run again"
        )


def locked_problems(_host_state: HostState, volume: Volume) -> Iterator[str]:
    """Why LVM does not snapshot, extend, merge or remove an LV: a part of it is being moved."""
    if volume.locked:
        yield f"pvmove moves {volume.full_name}, and LVM has locked it: {_after_the_move(volume)}"


def moving_pool_problems(host_state: HostState, volume: Volume) -> Iterator[str]:
    """Why nothing should be created, merged or removed in a thin pool: LVM does not refuse it while the pool is moved.

    But then a removal leaves other LVs suspended, and a merge deactivates them (seen with LVM 2.03.31).
    """
    parts = (f"{volume.pool}_tdata", f"{volume.pool}_tmeta")
    if volume.is_thin and any(v.locked and v.vg == volume.vg and v.name.startswith(parts) for v in host_state.volumes):
        yield (
            f"pvmove moves thin pool {volume.vg}/{volume.pool}, and LVM would stop other LVs if something in it "
            f"changed meanwhile: {_after_the_move(volume)}"
        )


def _after_the_move(volume: Volume) -> str:
    progress = f"lvs -a -o lv_name,move_pv,copy_percent {volume.vg}"
    return f"wait until that ends ({progress}), or type pvmove --abort, then run again"


def same_name_problems(host_state: HostState, names: Collection[str]) -> Iterator[str]:
    """Why nothing can be done in the VGs with these names: LVM skips a name that two VGs have (seen with 2.03.31)."""
    for name in sorted(names):
        uuids = [group.uuid for group in host_state.volume_groups if group.name == name]
        if len(uuids) > 1:
            yield (
                f"{len(uuids)} VGs are named {name} (UUIDs {', '.join(uuids)}), so LVM changes none of them: exclude "
                "the disks of another host (lvmdevices, or global_filter in lvm.conf), or rename one (vgrename UUID "
                "NEW_NAME)"
            )


def udev_problems(host: Host) -> Iterator[str]:
    """Why nothing can be changed: LVM would wait forever for a udev that does not run."""
    if not host.udev_runs:
        yield (
            "udev does not run (/run/udev/control exists, but there is no systemd-udevd process), and LVM would wait "
            "for it forever: type systemctl start systemd-udevd, then run again"
        )


def kernel_problems(host_state: HostState) -> Iterator[str]:
    """Why nothing can be done: LVM does not ask the kernel what is active, so LVs in use could be changed."""
    if any(volume.active is None for volume in host_state.volumes):
        yield (
            "LVM does not know which LVs are active (activation=0 in lvm.conf, or a kernel without device-mapper): "
            "correct that, then run again"
        )


def ambiguity_problems(host_state: HostState, name: str) -> Iterator[str]:
    """Why nothing can be done with the set of that name: it may belong to a copy of a VG."""
    return (sentence for set_name, sentence in host_state.ambiguities if set_name == name)


def visibility_problems(host_state: HostState) -> list[str]:
    """What LVM does not show of the host, where members of a set may be hidden."""
    problems = [f"LVM could not read everything: {host_state.unread}"] if host_state.unread else []
    if host_state.hidden_devices:
        problems.append(
            f"LVM does not show the VG of active LVs ({', '.join(host_state.hidden_devices)}): reconnect its disks, "
            "or change the filter or the devices file that excludes them (see lvmconfig devices, lvmdevices)"
        )
    return problems


def preview_problems(host: Host) -> Iterator[str]:
    """Why nothing can be changed in a preview boot: its files and mounts are not those of the host."""
    if host.preview or any(mount.mountpoint.startswith(f"{PREVIEW_MARK}/") for mount in host.mounts):
        shown = host.preview[0] if host.preview else "a snapset"
        yield f"this is a preview boot of {shown} (boot_entry): reboot, then run again"


def origin_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    """Why no snapshot of ``origin`` can be created that could be merged later."""
    name = origin.full_name
    kind = "a RAID volume with integrity" if _has_integrity(host_state, origin) else _origin_type_problem(origin)
    if kind is not None:
        yield f"{name} is {kind}, which cannot be an origin"
        return
    if not origin.writable:
        yield f"{name} is read-only, so LVM could not merge into it: type lvchange --permission rw {name}"
    if origin.health:
        yield f"{name} is not healthy ({origin.health}): repair it first"
    if origin.suspended:
        yield f"{name} is suspended: find the cause, then type dmsetup resume {device_path(origin.vg, origin.name)}"
    yield from locked_problems(host_state, origin)
    yield from moving_pool_problems(host_state, origin)
    snapshots = host_state.snapshots_of(origin)
    for snapshot in snapshots:
        state = member_state(origin, snapshot)
        if state == "merge_pending":
            yield f"{snapshot.full_name} will be merged into {name} at the next activation: reboot, or unmount {name}"
        elif snapshot.merging:
            yield f"{snapshot.full_name} is being merged into {name}: wait until the merge ends, then run again"
    if origin.is_thin:
        yield from _thin_origin_problems(origin, snapshots)
    else:
        yield from _thick_origin_problems(host_state, origin)


def _has_integrity(host_state: HostState, origin: Volume) -> bool:
    # Only the hidden legs show it. LVM before 2.03.23 refuses snapshots of such volumes, newer ones if it is cached.
    legs = tuple(f"{origin.name}{layer}_rimage_" for layer in ("", "_corig", "_wcorig"))
    return any(v.vg == origin.vg and v.name.startswith(legs) and "integrity" in v.layout for v in host_state.volumes)


def _origin_type_problem(origin: Volume) -> str | None:
    kinds = (
        (origin.is_pool, "a pool"),
        (origin.hidden, "an internal LV of LVM"),
        (origin.is_snapshot, "a snapshot"),
        (origin.is_sparse, "a sparse volume"),
        (is_auxiliary(origin.all_tags), "an auxiliary LV of this collection"),
        ("extthinorigin" in origin.roles, "the external origin of thin volumes"),
        (
            "mirror" in origin.layout and "raid" not in origin.layout,
            "a mirror of the old segment type",
        ),
    )
    return next((text for fits, text in kinds if fits), None)


def _thin_origin_problems(origin: Volume, snapshots: Sequence[Volume]) -> Iterator[str]:
    for snapshot in snapshots:
        if snapshot.is_thick_snapshot:
            yield (
                f"{origin.full_name} is thin and has a thick snapshot ({snapshot.full_name}), so LVM could not merge "
                f"a thin one into it: remove {snapshot.full_name} first"
            )


def _thick_origin_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    name = origin.full_name
    if not fits_device_mapper(origin.vg, origin.name, REAL_SUFFIX):
        yield f"the name {name} is too long: device-mapper allows 127 bytes for its hidden device, hyphens count twice"
    for mount in host_state.mounts_of(origin):
        if mount.fstype == "btrfs":
            yield (
                f"{name} has btrfs at {mount.mountpoint}, and a thick snapshot would show the kernel the same "
                "filesystem twice: use btrfs snapshots, or a thin volume"
            )
    yield from _duplicate_pv_problems(host_state, origin)
    yield from _ambiguous_mount_problems(host_state, origin)


def _duplicate_pv_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    names = {device_path(origin.vg, origin.name), f"/dev/{origin.full_name}"}
    for group in host_state.volume_groups:
        if not names.isdisjoint(group.pv_names):
            yield (
                f"{origin.full_name} is a PV of VG {group.name}, and a thick snapshot would be a duplicate of it, with "
                f"which LVM neither changes nor activates {group.name}: protect the LVs of {group.name} instead"
            )


def _ambiguous_mount_problems(host_state: HostState, origin: Volume) -> Iterator[str]:
    path = device_path(origin.vg, origin.name)
    mountpoints = {mount.mountpoint for mount in host_state.mounts_of(origin)}
    for entry in host_state.host.fstab:
        if _names_content(entry.spec) and _mounts_origin(host_state, entry, origin, mountpoints):
            yield (
                f"/etc/fstab mounts {entry.mountpoint} by {entry.spec}, which a thick snapshot of {origin.full_name} "
                f"would have too: use {path} there instead"
            )
    if "/" in mountpoints and _names_content(host_state.host.root_argument):
        yield (
            f"the kernel was booted with root={host_state.host.root_argument}, which a thick snapshot of "
            f"{origin.full_name} would have too: boot with root={path} instead"
        )


def _names_content(spec: str) -> bool:
    by_link = spec.startswith(("/dev/disk/by-uuid/", "/dev/disk/by-label/"))
    return by_link or spec.startswith(("UUID=", "LABEL="))


def _mounts_origin(host_state: HostState, entry: FstabEntry, origin: Volume, mountpoints: set[str]) -> bool:
    # The mountpoint identifies the LV even if the spec resolves to nothing. Swap areas all have the same mountpoint.
    if entry.mountpoint != SWAP and entry.mountpoint in mountpoints:
        return True
    return entry.device is not None and host_state.lv_below(entry.device) == origin


def thin_size_problem(origin: Volume) -> str:
    """Why a thin origin must not have a size: LVM would create a thick snapshot of it."""
    return f"{origin.full_name} is thin, and thin snapshots have no size: omit size for it"


def pool_failure_problems(pool: Volume) -> Iterator[str]:
    """Why nothing can be created, merged or removed in a thin pool: LVM would fail half-way."""
    if pool.health in ("metadata_read_only", "failed"):
        yield (
            f"thin pool {pool.full_name} has no space for metadata, or its metadata is damaged ({pool.health}): "
            "LVM cannot create, merge or remove anything in it, and would leave the origin of a merge inactive; type "
            f"lvextend --poolmetadatasize +SIZE {pool.full_name}, or if that does not help lvconvert --repair "
            f"{pool.full_name}, then run again"
        )


def pool_problems(pool: Volume, reserve: Size) -> Iterator[str]:
    """Why no more snapshots can be taken in a thin pool. ``reserve`` (bytes or PERCENT) must be free in it."""
    data, metadata = pool.data_percent, pool.metadata_percent
    if data is None or metadata is None:
        name = pool.full_name
        yield f"thin pool {name} is not active, so it is unknown how full it is: type lvchange -ay {name}"
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
    if pool.creation_limit is not None and max(data, metadata) >= pool.creation_limit:
        yield (
            f"thin pool {pool.full_name} has {float(data):.2f}% of its data and {float(metadata):.2f}% of its metadata "
            f"used, and LVM creates nothing in it above {pool.creation_limit}% "
            "(activation/thin_pool_autoextend_threshold): extend it, or raise that threshold"
        )
    free = int(pool.size * (100 - data) / 100)
    needed = reserve.amount if reserve.unit == "bytes" else pool.size * reserve.amount / 100
    if free < needed:
        yield (
            f"thin pool {pool.full_name} has {format_bytes(free)} free, less than pool_reserve ({reserve.text}): "
            "extend it"
        )


def boot_problems(host: Host, *, thick: bool) -> Iterator[str]:
    """Why the host might not boot once its root LV has a snapshot.

    While a thick root LV has a snapshot, the kernel needs dm-snapshot to activate it, even if no merge is requested. A
    thin root LV needs dm-thin-pool, as it did before.
    """
    boot = host.boot
    if boot is None:
        return
    kernels = {initramfs.kernel for initramfs in boot.initramfs}
    if boot.running_kernel not in kernels:
        yield (
            f"the running kernel {boot.running_kernel} is not in /boot, so a rollback could not boot it: "
            "boot an installed kernel first"
        )
    needed = "dm_snapshot" if thick else "dm_thin_pool"
    for initramfs in boot.initramfs:
        yield from _initramfs_problems(initramfs, needed)


def _initramfs_problems(initramfs: Initramfs, needed: str) -> Iterator[str]:
    kernel = initramfs.kernel
    if not initramfs.has_modules_dir:
        yield f"kernel {kernel} is in /boot but has no /lib/modules/{kernel}: install or remove it completely"
    elif initramfs.path is None:
        yield f"kernel {kernel} has no initramfs in /boot, so it could not activate / with a snapshot: create one"
    elif initramfs.modules is None:
        yield f"{initramfs.path} cannot be listed: lsinitramfs or lsinitrd must show whether it has {needed}"
    elif needed not in initramfs.modules:
        yield (
            f"{initramfs.path} has no {needed}, so the host would not boot while / has a snapshot: add the module "
            f"(update-initramfs -u -k {kernel}, or dracut --force --kver {kernel} --add-drivers {needed})"
        )


def boot_warnings(host: Host) -> tuple[str, ...]:
    """What may go wrong when the host boots into a rollback of its root LV."""
    images = [image.path for image in host.boot.initramfs if image.path and image.leaves_pollers] if host.boot else []
    return tuple(
        f"{image}: LVM in it may still be ending a merge when the real root filesystem takes over, and then the boot "
        "into a rollback can hang until the power is cut: run the module initramfs_hook, as the role pre_upgrade does"
        for image in images
    )
