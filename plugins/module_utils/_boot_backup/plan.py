# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module boot_backup, one for each state. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._boot_files.difference import changes_since, compare
from .._boot_files.firmware import may_refuse, variables_to_write
from .._boot_files.rule import spelled_as
from .._boot_files.tree import digest_of, workspace
from .._errors import Refused
from .._snapset.coverage import boot_mounts, unsaved_problems
from .._snapset.foreign import foreign_problems
from .._snapset.sizes import format_bytes
from .._snapset.steps import Retag, removal_of
from .._snapset.tags import BOOT_RESTORED, boot_seal
from .._snapset.volumes import is_encrypted
from .._steps import StepsPlan
from .backups import is_rolled_back, plan_new, present_problems, removal_problems, restore_problems, undo_problems
from .loaders import loader_problems
from .steps import HoldBoot, ReleaseBoot, RestoreBoot, RestoreFirmware, SaveBoot, UndoRestore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._snapset.context import BootBackup, SnapsetContext
    from .._steps import Step
    from .observed import BootObserved


_REFUSALS = {
    "present": "cannot save /boot for",
    "restored": "cannot restore /boot for",
    "absent": "cannot remove the backup of /boot for",
}


def refusal(name: str, state: str) -> str:
    """Return how the message begins when the request for the snapset ``name`` is refused."""
    return f"{_REFUSALS[state]} {name}"


def plan_backup(observed: BootObserved, *, state: str, vg: str | None) -> StepsPlan:
    """Return the steps to ``state``. Raises Refused with every reason that prevents it."""
    return _PLANNERS[state](observed, vg)


def backup_view(observed: BootObserved) -> dict[str, Any]:
    """Return the backup as results show it."""
    context = observed.context
    backup = context.bound or context.unbound or next(iter(context.backups), None)
    if backup is None:
        return _absent_backup(context.name)
    found = backup.to_result()
    return {**found, "state": "restoring"} if observed.restoring_of(backup) or observed.held_for(backup) else found


def _absent_backup(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "vg": None, "volume": None, "size": None}


def _refuse(context: SnapsetContext, state: str, problems: Iterable[str]) -> None:
    if found := tuple(problems):
        raise Refused(refusal(context.name, state), found)


def _present(observed: BootObserved, vg: str | None) -> StepsPlan:
    context = observed.context
    prevented = (
        undo_problems(context) if observed.request.only_undo else present_problems(context, observed.request.ignore)
    )
    _refuse(context, "present", prevented)
    if observed.request.only_undo and context.bound is None:
        return StepsPlan((), backup_view(observed))
    if context.bound is not None and context.is_taken:
        steps = _undo(observed, context.bound)
        return StepsPlan(steps, {**backup_view(observed), "state": "present"} if steps else backup_view(observed))
    if context.unbound is not None and _is_up_to_date(observed):
        return StepsPlan((), backup_view(observed))
    unsaved = unsaved_problems(observed.host_state, observed.request.ignore)
    loaders = loader_problems(observed.present, observed.machine)
    _refuse(context, "present", (*unsaved, *_entry_problems(observed), *_tool_problems(observed), *loaders))
    new = plan_new(context, observed.present, vg)
    _refuse(context, "present", _secret_problems(observed, new.place.vg))
    digest = digest_of(observed.present, observed.firmware)
    steps = (
        *removal_of([backup.volume for backup in context.backups]),
        new.place.step("backup", new.tags.to_tags()),
        SaveBoot(new.place.device, observed.present, observed.firmware, new.inodes),
        Retag(purpose="seal", volumes=(new.place.full_name,), add=(boot_seal(digest),)),
    )
    place = {"vg": new.place.vg, "volume": new.place.name, "size": new.place.size}
    return StepsPlan(steps, {**_absent_backup(context.name), "state": "present", **place})


