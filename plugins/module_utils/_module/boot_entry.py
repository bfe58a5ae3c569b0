# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the module boot_entry works: lock, observe, plan, carry out, result. Private to this collection."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_entry.checks import cannot_be_looked_at, grub_problems
from .._boot_entry.entries import kernels_in, look_digest, shown
from .._boot_entry.files import (
    NewEntry,
    add_to_menu,
    bls_path,
    choose_once,
    is_intact,
    menu_path,
    remove_files,
    take_back_choice,
    take_from_custom,
    write_files,
)
from .._boot_entry.grub import entry_id
from .._boot_entry.image import kind_of, look_image
from .._boot_entry.installed import BOOT, GRUB_EDITORS, HOME, entries, grub_editor, read_grub
from .._boot_entry.menu import INITRAMFS, KERNEL, LOOK, without_entry
from .._boot_files.manifest import copies_of, read_manifest
from .._errors import FilesFailed, Refused, SafepointError, sentence_of
from .._host.boot import list_initramfs
from .._host.filesystem import mounted
from .._names import set_name_problem
from .._snapset.sizes import format_bytes
from .changes import ChangeSession
from .onepass import Run
from .session import check, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._boot_entry.entries import Kernel
    from .._boot_entry.grub import Grub
    from .._boot_entry.installed import Found
    from .._boot_files.tree import Tree
    from .._model import Mount, Picture
    from .._snapset.context import BootBackup
    from .._snapset.state import Taking

# For the menu, the record, and what a filesystem takes for itself.
_MARGIN = 4 * 1024 * 1024


class _Run(Run):
    """One run of the module."""

    def __init__(self, module: AnsibleModule, session: ChangeSession) -> None:
        super().__init__(module, session, f"the boot entry of {module.params['name']}")
        self.kernel: str | None = module.params["kernel"]
        self.next_boot: bool = module.params["next_boot"]
        self.grub: Grub | None = None


def run_boot_entry(module: AnsibleModule) -> None:
    """Bring the boot entry to what the module's parameters ask for. Ends the module."""
    with open_session(module, ChangeSession) as session:
        name, state = (module.params[key] for key in ("name", "state"))
        check("name", set_name_problem(name))
        session.subject = f"boot entry of {name}"
        with session.locked(f"{session.subject}, state {state}"):
            run = _Run(module, session)
            with run.file_errors():
                run.grub = read_grub()
                (_present if state == "present" else _absent)(run)
                if not run.predicts:
                    run.grub = read_grub()
        session.end(
            changed=bool(run.planned),
            boot_entry=_predicted(run) if run.predicts and run.planned else _view(run),
            planned=run.planned,
            commands=[] if run.predicts else session.lvm.commands,
        )


def _mine(run: _Run) -> Found | None:
    """The entry of the set, as it is or of an earlier taking."""
    found = [one for one in entries() if one.name == run.name]
    return next((one for one in found if one.set_id == run.now.set_id), next(iter(found), None))


def _present(run: _Run) -> None:
    run.refuse_for(_cannot_be_made(run))
    taking, backup, grub = run.now.taking, run.now.bound, run.grub
    if taking is None or backup is None or grub is None:
        return  # Refused above.
    chosen = grub.chosen == entry_id(taking.set_id)
    if not _is_whole(run, taking, grub):
        _make(run, taking, backup, grub)
        chosen = False
    if run.next_boot and not chosen:
        entry = entry_id(taking.set_id)
        run.work("choose_for_next_boot", partial(choose_once, grub, entry), entry=entry)


def _cannot_be_made(run: _Run) -> Iterator[str]:
    yield from cannot_be_looked_at(run.now)
    yield from grub_problems(run.grub, run.now.picture, _environment_mount(run.now.picture, run.grub))
    if run.now.picture.host.mount_at(str(BOOT)) is None:
        yield f"{BOOT} is no filesystem of its own: GRUB could not find the files of the entry"
    elif os.statvfs(BOOT).f_flag & os.ST_RDONLY:
        yield f"{BOOT} is mounted read-only: mount -o remount,rw {BOOT}"
    others = run.grub.chosen if run.grub and run.next_boot else ""
    if others and not _is_own(run, others):
        yield (
            f"somebody has chosen {others!r} for the next boot: boot it, or take that back "
            f"({grub_editor()} {run.grub.environment_path if run.grub else ''} unset next_entry)"
        )
    if not grub_editor():
        yield f"neither {' nor '.join(GRUB_EDITORS)} is there: install GRUB's tools"


def _environment_mount(picture: Picture, grub: Grub | None) -> Mount | None:
    """The filesystem on which GRUB's environment block lies; the block may be a link into the ESP."""
    if grub is None:
        return None
    place = os.path.realpath(grub.environment_path)
    parents = (str(parent) for parent in Path(place).parents)
    return next((mount for parent in parents if (mount := picture.host.mount_at(parent)) is not None), None)


def _is_whole(run: _Run, taking: Taking, grub: Grub) -> bool:
    """Whether the entry is there, in the menu, with its files as they were made, and shows what is asked for."""
    found = _mine(run)
    if found is None or found.set_id != taking.set_id or found.sums is None:
        return False
    name = entry_id(taking.set_id)
    in_menu = name in grub.custom and (grub.entries is None or name in grub.entries)
    as_wanted = run.kernel in (None, found.kernel) and found.look == look_digest(shown(run.now.picture, taking))
    return in_menu and as_wanted and is_intact(found)


