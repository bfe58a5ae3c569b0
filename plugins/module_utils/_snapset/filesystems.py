# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each filesystem of a host lies on, and whether it can roll back with LVs. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._host_model import SWAP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._host_model import FstabEntry, Host, Mount
    from .._model import HostState, Volume

# Interfaces of the kernel: they hold no files of anybody.
_INTERFACES = (
    *("proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "bpf", "debugfs", "tracefs", "configfs"),
    *("securityfs", "selinuxfs", "smackfs", "apparmorfs", "pstore", "efivarfs", "fusectl", "hugetlbfs", "binfmt_misc"),
    *("rpc_pipefs", "nfsd", "nsfs", "resctrl", "binder", "fuse.portal", "fuse.gvfsd-fuse", "fuse.lxcfs"),
)
# What is in memory there belongs to the running system, and each boot makes it anew.
_OF_THE_BOOT = ("/dev", "/proc", "/run", "/sys")


@dataclass(frozen=True)
class Filesystem:
    """A filesystem or a swap area, mounted or only named by fstab.

    Its content is on ``volumes`` and rolls back with all of them, unless there is a ``problem``: why it cannot, as a
    sentence. ``lasts`` is false if an upgrade cannot leave anything in it, because it is in memory, or an
    image that nothing can write to.
    """

    mountpoint: str
    source: str
    fstype: str
    mounted: bool
    volumes: tuple[Volume, ...] = ()
    problem: str | None = None
    lasts: bool = True


def is_at_or_below(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or in it. Both are absolute and without links."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def filesystems(host_state: HostState) -> tuple[Filesystem, ...]:
    """Every filesystem of the host in the order of the mounts, then those that fstab names and that are not mounted."""
    host = host_state.host
    mounts = [mount for mount in host.mounts if _holds_files(mount) and not _is_no_filesystem(host_state, mount)]
    missing = [entry for entry in host.fstab if _is_missing(host_state, entry)]
    return (
        *(filesystem_at(host_state, mount) for mount in mounts),
        *(_only_in_fstab(host_state, entry) for entry in missing),
    )


def _holds_files(mount: Mount) -> bool:
    of_the_boot = mount.in_memory and any(is_at_or_below(mount.mountpoint, place) for place in _OF_THE_BOOT)
    return mount.fstype not in _INTERFACES and not of_the_boot


def _is_no_filesystem(host_state: HostState, mount: Mount) -> bool:
    """Whether it is an automount that has mounted its filesystem, or that is an interface of the kernel."""
    of_the_boot = any(is_at_or_below(mount.mountpoint, place) for place in _OF_THE_BOOT)
    return mount.is_automount and (of_the_boot or not host_state.host.table.is_seen(mount))


def _is_missing(host_state: HostState, entry: FstabEntry) -> bool:
    is_path = entry.mountpoint.startswith("/") and entry.mountpoint != SWAP
    of_no_matter = entry.fstype in _INTERFACES or entry.fstype in ("tmpfs", "ramfs")
    return is_path and not of_no_matter and host_state.host.table.at(entry.mountpoint) is None


def _only_in_fstab(host_state: HostState, entry: FstabEntry) -> Filesystem:
    volume = host_state.lv_below(entry.device)
    return Filesystem(
        entry.mountpoint,
        entry.spec,
        entry.fstype,
        mounted=False,
        volumes=() if volume is None else (volume,),
        problem=f"{entry.spec} is in /etc/fstab, but not mounted" if volume is None else None,
    )


def filesystem_at(host_state: HostState, mount: Mount) -> Filesystem:
    """What the filesystem of ``mount`` is on."""
    entry = next((one for one in host_state.host.fstab if one.mountpoint == mount.mountpoint), None)
    if mount.is_automount and entry is not None:
        return _only_in_fstab(host_state, entry)
    volumes, problem = _basis(host_state, mount, ())
    return Filesystem(
        mount.mountpoint,
        mount.source,
        mount.fstype,
        mounted=not mount.is_automount,
        volumes=volumes,
        problem=problem,
        lasts=not (mount.in_memory or mount.is_image),
    )


def _basis(host_state: HostState, mount: Mount, above: tuple[Mount, ...]) -> tuple[tuple[Volume, ...], str | None]:
    """The LVs that hold the content of ``mount``, and why it does not roll back with them.

    ``above`` are the mounts whose content is in this one.
    """
    places = (mount.carrier,) if mount.carrier else mount.layers
    if not places:
        volumes, others = host_state.volumes_below(mount)
        if volumes and others:
            return volumes, f"{mount.source} is also on {', '.join(others)}, not only on LVM"
        return volumes, None if volumes else place_problem(host_state, mount)
    found: dict[Volume, None] = {}
    for place in places:
        below = host_state.host.lies_on(place)
        if below is None or below in (*above, mount):
            return (), f"{place_problem(host_state, mount)}, and another mount hides that"
        volumes, problem = _basis(host_state, below, (*above, mount))
        if problem is not None:
            return (), f"{place_problem(host_state, mount)}: {problem}"
        found |= dict.fromkeys(volumes)
    return tuple(found), None


def place_problem(host_state: HostState, mount: Mount) -> str:
    """Where the content of a filesystem is that is not directly on LVs, as a sentence."""
    if mount.fstype == "overlay":
        place = mount.carrier or ", ".join(mount.layers) or "directories that are not known"
        return f"it is an overlay with its files in {place}"
    if mount.carrier:
        return f"{mount.source} is not on LVM, it is the file {mount.carrier}"
    kinds = (
        (mount.is_automount, "it is an automount, and what it mounts is not mounted now"),
        (mount.is_network, f"{mount.source} is on another host ({mount.fstype})"),
        (mount.in_memory, f"it is in memory ({mount.fstype})"),
        (mount.is_program, f"{mount.source} is provided by a program ({mount.fstype})"),
        (mount.device is None, f"{mount.source} is {mount.fstype}, not on LVM"),
    )
    return next((text for fits, text in kinds if fits), None) or _device_problem(host_state, mount)


def _device_problem(host_state: HostState, mount: Mount) -> str:
    device = host_state.host.device_of(mount)
    if device is None:
        return f"{mount.source} is not a block device of this host"
    if len(device.slaves) > 1:
        return f"{mount.source} is on several devices"
    return f"{mount.source} is not on LVM"


def automount_problem(host: Host, path: str) -> str | None:
    """Why nothing can be read at ``path``: an automount still waits there, although it had its time; None if not so.

    To look at such a path could take forever.
    """
    mount = host.lies_on(path)
    if mount is None or not mount.is_automount:
        return None
    return f"{path} is an automount and could not be mounted within 30 s: see what ls {path} says, and correct that"


def stays_behind(filesystem: Filesystem, members: Sequence[Volume]) -> str | None:
    """Why a filesystem does not roll back with ``members``, as a sentence; None if it does."""
    if filesystem.problem is not None:
        return filesystem.problem
    keys = {member.key for member in members}
    missing = [volume.full_name for volume in filesystem.volumes if volume.key not in keys]
    return f"{', '.join(missing)} is not in the snapset" if missing else None


def links_to_filesystems(host_state: HostState) -> Iterator[tuple[str, str, Filesystem]]:
    """The symbolic links that were read, each with what it leads to and the filesystem there."""
    for path, target in sorted(host_state.host.links.items()):
        mount = host_state.host.table.lies_on(target)
        if mount is not None and _holds_files(mount):
            yield path, target, filesystem_at(host_state, mount)