def _secret_problems(observed: BootObserved, vg: str) -> Iterator[str]:
    """Why the backup would store in ``vg`` in plain text what is encrypted, or what opens encrypted devices."""
    host_state = observed.host_state
    if observed.request.allow_unencrypted or is_encrypted(host_state, vg):
        return
    advice = f"VG {vg} is not: choose an encrypted VG (vg), or accept that with allow_unencrypted: true"
    for mount in boot_mounts(host_state, observed.request.ignore):
        if host_state.host.encrypted_below(mount.devices):
            yield f"{mount.mountpoint} is encrypted, but {advice}"
    if observed.keys:
        yield (
            f"the initramfs of {', '.join(observed.keys)} contains a key file of an encrypted device, and must be "
            f"copied to an encrypted VG, but {advice}"
        )


def _is_up_to_date(observed: BootObserved) -> bool:
    """Whether the backup is identical to the current boot filesystems."""
    saved = observed.saved
    return bool(saved.trees) and not any(changes_since(saved, observed.present, observed.firmware))


def _entry_problems(observed: BootObserved) -> Iterator[str]:
    if observed.entries:
        yield (
            f"the boot menu has entries for preview boots of {', '.join(observed.entries)}, and a rollback would bring "
            "them back: remove them first (boot_entry, state: absent)"
        )


def _tool_problems(observed: BootObserved) -> Iterator[str]:
    return (f"the program {tool} is missing: install it" for tool in observed.missing_tools)


def _undo(observed: BootObserved, backup: BootBackup) -> tuple[Step, ...]:
    undone = (UndoRestore(mountpoint, backup.tags.set_id) for mountpoint in observed.restoring_of(backup))
    return (*_release(observed, backup), *undone)


def _release(observed: BootObserved, backup: BootBackup) -> tuple[Step, ...]:
    held = observed.held_for(backup)
    return (ReleaseBoot(held),) if held else ()


def _restored(observed: BootObserved, _vg: str | None) -> StepsPlan:
    context, backup = observed.context, observed.context.bound
    _refuse(context, "restored", restore_problems(context))
    if backup is None or backup.state == "restored":
        return StepsPlan((), backup_view(observed))
    _refuse(context, "restored", _unreadable_problems(backup))
    saved = observed.saved.trees
    _refuse(context, "restored", (problem for tree in saved for problem in _write_problems(observed, tree, backup)))
    final = is_rolled_back(context)
    refused = may_refuse(observed.saved.firmware, observed.firmware)
    sites = _sites(observed, backup, final=final, refused=refused)
    _refuse(context, "restored", (problem for site in sites for problem in _site_problems(observed, site)))
    steps = _restore_steps(observed, backup, sites, final=final, refused=refused)
    if final:
        steps += (Retag(purpose="restored", volumes=(backup.volume.full_name,), add=(BOOT_RESTORED,)),)
    after = {**backup_view(observed), "state": "restored" if final else "restoring"} if steps else backup_view(observed)
    return StepsPlan(steps, after, warnings=tuple(warning for site in sites for warning in _left_warnings(site)))


def _sites(observed: BootObserved, backup: BootBackup, *, final: bool, refused: bool) -> list[RestoreBoot]:
    present = {tree.mountpoint: tree for tree in observed.present}
    sites = []
    for tree in observed.saved.trees:
        now = spelled_as(present[tree.mountpoint], tree)
        found = compare(tree, now, refused=refused)
        sites.append(RestoreBoot(backup.device, backup.tags.set_id, tree, now, found, final, refused))
    return sites


def _restore_steps(
    observed: BootObserved, backup: BootBackup, sites: Sequence[RestoreBoot], *, final: bool, refused: bool
) -> tuple[Step, ...]:
    """The steps that restore files and variables of the firmware, and leave nobody time to change them again."""
    started, set_id = observed.restoring_of(backup), backup.tags.set_id
    restored: list[Step] = [site for site in sites if _is_needed(site, started)]
    # With loaders that stay as they are, the boot entries that start them stay too.
    after = {} if refused else variables_to_write(observed.saved.firmware, observed.firmware)
    if after:
        place = None if final else workspace(sites[0].saved.mountpoint, set_id)
        restored.append(RestoreFirmware(observed.firmware.variables, after, place))
    trees = tuple(site.saved for site in sites)
    is_held = set(observed.held_for(backup)) >= {tree.mountpoint for tree in trees}
    if final:
        return (*_release(observed, backup), *restored)
    if not restored and is_held:
        return ()
    return (*_release(observed, backup), *restored, HoldBoot(trees, set_id, refused))


