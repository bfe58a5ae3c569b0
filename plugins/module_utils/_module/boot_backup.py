# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the module boot_backup works: lock, observe, plan, carry out, result. Private to this collection."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_backup.backups import NewBackup, cannot_keep, cannot_remove, cannot_restore, is_final, plan_new
from .._boot_backup.restore import Site, make_bootable, make_exact, undo, workspace
from .._boot_backup.volume import check_unchanged, write_backup
from .._boot_entry.installed import boot_entries
from .._boot_files.difference import Difference, compare
from .._boot_files.manifest import copies_of, read_manifest
from .._boot_files.scan import scan
from .._boot_files.tree import is_menu
from .._errors import CommandFailed, FilesFailed, SafepointError, sentence_of
from .._host.filesystem import NEEDED_TOOLS, mounted
from .._host.process import missing_tools
from .._names import name_problem, set_name_problem
from .._paths import BOOT_MOUNTPOINTS
from .._snapset.coverage import boot_mounts
from .._snapset.sizes import format_bytes
from .._snapset.steps import Remove, Retag
from .._snapset.tags import BOOT_RESTORED, boot_seal
from .changes import ChangeSession
from .onepass import Run
from .session import check, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._boot_files.tree import Tree
    from .._snapset.context import BootBackup, Situation


class _Run(Run):
    """One run of the module."""

    def __init__(self, module: AnsibleModule, session: ChangeSession) -> None:
        super().__init__(module, session, f"the backup of /boot for {module.params['name']}")
        self.vg: str | None = module.params["vg"]


def run_boot_backup(module: AnsibleModule) -> None:
    """Bring the backup of /boot to what the module's parameters ask for. Ends the module."""
    with open_session(module, ChangeSession) as session:
        name, state, vg = (module.params[key] for key in ("name", "state", "vg"))
        check("name", set_name_problem(name))
        check("vg", None if vg is None else name_problem(vg, "a VG"))
        purpose = f"backup of /boot for {name}"
        session.subject = purpose
        with session.locked(f"{purpose}, state {state}"):
            run = _Run(module, session)
            with run.file_errors():
                _STATES[state](run)
            now = run.look() if run.planned and not run.predicts else run.now
        session.end(
            changed=bool(run.planned),
            boot_backup=_predicted(run) if run.predicts else _view(now),
            planned=run.planned,
            commands=[] if run.predicts else session.lvm.commands,
        )


def _present(run: _Run) -> None:
    run.refuse_for(cannot_keep(run.now))
    if run.now.bound is not None and run.now.is_taken:
        _undo(run, run.now.bound)
        return
    trees = tuple(
        scan(Path(mount.mountpoint), mountpoint=mount.mountpoint, fstype=mount.fstype)
        for mount in boot_mounts(run.now.picture)
    )
    kept = run.now.unbound
    if kept is None or not _holds(kept, trees):
        run.refuse_for(_entries_in_menu())
        _make(run, trees)


def _entries_in_menu() -> Iterator[str]:
    names = ", ".join(entry["name"] for entry in boot_entries()[0])
    if names:
        yield (
            f"the boot menu has an entry to look at {names}, which would come back with a rollback: take it out first "
            "(boot_entry, state: absent)"
        )


def _undo(run: _Run, backup: BootBackup) -> None:
    for place in _workspaces(backup):
        run.work("undo_restore", partial(undo, place), mountpoint=str(place.parent))


def _workspaces(backup: BootBackup) -> list[Path]:
    # The ESP lies in /boot, so the deeper one first.
    places = (workspace(mountpoint, backup.tags.set_id) for mountpoint in sorted(BOOT_MOUNTPOINTS, reverse=True))
    return [place for place in places if place.is_dir()]


def _holds(backup: BootBackup, trees: Sequence[Tree]) -> bool:
    """Whether a backup is of just what is there."""
    if not backup.volume.active:
        return False
    with mounted(backup.device) as place:
        kept = read_manifest(place, backup.tags.manifest)
    same = [one.mountpoint for one in kept] == [one.mountpoint for one in trees]
    return same and all(compare(was, now) == Difference() for was, now in zip(kept, trees))


def _make(run: _Run, trees: Sequence[Tree]) -> None:
    new = plan_new(run.now, trees, run.vg)
    run.refuse_for(f"the program {tool} is needed and not there: install it" for tool in missing_tools(NEEDED_TOOLS))
    if run.now.backups:
        run.lvm(Remove.of(backup.volume for backup in run.now.backups))
    run.lvm(new.place.step("backup", new.tags.to_tags()))
    try:
        manifest = run.work(
            "save",
            lambda: _save(trees, new),
            mountpoints=[tree.mountpoint for tree in trees],
            files=sum(tree.files for tree in trees),
            bytes=sum(tree.size for tree in trees),
        )
        run.lvm(Retag(purpose="seal", volumes=(new.place.full_name,), add=(boot_seal(manifest or ""),)))
    except (SafepointError, OSError) as error:
        raise _undone(run, new, error) from error


def _save(trees: Sequence[Tree], new: NewBackup) -> str:
    manifest = write_backup(new.place.device, trees, inodes=new.inodes)
    check_unchanged(trees)
    return manifest