def _make(run: _Run, taking: Taking, backup: BootBackup, grub: Grub) -> None:
    """Copy what is booted from the backup, and put the entry into the menu when all of it is there."""
    with mounted(backup.device) as place:
        tree = _boot_tree(read_manifest(place, backup.tags.manifest))
        new = _new_entry(run, taking, _chosen_kernel(run, tree), copies_of(place, tree))
        run.refuse_for(_no_room(run, new))
        _remove(run)
        picture, home, kernel = run.now.picture, HOME / taking.set_id, new.kernel.version
        try:
            run.work("write_entry", partial(write_files, picture, new), directory=str(home), kernel=kernel)
            run.work("add_to_menu", partial(add_to_menu, picture, new, grub), menu=menu_path(grub, taking.set_id))
        except (SafepointError, OSError) as error:
            raise _undone(run, error) from error


def _boot_tree(trees: Sequence[Tree]) -> Tree:
    tree = next((tree for tree in trees if tree.mountpoint == str(BOOT)), None)
    if tree is None:
        raise Refused("the boot entry cannot be present", [f"{BOOT} is not in the backup of /boot: its kernel is on /"])
    return tree


def _chosen_kernel(run: _Run, tree: Tree) -> Kernel:
    kernels = kernels_in(tree)
    wanted = [kernel for kernel in kernels if run.kernel in (None, kernel.version)]
    if not wanted:
        known = ", ".join(kernel.version for kernel in kernels) or "none"
        asked = f"kernel {run.kernel}" if run.kernel else "no kernel with an initramfs"
        run.refuse_for([f"{asked} is not in the backup of /boot; those that are: {known}"])
    return wanted[-1]


def _new_entry(run: _Run, taking: Taking, kernel: Kernel, copies: Path) -> NewEntry:
    found = kind_of(list_initramfs(str(copies / kernel.initramfs)) or ())
    if found is None:
        raise Refused(
            f"the boot entry of {run.name} cannot be present",
            [f"{kernel.initramfs} is none of initramfs-tools or dracut that lsinitramfs or lsinitrd lists"],
        )
    kind, scripts = found
    image = look_image(kind, scripts, shown=shown(run.now.picture, taking), name=run.name, set_id=taking.set_id)
    files: dict[str, Path | bytes] = {KERNEL: copies / kernel.kernel, INITRAMFS: copies / kernel.initramfs, LOOK: image}
    return NewEntry(taking, kernel, kind, files)


def _no_room(run: _Run, new: NewEntry) -> Iterator[str]:
    needed = new.size + _MARGIN
    numbers = os.statvfs(BOOT)
    # What an earlier entry takes goes before.
    going = sum(path.stat().st_size for one in entries() if one.name == run.name for path in one.place.iterdir())
    free = numbers.f_bavail * numbers.f_frsize + going
    if free < needed:
        yield (
            f"{BOOT} has {format_bytes(free)} free, and the entry needs {format_bytes(needed)} for a kernel and an "
            "initramfs: make room"
        )


def _undone(run: _Run, error: SafepointError | OSError) -> FilesFailed:
    """The error of an entry that could not be made, with what was done about what had been made."""
    told = sentence_of(error)
    replaced = any(step["step"] == "remove_files" for step in run.planned)
    try:
        _remove(run)
    except (SafepointError, OSError) as failed:
        return FilesFailed(f"{told}; what was made for it is left in {HOME}, because of: {failed}", changed=True)
    return FilesFailed(f"{told}; what was made for it was removed again", changed=replaced)


def _absent(run: _Run) -> None:
    _remove(run)


def _remove(run: _Run) -> None:
    """Remove every entry of the set, and what interrupted runs have left: the choice first, the files at the end."""
    grub = read_grub()
    if grub is not None and _is_own(run, grub.chosen):
        run.work("take_back_choice", partial(take_back_choice, grub), entry=grub.chosen)
    for set_id in sorted(_own_set_ids(run)):
        _take_from_menu(run, set_id, grub)
    for one in _own(run):
        run.work("remove_files", partial(remove_files, one.place), directory=str(one.place))


def _own(run: _Run) -> list[Found]:
    """The entries of the set, of whatever taking, and what interrupted runs have left."""
    return [one for one in entries() if one.name in (run.name, "") or one.set_id == run.now.set_id]


def _own_set_ids(run: _Run) -> set[str]:
    """The ids of their takings, and of the set as it is, of which only a part may be there."""
    return {set_id for set_id in (*(one.set_id for one in _own(run)), run.now.set_id) if set_id}


def _is_own(run: _Run, chosen: str) -> bool:
    return chosen in {entry_id(set_id) for set_id in _own_set_ids(run)}


def _take_from_menu(run: _Run, set_id: str, grub: Grub | None) -> None:
    if grub is not None and without_entry(grub.custom, set_id) != grub.custom:
        run.work("take_from_menu", partial(take_from_custom, Path(grub.custom_path), set_id), menu=grub.custom_path)
    file = bls_path(set_id)
    if file.exists():
        run.work("take_from_menu", file.unlink, menu=str(file))


def _view(run: _Run) -> dict[str, Any]:
    found = _mine(run)
    return _none(run.name) if found is None or found.sums is None else found.to_result(run.grub)


def _none(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "kernel": None, "next_boot": False}


def _predicted(run: _Run) -> dict[str, Any]:
    """The entry as it would be."""
    if run.state == "absent":
        return _none(run.name)
    now = _view(run)
    made = next((step for step in run.planned if step["step"] == "write_entry"), None)
    if made is not None:
        now = {**now, "id": run.now.set_id or None, "kernel": made["kernel"]}
    return {**now, "state": "present", "next_boot": run.next_boot or (made is None and now["next_boot"])}
