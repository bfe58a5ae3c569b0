# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module boot_backup, one for each state. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._boot_files.difference import Difference, compare
from .._boot_files.tree import digest_of
from .._errors import Refused
from .._snapset.sizes import format_bytes
from .._snapset.steps import Remove, Retag
from .._snapset.tags import BOOT_RESTORED, boot_seal
from .._steps import StepsPlan
from .backups import is_final, keep_problems, plan_new, removal_problems, restore_problems
from .steps import RestoreBoot, SaveBoot, UndoRestore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .._boot_files.tree import Tree
    from .._snapset.context import BootBackup, SnapsetContext
    from .._steps import Step
    from .observed import BootObserved


def plan_backup(seen: BootObserved, *, state: str, vg: str | None) -> StepsPlan:
    """The steps to ``state``. Raises Refused with every reason why there are none."""
    return _PLANNERS[state](seen, vg)


def shown(seen: BootObserved) -> dict[str, Any]:
    """The backup as it is."""
    now = seen.now
    backup = now.bound or now.unbound or next(iter(now.backups), None)
    if backup is None:
        return _none(now.name)
    found = backup.to_result()
    return {**found, "state": "restoring"} if seen.restoring_of(backup) else found


def _none(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "vg": None, "volume": None, "size": None}


def _refuse(now: SnapsetContext, state: str, problems: Iterable[str]) -> None:
    if found := tuple(problems):
        raise Refused(f"the backup of /boot for {now.name} cannot be {state}", found)


def _present(seen: BootObserved, vg: str | None) -> StepsPlan:
    now = seen.now
    _refuse(now, "present", keep_problems(now))
    if now.bound is not None and now.is_taken:
        steps = _undo(seen, now.bound)
        return StepsPlan(steps, {**shown(seen), "state": "present"} if steps else shown(seen))
    if now.unbound is not None and _holds(seen):
        return StepsPlan((), shown(seen))
    _refuse(now, "present", (*_entry_problems(seen), *_tool_problems(seen)))
    new = plan_new(now, seen.present, vg)
    steps = (
        *([Remove.of(backup.volume for backup in now.backups)] if now.backups else []),
        new.place.step("backup", new.tags.to_tags()),
        SaveBoot(new.place.device, seen.present, new.inodes),
        Retag(purpose="seal", volumes=(new.place.full_name,), add=(boot_seal(digest_of(seen.present)),)),
    )
    place = {"vg": new.place.vg, "volume": new.place.name, "size": new.place.size}
    return StepsPlan(steps, {**_none(now.name), "state": "present", **place})


def _holds(seen: BootObserved) -> bool:
    """Whether the backup is of just what is there."""
    same = bool(seen.kept) and [one.mountpoint for one in seen.kept] == [one.mountpoint for one in seen.present]
    return same and all(compare(was, now) == Difference() for was, now in zip(seen.kept, seen.present))


def _entry_problems(seen: BootObserved) -> Iterator[str]:
    if seen.entries:
        yield (
            f"the boot menu has an entry to look at {', '.join(seen.entries)}, which would come back with a rollback: "
            "take it out first (boot_entry, state: absent)"
        )


def _tool_problems(seen: BootObserved) -> Iterator[str]:
    return (f"the program {tool} is needed and not there: install it" for tool in seen.missing_tools)


def _undo(seen: BootObserved, backup: BootBackup) -> tuple[Step, ...]:
    return tuple(UndoRestore(place, backup.tags.set_id) for place in seen.restoring_of(backup))


def _restored(seen: BootObserved, _vg: str | None) -> StepsPlan:
    now, backup = seen.now, seen.now.bound
    _refuse(now, "restored", restore_problems(now))
    if backup is None or backup.state == "restored":
        return StepsPlan((), shown(seen))
    _refuse(now, "restored", _unreadable_problems(backup))
    _refuse(now, "restored", (problem for tree in seen.kept for problem in _write_problems(seen, tree)))
    present = {tree.mountpoint: tree for tree in seen.present}
    final = is_final(now)
    sites = [
        RestoreBoot(backup.device, backup.tags.set_id, tree, there, compare(tree, there), final)
        for tree in seen.kept
        for there in [present[tree.mountpoint]]
    ]
    _refuse(now, "restored", (problem for site in sites for problem in _site_problems(seen, site)))
    started = seen.restoring_of(backup)
    steps: tuple[Step, ...] = tuple(site for site in sites if _is_needed(site, started))
    if final:
        steps += (Retag(purpose="restored", volumes=(backup.volume.full_name,), add=(BOOT_RESTORED,)),)
    after = {**shown(seen), "state": "restored" if final else "restoring"} if steps else shown(seen)
    return StepsPlan(steps, after, warnings=tuple(warning for site in sites for warning in _left(site)))


def _unreadable_problems(backup: BootBackup) -> Iterator[str]:
    name = backup.volume.full_name
    if not backup.volume.active:
        yield f"{name}, which holds it, is not active: lvchange -ay {name}"


def _write_problems(seen: BootObserved, tree: Tree) -> Iterator[str]:
    room = (seen.rooms or {}).get(tree.mountpoint)
    if room is None:
        yield f"nothing is mounted at {tree.mountpoint}, which was a filesystem of its own: mount it"
    elif room.read_only:
        yield f"{tree.mountpoint} is mounted read-only: mount -o remount,rw {tree.mountpoint}"


def _site_problems(seen: BootObserved, site: RestoreBoot) -> Iterator[str]:
    kept, present, difference = site.kept, site.present, site.difference
    for path in difference.extra:
        if present.entries[path].kind == "mountpoint":
            yield f"something is mounted at {present.absolute(path)}, and nothing was: unmount it"
    free = (seen.rooms or {})[kept.mountpoint].free
    needed = sum(kept.entries[path].room for path in (*difference.missing, *difference.changed))
    if needed > free:
        extra = ", ".join(present.absolute(path) for path in difference.extra)
        yield (
            f"{kept.mountpoint} has {format_bytes(free)} free, and what is to be brought back needs "
            f"{format_bytes(needed)}: make room; what the change has added there: {extra or 'nothing'}"
        )


def _is_needed(site: RestoreBoot, started: Sequence[str]) -> bool:
    difference = site.difference
    differs = difference.missing or difference.changed or site.removed or site.altered
    # At the end our own directory goes as well.
    return bool(differs or (site.final and site.kept.mountpoint in started))


def _left(site: RestoreBoot) -> Iterator[str]:
    if site.difference.left:
        yield (
            f"{site.kept.mountpoint}: GRUB was installed anew since then, and {len(site.difference.left)} of its "
            "modules stay as they are, because those of the backup would not fit what is in the boot sectors"
        )


def _absent(seen: BootObserved, _vg: str | None) -> StepsPlan:
    now = seen.now
    _refuse(now, "absent", (*removal_problems(now), *_unfinished_problems(seen)))
    if not now.backups:
        return StepsPlan((), shown(seen))
    undone = [step for backup in now.backups for step in _undo(seen, backup)]
    return StepsPlan((*undone, Remove.of(backup.volume for backup in now.backups)), _none(now.name))


def _unfinished_problems(seen: BootObserved) -> Iterator[str]:
    if is_final(seen.now) and any(seen.restoring_of(backup) for backup in seen.now.backups):
        yield "the host was rolled back, and /boot only in part: finish that first (state: restored)"


_PLANNERS: Mapping[str, Callable[[BootObserved, str | None], StepsPlan]] = {
    "present": _present,
    "restored": _restored,
    "absent": _absent,
}
