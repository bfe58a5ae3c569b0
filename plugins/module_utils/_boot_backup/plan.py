# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module boot_backup, one for each state. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._boot_files.difference import Difference, compare
from .._boot_files.tree import digest_of
from .._errors import Refused
from .._snapset.sizes import format_bytes
from .._snapset.steps import Remove, Retag, StepsPlan
from .._snapset.tags import BOOT_RESTORED, boot_seal
from .backups import is_rolled_back, plan_new, present_problems, removal_problems, restore_problems
from .steps import RestoreBoot, SaveBoot, UndoRestore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._snapset.context import BootBackup, SnapsetContext
    from .._snapset.steps import Step
    from .observed import BootObserved


def plan_backup(seen: BootObserved, *, state: str, vg: str | None) -> StepsPlan:
    """Return the steps to ``state``. Raises Refused with every reason that prevents it."""
    return _PLANNERS[state](seen, vg)


def backup_view(seen: BootObserved) -> dict[str, Any]:
    """Return the backup as results show it."""
    now = seen.now
    backup = now.bound or now.unbound or next(iter(now.backups), None)
    if backup is None:
        return _absent_backup(now.name)
    found = backup.to_result()
    return {**found, "state": "restoring"} if seen.restoring_of(backup) else found


def _absent_backup(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "vg": None, "volume": None, "size": None}


def _refuse(now: SnapsetContext, state: str, problems: Iterable[str]) -> None:
    if found := tuple(problems):
        raise Refused(f"the backup of /boot for {now.name} cannot be {state}", found)


def _present(seen: BootObserved, vg: str | None) -> StepsPlan:
    now = seen.now
    _refuse(now, "present", present_problems(now))
    if now.bound is not None and now.is_taken:
        steps = _undo(seen, now.bound)
        return StepsPlan(steps, {**backup_view(seen), "state": "present"} if steps else backup_view(seen))
    if now.unbound is not None and _is_up_to_date(seen):
        return StepsPlan((), backup_view(seen))
    _refuse(now, "present", (*_entry_problems(seen), *_tool_problems(seen)))
    new = plan_new(now, seen.present, vg)
    steps = (
        *([Remove.of(backup.volume for backup in now.backups)] if now.backups else []),
        new.place.step("backup", new.tags.to_tags()),
        SaveBoot(new.place.device, seen.present, new.inodes),
        Retag(purpose="seal", volumes=(new.place.full_name,), add=(boot_seal(digest_of(seen.present)),)),
    )
    place = {"vg": new.place.vg, "volume": new.place.name, "size": new.place.size}
    return StepsPlan(steps, {**_absent_backup(now.name), "state": "present", **place})


def _is_up_to_date(seen: BootObserved) -> bool:
    """Whether the backup is identical to the current boot filesystems."""
    same = bool(seen.saved) and [one.mountpoint for one in seen.saved] == [one.mountpoint for one in seen.present]
    return same and all(compare(was, now) == Difference() for was, now in zip(seen.saved, seen.present))


def _entry_problems(seen: BootObserved) -> Iterator[str]:
    if seen.entries:
        yield (
            f"the boot menu has entries for preview boots of {', '.join(seen.entries)}, and a rollback would bring "
            "them back: remove them first (boot_entry, state: absent)"
        )


def _tool_problems(seen: BootObserved) -> Iterator[str]:
    return (f"the program {tool} is missing: install it" for tool in seen.missing_tools)


def _undo(seen: BootObserved, backup: BootBackup) -> tuple[Step, ...]:
    return tuple(UndoRestore(mountpoint, backup.tags.set_id) for mountpoint in seen.restoring_of(backup))


def _restored(seen: BootObserved, _vg: str | None) -> StepsPlan:
    now, backup = seen.now, seen.now.bound
    _refuse(now, "restored", restore_problems(now))
    if backup is None or backup.state == "restored":
        return StepsPlan((), backup_view(seen))
    _refuse(now, "restored", _unreadable_problems(backup))
    _refuse(now, "restored", (problem for tree in seen.saved for problem in _write_problems(seen, tree)))
    present = {tree.mountpoint: tree for tree in seen.present}
    final = is_rolled_back(now)
    sites = [
        RestoreBoot(backup.device, backup.tags.set_id, tree, there, compare(tree, there), final)
        for tree in seen.saved
        for there in [present[tree.mountpoint]]
    ]
    _refuse(now, "restored", (problem for site in sites for problem in _site_problems(seen, site)))
    started = seen.restoring_of(backup)
    steps: tuple[Step, ...] = tuple(site for site in sites if _is_needed(site, started))
    if final:
        steps += (Retag(purpose="restored", volumes=(backup.volume.full_name,), add=(BOOT_RESTORED,)),)
    after = {**backup_view(seen), "state": "restored" if final else "restoring"} if steps else backup_view(seen)
    return StepsPlan(steps, after, warnings=tuple(warning for site in sites for warning in _grub_warnings(site)))


def _unreadable_problems(backup: BootBackup) -> Iterator[str]:
    name = backup.volume.full_name
    if not backup.volume.active:
        yield f"the backup's LV {name} is not active: lvchange -ay {name}"


def _write_problems(seen: BootObserved, tree: Tree) -> Iterator[str]:
    room = (seen.rooms or {}).get(tree.mountpoint)
    if room is None:
        yield f"{tree.mountpoint} was a separate filesystem and is not mounted: mount it"
    elif room.read_only:
        yield f"{tree.mountpoint} is mounted read-only: mount -o remount,rw {tree.mountpoint}"


def _site_problems(seen: BootObserved, site: RestoreBoot) -> Iterator[str]:
    saved, present, difference = site.saved, site.present, site.difference
    for path in difference.extra:
        if present.entries[path].kind == "mountpoint":
            yield f"{present.absolute(path)} is a mountpoint and was not one when /boot was saved: unmount it"
    free = (seen.rooms or {})[saved.mountpoint].free
    needed = sum(saved.entries[path].room for path in (*difference.missing, *difference.changed))
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


def _grub_warnings(site: RestoreBoot) -> Iterator[str]:
    if site.difference.untouched:
        yield (
            f"{site.saved.mountpoint}: GRUB was reinstalled after the backup. {len(site.difference.untouched)} of its "
            "files are not restored, because those of the backup do not fit the new boot sectors"
        )


def _absent(seen: BootObserved, _vg: str | None) -> StepsPlan:
    now = seen.now
    _refuse(now, "absent", (*removal_problems(now), *_unfinished_problems(seen)))
    if not now.backups:
        return StepsPlan((), backup_view(seen))
    undone = [step for backup in now.backups for step in _undo(seen, backup)]
    return StepsPlan((*undone, Remove.of(backup.volume for backup in now.backups)), _absent_backup(now.name))


def _unfinished_problems(seen: BootObserved) -> Iterator[str]:
    if is_rolled_back(seen.now) and any(seen.restoring_of(backup) for backup in seen.now.backups):
        yield (
            "the host was rolled back, but /boot was restored only in part: finish the restoration first "
            "(state: restored)"
        )


_PLANNERS: Mapping[str, Callable[[BootObserved, str | None], StepsPlan]] = {
    "present": _present,
    "restored": _restored,
    "absent": _absent,
}
