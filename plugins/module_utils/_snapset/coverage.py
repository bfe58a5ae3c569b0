# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which filesystems must be protected and rolled back together. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._paths import BOOT_MOUNTPOINTS, SYSTEM_MOUNTPOINTS
from .filesystems import (
    automount_problem,
    filesystem_at,
    filesystems,
    is_at_or_below,
    links_to_filesystems,
    place_problem,
    stays_behind,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from .._host_model import Mount
    from .._model import HostState, LvKey, Volume
    from .filesystems import Filesystem

_BELOW_ROOT = tuple(path for path in SYSTEM_MOUNTPOINTS if path != "/")
# Where boot loaders and kernels are.
_BOOT_PLACES = ("/boot", "/efi")
# The type of an EFI system partition, in a GPT and in an MBR.
_ESP_TYPES = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef")
# What ostree mounts from the LV of its repository.
_OSTREE_PLACES = ("/", "/sysroot", "/usr", "/etc", "/boot")


def system_mountpoints(host_state: HostState, ignore: Sequence[str]) -> tuple[str, ...]:
    """/ and those of SYSTEM_MOUNTPOINTS that are filesystems of their own, without those in ``ignore``."""
    return tuple(
        path for path in SYSTEM_MOUNTPOINTS if path not in ignore and (path == "/" or _is_own(host_state, path))
    )


def _is_own(host_state: HostState, path: str) -> bool:
    """Whether a whole filesystem is mounted at ``path``: no link to another one, and no directory of another one."""
    mount = host_state.host.lies_on(path)
    return mount is not None and mount.mountpoint == path and not mount.is_part


def root_volumes(host_state: HostState) -> tuple[Volume, ...]:
    """The LVs that / is on, also below an overlay."""
    mounts = (host_state.host.lies_on("/"), *_below_root_overlay(host_state))
    found = [volume for mount in mounts if mount for volume in host_state.volumes_below(mount)[0]]
    return tuple(dict.fromkeys(found))


def _below_root_overlay(host_state: HostState) -> list[Mount]:
    """The mounts with the directories of / if it is an overlay, as far as they are seen."""
    root = host_state.host.lies_on("/")
    places = (root.carrier, *root.layers) if root is not None and root.fstype == "overlay" else ()
    found = (host_state.host.lies_on(place) for place in places if place)
    return [mount for mount in found if mount is not None and mount != root]


def _with_root(host_state: HostState, members: Sequence[Volume]) -> bool:
    return any(volume in members for volume in root_volumes(host_state))


def initramfs_volumes(host_state: HostState) -> Mapping[LvKey, str]:
    """The LVs that the initramfs activates and without which the host does not boot, each with what needs it.

    These are /, /usr and /etc, the LVs of rd.lvm.lv= (dracut.cmdline(7)), and what fstab mounts in the initramfs
    (systemd.mount(5)). If / is an overlay of directories that are not known, it may be any LV.
    """
    host, found = host_state.host, {volume.key: "/" for volume in root_volumes(host_state)}
    early = [entry.mountpoint for entry in host.fstab if "x-initrd.mount" in entry.options]
    for path in ("/usr", "/etc", *early):
        mount = host.lies_on(path)
        for volume in host_state.volumes_below(mount)[0] if mount else ():
            found.setdefault(volume.key, path)
    for volume in host_state.volumes:
        if volume.full_name in host.early_volumes:
            found.setdefault(volume.key, f"{volume.full_name} (rd.lvm.lv)")
    root = host.lies_on("/")
    if root is not None and root.fstype == "overlay" and not _below_root_overlay(host_state):
        found = {volume.key: f"{volume.full_name} (/ is an overlay)" for volume in host_state.volumes} | found
    return found


def boot_mounts(host_state: HostState, ignore: Collection[str] = ()) -> tuple[Mount, ...]:
    """The mounted filesystems that boot the host and are separate from /, each once.

    Without those that ``ignore``, the value of ignore_uncovered, excludes.
    """
    found: dict[tuple[object, str], Mount] = {}
    for path in _not_ignored(host_state, ignore):
        mount = host_state.host.mount_at(path)
        is_whole = mount is not None and mount.device is not None and not mount.is_part
        if mount is not None and is_whole and mount.mountpoint in BOOT_MOUNTPOINTS:
            found.setdefault((mount.device, mount.root), mount)
    return tuple(sorted(found.values(), key=lambda mount: mount.mountpoint))


def _not_ignored(host_state: HostState, ignore: Collection[str]) -> tuple[str, ...]:
    """BOOT_MOUNTPOINTS without those that the value of ignore_uncovered excludes.

    The boot loader on the ESP belongs to a separate /boot, and is ignored with it. If /boot is on /, only the kernels
    there are ignored, and the ESP has those that the host boots.
    """
    host = host_state.host
    if "/boot" in ignore and host.lies_on("/boot") != host.lies_on("/"):
        return ()
    return tuple(path for path in BOOT_MOUNTPOINTS if path not in ignore)


def boot_outside_set(host_state: HostState, members: Sequence[Volume]) -> tuple[str, ...]:
    """The mountpoints of what boots the host and is not on ``members``; empty if / is not on ``members``."""
    if not _with_root(host_state, members):
        return ()
    mounts = boot_mounts(host_state)
    return tuple(mount.mountpoint for mount in mounts if host_state.lv_below(mount.device) not in members)


def unsaved_problems(host_state: HostState, ignore: Collection[str]) -> Iterator[str]:
    """Which filesystems boot the host and could not be saved, because they are not mounted or not on a disk.

    Without those that ``ignore``, the value of ignore_uncovered, excludes.
    """
    host = host_state.host
    for path in _not_ignored(host_state, ignore):
        mount = host.lies_on(path)
        if mount is None:
            continue
        advice = f"or list {path} in ignore_uncovered, if the host does not boot from it"
        entry = next((one for one in host.fstab if one.mountpoint == host.resolved(path)), None)
        problem = automount_problem(host, path) if mount.mountpoint == host.resolved(path) else None
        if problem is not None:
            # Without /boot, nobody knows what the host boots.
            yield problem if path == "/boot" else f"{problem}, {advice}"
        elif entry is not None and mount.mountpoint != entry.mountpoint:
            yield (
                f"/etc/fstab has {path} ({entry.spec}), but it is not mounted, so it could not be saved: mount it, "
                f"{advice}"
            )
        elif mount.mountpoint == path and mount.is_part:
            yield (
                f"{path} shows only a directory of {mount.source} (mount --bind), and boot_backup saves only whole "
                f"filesystems: mount a filesystem there, {advice}"
            )
        elif mount.mountpoint == path and mount.device is None:
            yield f"{path} cannot be saved, because {place_problem(host_state, mount)}: use a disk, {advice}"
        elif mount.mountpoint not in ("/", *BOOT_MOUNTPOINTS) and path in host.links:
            yield (
                f"{path} is a link to {host.resolved(path)}, which boot_backup does not save: mount that filesystem at "
                f"{path}, {advice}"
            )


def uncovered_problems(
    host_state: HostState, members: Sequence[Volume], ignore: Sequence[str], named: Collection[str]
) -> Iterator[str]:
    """Which filesystems of the system ``members`` do not protect although they protect /.

    ``named`` are the mountpoints that the request selects. If they cannot be protected, it is refused for that already.
    """
    if not _with_root(host_state, members):
        return
    yield from unsaved_problems(host_state, ignore)
    seen = [host_state.host.lies_on("/")]
    for path in _BELOW_ROOT:
        mount = host_state.host.lies_on(path)
        if mount is None or mount in seen:
            continue
        seen.append(mount)
        filesystem = filesystem_at(host_state, mount)
        why = stays_behind(filesystem, members)
        if why is not None and path not in ignore and not (filesystem.problem and path in named):
            yield _uncovered(path, filesystem)


def _uncovered(path: str, filesystem: Filesystem) -> str:
    ignore = f"list {path} in ignore_uncovered"
    if filesystem.problem is not None:
        return f"/ is protected, but {path} is a separate filesystem and cannot be: {filesystem.problem}; {ignore}"
    if filesystem.mountpoint != path:
        return (
            f"/ is protected, but {path} is on the filesystem at {filesystem.mountpoint}, which is not: add "
            f"{filesystem.mountpoint} to mountpoints, or {ignore}"
        )
    return (
        f"/ is protected, but {path} is a separate filesystem and is not: add it to mountpoints, or list it in "
        "ignore_uncovered"
    )


def not_rolled_back(host_state: HostState, members: Sequence[Volume]) -> Iterator[tuple[str, str]]:
    """What does not roll back with ``members`` although it belongs to what they protect: its path, and why.

    With / these are filesystems in the directories that an upgrade changes, and what boots the host and is not saved;
    with any other filesystem, those mounted below it. What the next boot empties or nothing can write to is left out.
    """
    with_root = _with_root(host_state, members)
    tops = {mount.mountpoint for member in members for mount in host_state.mounts_of(member)} - {"/"}
    places = (*tops, *(_BELOW_ROOT if with_root else ()))
    found: dict[str, str] = {}
    for one in filesystems(host_state):
        why = stays_behind(one, members)
        if why is None:
            continue
        of_the_boot = with_root and any(is_at_or_below(one.mountpoint, place) for place in _BOOT_PLACES)
        if of_the_boot and one.mountpoint not in BOOT_MOUNTPOINTS:
            found[one.mountpoint] = f"it is not one of {', '.join(BOOT_MOUNTPOINTS)}, so boot_backup does not save it"
        elif one.lasts and any(is_at_or_below(one.mountpoint, place) for place in places):
            found[one.mountpoint] = why
    for path, target, one in links_to_filesystems(host_state):
        why = stays_behind(one, members)
        if why is not None and one.lasts and any(is_at_or_below(path, place) for place in places):
            found[path] = f"it is a link to {target}: {why}"
    if with_root:
        found |= dict(_other_esps(host_state))
    yield from sorted(found.items())


def _other_esps(host_state: HostState) -> Iterator[tuple[str, str]]:
    """EFI system partitions that boot_backup does not save, for example on a second disk: path or device, and why."""
    host = host_state.host
    saved = {mount.device for mount in boot_mounts(host_state)}
    for number, device in host.devices.items():
        is_esp = device.signature.partition.lower() in _ESP_TYPES and not device.holders
        if host.boots_by_efi and is_esp and number not in saved:
            where = next((mount.mountpoint for mount in host.mounts if mount.device == number), None)
            why = "it is not mounted" if where is None else f"it is not one of {', '.join(BOOT_MOUNTPOINTS)}"
            yield where or f"/dev/{device.name}", f"an EFI system partition that boot_backup does not save: {why}"


def ostree_problems(host_state: HostState, members: Sequence[Volume], named: Collection[str]) -> Iterator[str]:
    """Why the system of a host that ostree manages is not rolled back: ostree has its own record of what it boots.

    ``named`` are the mountpoints that the request selects.
    """
    if not host_state.host.has_ostree:
        return
    mounts = [host_state.host.lies_on(path) for path in _OSTREE_PLACES]
    of_ostree = {volume.key for mount in mounts if mount for volume in host_state.volumes_below(mount)[0]}
    if "/" in named or any(member.key in of_ostree for member in members):
        yield (
            "ostree or bootc manages this host (/run/ostree-booted), and a rollback of its LVs would not match what it "
            "boots: use rpm-ostree rollback or bootc rollback for the system, and a snapset only for LVs with data"
        )


def boot_loader_problems(host_state: HostState, members: Sequence[Volume], ignore: Sequence[str]) -> Iterator[str]:
    """Why the boot loader could not boot the host while one of ``members`` is merged.

    It reads the raw blocks of a thick origin. After a merge is requested, these are still the changed ones, and while
    it runs, a mixture (seen with GRUB 2.12, docs/boot.md). No boot loader can read thin volumes.
    """
    for member in members:
        if member.is_thin:
            continue
        for mount in host_state.mounts_of(member):
            if mount.mountpoint in BOOT_MOUNTPOINTS:
                yield (
                    f"{mount.mountpoint} is on {member.full_name}, and the boot loader would read it half merged: "
                    "leave it out, and save it with the module boot_backup or the role pre_upgrade"
                )
        if member in root_volumes(host_state) and _root_holds_kernels(host_state) and "/boot" not in ignore:
            yield (
                f"/boot is on / ({member.full_name}), and the boot loader would read it half merged or still changed: "
                "put /boot on a separate filesystem, or list it in ignore_uncovered if the kernel comes from elsewhere"
            )


def _root_holds_kernels(host_state: HostState) -> bool:
    host = host_state.host
    return host.boot is not None and bool(host.boot.initramfs) and host.lies_on("/boot") == host.lies_on("/")