def _undone(run: _Run, new: NewBackup, error: SafepointError | OSError) -> FilesFailed:
    """The error of a backup that could not be made, with what was done about its LV."""
    told = sentence_of(error)
    replaced = bool(run.now.backups)
    made = run.look().picture.volume(new.place.vg, new.place.name)
    if made is None:
        return FilesFailed(f"{told}; {new.place.full_name} is gone", changed=replaced)
    try:
        run.lvm(Remove.of([made]))
    except CommandFailed as failed:
        return FilesFailed(f"{told}; {made.full_name} is left, to be removed by hand: {failed.message}", changed=True)
    return FilesFailed(f"{told}; {made.full_name}, which was made for it, was removed again", changed=replaced)


def _restored(run: _Run) -> None:
    run.refuse_for(cannot_restore(run.now))
    backup = run.now.bound
    if backup is None or backup.state == "restored":
        return
    run.refuse_for(_not_readable(backup))
    with mounted(backup.device) as place:
        kept = read_manifest(place, backup.tags.manifest)
        run.refuse_for(problem for tree in kept for problem in _not_writable(run.now, tree))
        sites = [Site(tree, copies_of(place, tree), workspace(tree.mountpoint, backup.tags.set_id)) for tree in kept]
        found = [(site, compare(site.kept, present), present) for site in sites for present in [site.present()]]
        run.refuse_for(problem for site, difference, present in found for problem in _no_way(site, difference, present))
        for site, difference, _present_tree in found:
            _bring_back(run, site, difference)
    if is_final(run.now):
        run.lvm(Retag(purpose="restored", volumes=(backup.volume.full_name,), add=(BOOT_RESTORED,)))


def _not_readable(backup: BootBackup) -> Iterator[str]:
    name = backup.volume.full_name
    if not backup.volume.active:
        yield f"{name}, which holds it, is not active: lvchange -ay {name}"


def _not_writable(now: Situation, tree: Tree) -> Iterator[str]:
    if tree.mountpoint not in {mount.mountpoint for mount in boot_mounts(now.picture)}:
        yield f"nothing is mounted at {tree.mountpoint}, which was a filesystem of its own: mount it"
    elif os.statvfs(tree.mountpoint).f_flag & os.ST_RDONLY:
        yield f"{tree.mountpoint} is mounted read-only: mount -o remount,rw {tree.mountpoint}"


def _no_way(site: Site, difference: Difference, present: Tree) -> Iterator[str]:
    top = site.kept.mountpoint
    for path in difference.extra:
        if present.entries[path].kind == "mountpoint":
            yield f"something is mounted at {present.absolute(path)}, and nothing was: unmount it"
    numbers = os.statvfs(top)
    room = numbers.f_bfree * numbers.f_frsize
    needed = sum(site.kept.entries[path].room for path in (*difference.missing, *difference.changed))
    if needed > room:
        extra = ", ".join(present.absolute(path) for path in difference.extra)
        yield (
            f"{top} has {format_bytes(room)} free, and what is to be brought back needs {format_bytes(needed)}: make "
            f"room; what the change has added there: {extra or 'nothing'}"
        )


def _bring_back(run: _Run, site: Site, difference: Difference) -> None:
    final = is_final(run.now)
    if difference.left:
        run.warn(
            f"{site.kept.mountpoint}: GRUB was installed anew since then, and {len(difference.left)} of its modules "
            "stay as they are, because those of the backup would not fit what is in the boot sectors"
        )
    aside = difference.extra if final else tuple(filter(is_menu, difference.extra))
    altered = difference.altered if final else ()
    if not (difference.missing or difference.changed or aside or altered or (final and site.work.exists())):
        return
    run.work(
        "restore",
        lambda: _carry_out(site, difference, final=final),
        mountpoint=site.kept.mountpoint,
        added=list(difference.missing),
        replaced=list(difference.changed),
        removed=list(aside),
        altered=list(altered),
    )


def _carry_out(site: Site, difference: Difference, *, final: bool) -> None:
    (make_exact if final else make_bootable)(site, difference)
    now = compare(site.kept, site.present())
    wrong = (*now.missing, *now.changed, *((*now.altered, *now.extra) if final else ()))
    if wrong:
        raise FilesFailed(
            f"{site.kept.mountpoint} was brought back, and yet these are not as in the backup: {', '.join(wrong)}; "
            "somebody else writes there: run this again",
            changed=True,
        )


def _absent(run: _Run) -> None:
    run.refuse_for(cannot_remove(run.now))
    for backup in run.now.backups:
        if is_final(run.now) and _workspaces(backup):
            run.refuse_for(["the host was rolled back, and /boot only in part: finish that first (state: restored)"])
        _undo(run, backup)
    if run.now.backups:
        run.lvm(Remove.of(backup.volume for backup in run.now.backups))


_STATES: Mapping[str, Callable[[_Run], None]] = {"present": _present, "restored": _restored, "absent": _absent}


def _view(now: Situation) -> dict[str, Any]:
    backup = now.bound or now.unbound or next(iter(now.backups), None)
    if backup is None:
        return _none(now.name)
    shown = backup.to_result()
    return {**shown, "state": "restoring"} if _workspaces(backup) else shown


def _none(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "vg": None, "volume": None, "size": None}


def _predicted(run: _Run) -> dict[str, Any]:
    """The backup as it would be, without what only the real run can know."""
    if not run.planned:
        return _view(run.now)
    if run.state == "absent":
        return _none(run.name)
    made = next((step for step in run.planned if step["step"] == "create_backup"), None)
    if made is not None:
        return {**_none(run.name), "state": "present", **{key: made[key] for key in ("vg", "volume", "size")}}
    final = "restored" if is_final(run.now) else "restoring"
    return {**_view(run.now), "state": final if run.state == "restored" else "present"}
