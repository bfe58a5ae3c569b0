# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module snapset_info: all that a user or a play needs to know of a host. Private."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .._boot_entry.installed import boot_entries
from .._names import set_name_problem
from .._paths import BOOT_MOUNTPOINTS, SYSTEM_MOUNTPOINTS
from .._rollback_timer.running import with_program
from .._rollback_timer.timers import timer_view, warnings_about
from .._snapset.checks import (
    duplicate_problems,
    kernel_problems,
    origin_problems,
    read_only_problems,
    same_name_problems,
    udev_problems,
    visibility_problems,
)
from .._snapset.content import prober_warnings, several_problems
from .._snapset.context import backups_in
from .._snapset.copies import copies_in
from .._snapset.filesystems import automount_problem, filesystems, stays_behind
from .._snapset.foreign import foreign_parts
from .._snapset.instances import instances
from .._snapset.packages import package_warnings
from .._snapset.result import view_of
from .._snapset.state import member_state
from .._snapset.tags import parse_member
from .._snapset.timers import timers_in
from .session import Session, check, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible.module_utils.basic import AnsibleModule

    from .._model import HostState, VolumeGroup
    from .._snapset.filesystems import Filesystem
    from .._snapset.state import Instance


def run_snapset_info(module: AnsibleModule) -> None:
    """Run the module. Ends the process."""
    with open_session(module, Session) as session:
        name = module.params["name"]
        check("name", None if name is None else set_name_problem(name))
        host_state = session.observe((*SYSTEM_MOUNTPOINTS, *BOOT_MOUNTPOINTS))
        info = host_info(host_state, name)
        unread = automount_problem(host_state.host, "/boot")
        entries, problems = ([], [unread]) if unread else boot_entries()
        info["rollback_timers"] = [with_program(timer) for timer in info["rollback_timers"]]
        about_timers = [sentence for timer in info["rollback_timers"] for sentence in warnings_about(timer)]
        remarks = [*info.pop("warnings"), *problems, *about_timers]
        for remark in remarks:
            session.warn(remark)
        session.end(
            changed=False,
            reads=session.lvm.reads,
            boot_entries=entries,
            remarks=remarks,
            **info,
        )


def host_info(host_state: HostState, name: str | None) -> dict[str, Any]:
    """The result of the module; with ``name`` it lists only this snapset."""
    found = instances(host_state)
    shown = [instance for instance in found if name in (None, instance.name)]
    return {
        "snapsets": [view_of(host_state, t, name=t.name).to_result(host_state.host.now) for t in shown],
        "boot_backups": [backup.to_result() for backup in backups_in(host_state)],
        "rollback_timers": [timer_view(timer) for timer in timers_in(host_state)],
        "unmanaged_snapshots": list(_unmanaged(host_state)),
        "copies": [asdict(copy) for copy in copies_in(host_state)],
        "foreign": [found.to_result() for found in foreign_parts(host_state)],
        "host_id": host_state.host.host_id or None,
        "volume_groups": [_group(group) for group in host_state.volume_groups],
        "thin_pools": list(_pools(host_state)),
        "coverage": [_coverage(host_state, one, found) for one in filesystems(host_state)],
        "booted_from": dict(zip(("name", "id"), host_state.host.preview)) if host_state.host.preview else None,
        "warnings": _warnings(host_state),
    }


def _unmanaged(host_state: HostState) -> Iterator[dict[str, Any]]:
    for volume in host_state.volumes:
        if volume.is_snapshot and parse_member((*volume.tags, *volume.foreign_tags)) is None:
            origin = host_state.origin_of(volume)
            used = volume.data_percent
            yield {
                "vg": volume.vg,
                "snapshot": volume.name,
                "origin": volume.origin,
                "kind": "thick" if volume.is_thick_snapshot else "thin",
                "size": volume.size,
                "used_percent": None if used is None else float(used),
                "state": member_state(origin, volume),
            }


def _group(group: VolumeGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "size": group.extent_count * group.extent_size,
        "free": group.free_extents * group.extent_size,
        "extent_size": group.extent_size,
        "partial": group.partial,
        "exported": group.exported,
        "lock_type": group.lock_type or None,
    }


def _pools(host_state: HostState) -> Iterator[dict[str, Any]]:
    for volume in host_state.volumes:
        if volume.segtype == "thin-pool":
            data, metadata = volume.data_percent, volume.metadata_percent
            yield {
                "vg": volume.vg,
                "pool": volume.name,
                "size": volume.size,
                "data_percent": None if data is None else float(data),
                "metadata_percent": None if metadata is None else float(metadata),
            }


def _coverage(host_state: HostState, found: Filesystem, known: tuple[Instance, ...]) -> dict[str, Any]:
    first = next(iter(found.volumes), None)
    reasons = [found.problem] if found.problem else list(_protection_problems(host_state, found))
    return {
        "mountpoint": found.mountpoint,
        "source": found.source,
        "fstype": found.fstype,
        "mounted": found.mounted,
        "vg": first.vg if first else None,
        "lv": first.name if first else None,
        "kind": first.snapshot_kind if first else None,
        "protectable": not reasons,
        "reason": "; ".join(reasons) or None,
        "system": found.mountpoint in SYSTEM_MOUNTPOINTS,
        "boot": found.mountpoint in BOOT_MOUNTPOINTS,
        "snapsets": [instance.name for instance in known if _protects(instance, found)],
    }


def _protection_problems(host_state: HostState, found: Filesystem) -> Iterator[str]:
    for volume in found.volumes:
        yield from origin_problems(host_state, volume)
    yield from several_problems(host_state, found.volumes)


def _protects(instance: Instance, found: Filesystem) -> bool:
    # An incomplete or invalid snapset, or one that is being rolled back, does not protect against a change made now.
    if instance.unrecoverable or not found.volumes:
        return False
    origins = [member.origin for member in instance.members_in("active", "unknown") if member.origin]
    return stays_behind(found, origins) is None


def _warnings(host_state: HostState) -> list[str]:
    partial = (f"VG {group.name} is partial: a PV is missing" for group in host_state.volume_groups if group.partial)
    unwritable = [
        problem
        for group in host_state.volume_groups
        for problem in (*duplicate_problems(group), *read_only_problems(group))
    ]
    pools = (
        f"thin pool {volume.full_name} is not healthy ({volume.health}): what is written to its volumes may be lost"
        for volume in host_state.volumes
        if volume.segtype == "thin-pool" and volume.health
    )
    origins = [host_state.origin_of(volume) for volume in host_state.volumes if volume.is_thick_snapshot]
    ambiguities = dict.fromkeys(f"snapset {name}: {sentence}" for name, sentence in host_state.ambiguities)
    return [
        *visibility_problems(host_state),
        *ambiguities,
        *kernel_problems(host_state),
        *udev_problems(host_state.host),
        *same_name_problems(host_state, {group.name for group in host_state.volume_groups}),
        *partial,
        *unwritable,
        *pools,
        *prober_warnings(host_state, [origin for origin in dict.fromkeys(origins) if origin is not None]),
        *package_warnings(host_state.host.packages),
    ]