def _unreadable_problems(backup: BootBackup) -> Iterator[str]:
    name = backup.volume.full_name
    if not backup.volume.active:
        yield f"the backup's LV {name} is not active: lvchange -ay {name}"


def _write_problems(observed: BootObserved, tree: Tree, backup: BootBackup) -> Iterator[str]:
    room = (observed.rooms or {}).get(tree.mountpoint)
    if room is None:
        yield f"{tree.mountpoint} was a separate filesystem and is not mounted: mount it"
    elif room.read_only and tree.mountpoint not in observed.held_for(backup):
        yield f"{tree.mountpoint} is mounted read-only: mount -o remount,rw {tree.mountpoint}"


def _site_problems(observed: BootObserved, site: RestoreBoot) -> Iterator[str]:
    saved, present, difference = site.saved, site.present, site.difference
    for path in difference.extra:
        if present.entries[path].kind == "mountpoint":
            yield f"{present.absolute(path)} is a mountpoint and was not one when /boot was saved: unmount it"
    room = (observed.rooms or {})[saved.mountpoint]
    free = room.free
    needed = sum(saved.entries[path].room(room.block) for path in (*difference.missing, *difference.changed))
    if needed > free:
        extra = ", ".join(present.absolute(path) for path in difference.extra)
        yield (
            f"{saved.mountpoint} has {format_bytes(free)} free, and restoring it needs {format_bytes(needed)}: delete "
            f"files there; the change has added: {extra or 'nothing'}"
        )


def _is_needed(site: RestoreBoot, started: Sequence[str]) -> bool:
    difference = site.difference
    differs = difference.missing or difference.changed or site.removed or site.altered
    # The last restoration also removes the workspace.
    return bool(differs or (site.final and site.saved.mountpoint in started))


def _left_warnings(site: RestoreBoot) -> Iterator[str]:
    count = len(site.difference.untouched)
    if count and site.refused:
        yield (
            f"{site.saved.mountpoint}: since the backup was made, Secure Boot revokes more programs (SbatLevel, dbx or "
            f"MokListX has changed), and the firmware may refuse the saved boot loaders. {count} files stay as they "
            "are, and so do the boot entries of the firmware"
        )
    elif count:
        yield (
            f"{site.saved.mountpoint}: the boot loader was installed again after the backup. {count} of its files are "
            "not restored, because those of the backup do not fit the new boot sectors"
        )


def _absent(observed: BootObserved, _vg: str | None) -> StepsPlan:
    context = observed.context
    _refuse(context, "absent", (*removal_problems(context), *_unfinished_problems(observed)))
    if not context.backups:
        left_alone = foreign_problems(context.host_state, context.name, kind="boot")
        return StepsPlan((), backup_view(observed), tuple(left_alone))
    undone = [step for backup in context.backups for step in _undo(observed, backup)]
    removal = removal_of([backup.volume for backup in context.backups])
    return StepsPlan((*undone, *removal), _absent_backup(context.name))


def _unfinished_problems(observed: BootObserved) -> Iterator[str]:
    if is_rolled_back(observed.context) and any(observed.restoring_of(backup) for backup in observed.context.backups):
        yield (
            "the host was rolled back, but /boot was restored only in part: finish the restoration first "
            "(state: restored)"
        )


_PLANNERS: Mapping[str, Callable[[BootObserved, str | None], StepsPlan]] = {
    "present": _present,
    "restored": _restored,
    "absent": _absent,
}
