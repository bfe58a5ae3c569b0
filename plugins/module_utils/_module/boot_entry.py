# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of the module boot_entry: lock, observe, plan, carry out, result. Private to this collection."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_entry.entries import (
    DIRECTORY,
    INITRAMFS,
    KERNEL,
    LOOK,
    Grub,
    Kernel,
    bls_entry,
    cannot_be_looked_at,
    custom_part,
    entry_id,
    grub_problems,
    kernel_arguments,
    kernels_in,
    menu_entry,
    parse_environment,
    shown,
    with_part,
    without_entry,
)
from .._boot_backup.restore import sync, write_whole
from .._boot_backup.volume import copies_of, read_manifest
from .._errors import (
    FilesFailed,
    Refused,
    SafepointError,
    sentence_of,
)
from .._host.filesystem import find_tool, mounted, run_tool
from .._host.facts import lasting_name, list_initramfs
from .._boot_entry.image import kind_of, look_image
from .._model import LOOK_MARK
from .session import check, open_session
from .._names import device_path, set_name_problem
from .._snapset.checks import look_problems
from .onepass import Run
from .._snapset.selection import mount_at
from .._snapset.sizes import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._boot_backup.backups import BootBackup
    from .._boot_entry.entries import InitramfsKind
    from .._boot_files.tree import Tree
    from .._model import Mount, Picture
    from .session import Session
    from .._snapset.state import Taking

BOOT = Path("/boot")
_HOME = BOOT / DIRECTORY
_BLS = BOOT / "loader" / "entries"
_RECORD = "entry.json"
_FORMAT = 1
_GRUB_PLACES = ("/boot/grub", "/boot/grub2")
# Where EL 8 with UEFI has its menu.
_GRUB_OF_ESP = "efi/EFI/*/grub.cfg"
_EDITORS = ("grub-editenv", "grub2-editenv")
# For the menu, the record, and what a filesystem takes for itself.
_MARGIN = 4 * 1024 * 1024


@dataclass(frozen=True)
class _Found:
    """An entry by its directory; ``kernel`` is its version, ``sums`` the SHA-256 of its files by name.

    Without a record, which comes last, it is what an interrupted run has left.
    """

    place: Path
    name: str = ""
    kernel: str = ""
    look: str = ""
    sums: Mapping[str, str] | None = None

    @property
    def set_id(self) -> str:
        """The id of the taking that it is for."""
        return self.place.name


@dataclass(frozen=True)
class _Wanted:
    """An entry that is to be made; ``files`` by name: what each is copied from, or its content."""

    taking: Taking
    kernel: Kernel
    kind: InitramfsKind
    files: Mapping[str, Path | bytes]


class _Run(Run):
    """One run of the module."""

    def __init__(self, module: AnsibleModule, session: Session) -> None:
        super().__init__(module, session, f"the boot entry of {module.params['name']}")
        self.kernel: str | None = module.params["kernel"]
        self.next_boot: bool = module.params["next_boot"]
        self.grub: Grub | None = None


def run_boot_entry(module: AnsibleModule) -> None:
    """Bring the boot entry to what the module's parameters ask for. Ends the module."""
    with open_session(module) as session:
        name, state = (module.params[key] for key in ("name", "state"))
        check("name", set_name_problem(name))
        session.subject = f"boot entry of {name}"
        with session.locked(f"{session.subject}, state {state}"):
            run = _Run(module, session)
            with run.file_errors():
                run.grub = _read_grub()
                (_present if state == "present" else _absent)(run)
                if not run.predicts:
                    run.grub = _read_grub()
        session.end(
            changed=bool(run.planned),
            boot_entry=_predicted(run) if run.predicts and run.planned else _view(run.name, _mine(run), run.grub),
            planned=run.planned,
            commands=[] if run.predicts else session.lvm.commands,
        )


def boot_entries() -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of the host as results show them, and why they could not be read."""
    try:
        grub = _read_grub()
        return [_view(one.name, one, grub) for one in _entries() if one.sums is not None], []
    except (SafepointError, OSError) as error:
        return [], [f"the boot entries could not be read: {error}"]


def booted_from() -> dict[str, str] | None:
    """The set that the host shows instead of itself, by ``name`` and ``id``; None while it is itself."""
    try:
        name, _blank, set_id = (Path(LOOK_MARK) / "set").read_text(encoding="ascii").strip().partition(" ")
    except FileNotFoundError:
        return None
    return {"name": name, "id": set_id}


def _read_grub() -> Grub | None:
    for place in (*map(Path, _GRUB_PLACES), *(path.parent for path in sorted(BOOT.glob(_GRUB_OF_ESP)))):
        menu = _text(place / "grub.cfg")
        if menu:
            environment = place / "grubenv"
            listed = run_tool(_editor(), str(environment), "list") if environment.exists() and _editor() else ""
            reads_bls = any(line.strip() == "blscfg" for line in menu.splitlines()) and _BLS.is_dir()
            return Grub(
                directory=str(place),
                menu=menu,
                environment=parse_environment(listed.splitlines()),
                custom=_text(place / "custom.cfg"),
                entries=tuple(sorted(path.stem for path in _BLS.glob("*.conf"))) if reads_bls else None,
            )
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _editor() -> str:
    return next((name for name in _EDITORS if find_tool(name)), "")


def _entries() -> list[_Found]:
    places = sorted(_HOME.iterdir()) if _HOME.is_dir() else []
    return [_read_entry(place) for place in places if place.is_dir() and not place.is_symlink()]


def _read_entry(place: Path) -> _Found:
    text = _text(place / _RECORD)
    with suppress(ValueError, KeyError, TypeError):
        record = json.loads(text)
        if record["format"] == _FORMAT:
            return _Found(place, record["name"], record["kernel"], record["look"], record["sums"])
    return _Found(place)


def _mine(run: Run) -> _Found | None:
    """The entry of the set, as it is or of an earlier taking."""
    found = [one for one in _entries() if one.name == run.name]
    return next((one for one in found if one.set_id == _set_id(run)), next(iter(found), None))


def _present(run: _Run) -> None:
    run.refuse_for(_cannot_be_made(run))
    taking, backup, grub = run.now.taking, run.now.bound, run.grub
    if taking is None or backup is None or grub is None:
        return  # Refused above.
    chosen = _chosen(grub) == entry_id(taking.set_id)
    if not _is_whole(run, taking, grub):
        _make(run, taking, backup, grub)
        chosen = False
    if run.next_boot and not chosen:
        run.work("choose_for_next_boot", lambda: _choose(grub, taking), entry=entry_id(taking.set_id))


def _chosen(grub: Grub) -> str:
    """The entry that the next boot, and only that one, is to take."""
    return grub.environment.get("next_entry", "")


def _choose(grub: Grub, taking: Taking) -> None:
    run_tool(_editor(), grub.environment_path, "set", f"next_entry={entry_id(taking.set_id)}")
    sync(Path(os.path.realpath(grub.environment_path)).parent)


def _cannot_be_made(run: _Run) -> Iterator[str]:
    yield from cannot_be_looked_at(run.now)
    yield from grub_problems(run.grub, run.now.picture, _environment_mount(run.now.picture, run.grub))
    if mount_at(run.now.picture, str(BOOT)) is None:
        yield f"{BOOT} is no filesystem of its own: GRUB could not find the files of the entry"
    elif os.statvfs(BOOT).f_flag & os.ST_RDONLY:
        yield f"{BOOT} is mounted read-only: mount -o remount,rw {BOOT}"
    others = _chosen(run.grub) if run.grub and run.next_boot else ""
    if others and not _is_own(run, others):
        yield (
            f"somebody has chosen {others!r} for the next boot: boot it, or take that back "
            f"({_editor()} {run.grub.environment_path if run.grub else ''} unset next_entry)"
        )
    if not _editor():
        yield f"neither {' nor '.join(_EDITORS)} is there: install GRUB's tools"


def _environment_mount(picture: Picture, grub: Grub | None) -> Mount | None:
    """The filesystem on which GRUB's environment block lies; the block may be a link into the ESP."""
    if grub is None:
        return None
    place = os.path.realpath(grub.environment_path)
    parents = (str(parent) for parent in Path(place).parents)
    return next((mount for parent in parents if (mount := mount_at(picture, parent)) is not None), None)


def _is_whole(run: _Run, taking: Taking, grub: Grub) -> bool:
    """Whether the entry is there, in the menu, with its files as they were made, and shows what is asked for."""
    found = _mine(run)
    if found is None or found.set_id != taking.set_id or found.sums is None:
        return False
    name = entry_id(taking.set_id)
    in_menu = name in grub.custom and (grub.entries is None or name in grub.entries)
    as_wanted = run.kernel in (None, found.kernel) and found.look == _look_sum(run.now.picture, taking)
    return in_menu and as_wanted and all(_sum_of(found.place / name) == digest for name, digest in found.sums.items())


def _look_sum(picture: Picture, taking: Taking) -> str:
    """What stands for all that is shown."""
    return _digest("".join(one.line for one in shown(picture, taking)).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sum_of(path: Path) -> str:
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return ""


def _make(run: _Run, taking: Taking, backup: BootBackup, grub: Grub) -> None:
    """Copy what is booted from the backup, and put the entry into the menu when all of it is there."""
    with mounted(device_path(backup.volume.vg, backup.volume.name)) as place:
        tree = _boot_tree(read_manifest(place, backup.tags.manifest))
        wanted = _wanted(run, taking, _chosen_kernel(run, tree), copies_of(place, tree))
        run.refuse_for(_no_room(run, wanted))
        _remove(run)
        try:
            home = _HOME / taking.set_id
            run.work("write_entry", lambda: _write(run, wanted), directory=str(home), kernel=wanted.kernel.version)
            run.work("add_to_menu", lambda: _add_to_menu(run.now.picture, wanted, grub), menu=_menu(grub, taking))
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


def _wanted(run: _Run, taking: Taking, kernel: Kernel, copies: Path) -> _Wanted:
    found = kind_of(list_initramfs(str(copies / kernel.initramfs)) or ())
    if found is None:
        raise Refused(
            f"the boot entry of {run.name} cannot be present",
            [f"{kernel.initramfs} is none of initramfs-tools or dracut that lsinitramfs or lsinitrd lists"],
        )
    kind, scripts = found
    image = look_image(kind, scripts, shown=shown(run.now.picture, taking), name=run.name, set_id=taking.set_id)
    files: dict[str, Path | bytes] = {KERNEL: copies / kernel.kernel, INITRAMFS: copies / kernel.initramfs, LOOK: image}
    return _Wanted(taking, kernel, kind, files)


def _no_room(run: _Run, wanted: _Wanted) -> Iterator[str]:
    sizes = (len(one) if isinstance(one, bytes) else one.stat().st_size for one in wanted.files.values())
    needed = sum(sizes) + _MARGIN
    numbers = os.statvfs(BOOT)
    # What an earlier entry takes goes before.
    going = sum(path.stat().st_size for one in _entries() if one.name == run.name for path in one.place.iterdir())
    free = numbers.f_bavail * numbers.f_frsize + going
    if free < needed:
        yield (
            f"{BOOT} has {format_bytes(free)} free, and the entry needs {format_bytes(needed)} for a kernel and an "
            "initramfs: make room"
        )


def _write(run: _Run, wanted: _Wanted) -> None:
    home = _HOME / wanted.taking.set_id
    home.mkdir(mode=0o700, parents=True)
    for name, source in wanted.files.items():
        if isinstance(source, bytes):
            (home / name).write_bytes(source)
        else:
            shutil.copyfile(source, home / name)
    record = {
        "format": _FORMAT,
        "name": run.name,
        "kernel": wanted.kernel.version,
        "look": _look_sum(run.now.picture, wanted.taking),
        "sums": {name: _sum_of(home / name) for name in wanted.files},
    }
    sync(BOOT)
    write_whole(home / _RECORD, json.dumps(record, indent=1))


def _menu(grub: Grub, taking: Taking) -> str:
    return grub.custom_path if grub.entries is None else str(_bls_file(taking.set_id))


def _bls_file(set_id: str) -> Path:
    return _BLS / f"{entry_id(set_id)}.conf"


def _add_to_menu(picture: Picture, wanted: _Wanted, grub: Grub) -> None:
    taking = wanted.taking
    root = next(one for one in shown(picture, taking) if one.mountpoint == "/")
    arguments = kernel_arguments(_text(Path("/proc/cmdline")), root, wanted.kind)
    entry = ""
    if grub.entries is None:
        entry = menu_entry(taking, uuid=_boot_uuid(picture), arguments=arguments)
    # As it is now: what was there before has just been taken out.
    rest = without_entry(_text(Path(grub.custom_path)), taking.set_id)
    write_whole(Path(grub.custom_path), with_part(rest, custom_part(grub, taking.set_id, entry)))
    if grub.entries is not None:
        write_whole(_bls_file(taking.set_id), bls_entry(taking, wanted.kernel, arguments))


def _boot_uuid(picture: Picture) -> str:
    mount = mount_at(picture, str(BOOT))
    name = lasting_name(mount.source) if mount else ""
    if not name.startswith("/dev/disk/by-uuid/"):
        raise FilesFailed(f"the filesystem at {BOOT} has no UUID in /dev/disk/by-uuid, by which GRUB could find it")
    return Path(name).name


def _undone(run: _Run, error: SafepointError | OSError) -> FilesFailed:
    """The error of an entry that could not be made, with what was done about what had been made."""
    told = sentence_of(error)
    replaced = any(step["step"] == "remove_files" for step in run.planned)
    try:
        _remove(run)
    except (SafepointError, OSError) as failed:
        return FilesFailed(f"{told}; what was made for it is left in {_HOME}, because of: {failed}", changed=True)
    return FilesFailed(f"{told}; what was made for it was removed again", changed=replaced)


def _absent(run: _Run) -> None:
    if _mine(run) is not None:
        run.refuse_for(look_problems(run.now.picture))
    _remove(run)


def _remove(run: _Run) -> None:
    """Remove every entry of the set, and what interrupted runs have left: the choice first, the files at the end."""
    grub = _read_grub()
    if grub is not None and _is_own(run, _chosen(grub)):
        run.work(
            "take_back_choice",
            lambda: run_tool(_editor(), grub.environment_path, "unset", "next_entry"),
            entry=_chosen(grub),
        )
    for set_id in sorted(_own_set_ids(run)):
        _take_from_menu(run, set_id, grub)
    for one in _own(run):
        run.work("remove_files", partial(_remove_files, one.place), directory=str(one.place))


def _own(run: _Run) -> list[_Found]:
    """The entries of the set, of whatever taking, and what interrupted runs have left."""
    return [one for one in _entries() if one.name in (run.name, "") or one.set_id == _set_id(run)]


def _own_set_ids(run: _Run) -> set[str]:
    """The ids of their takings, and of the set as it is, of which only a part may be there."""
    return {set_id for set_id in (*(one.set_id for one in _own(run)), _set_id(run)) if set_id}


def _is_own(run: _Run, chosen: str) -> bool:
    return chosen in {entry_id(set_id) for set_id in _own_set_ids(run)}


def _set_id(run: Run) -> str:
    return run.now.taking.set_id if run.now.taking else ""


def _take_from_menu(run: _Run, set_id: str, grub: Grub | None) -> None:
    if grub is not None and without_entry(grub.custom, set_id) != grub.custom:
        run.work("take_from_menu", partial(_take_from_custom, Path(grub.custom_path), set_id), menu=grub.custom_path)
    file = _bls_file(set_id)
    if file.exists():
        run.work("take_from_menu", file.unlink, menu=str(file))


def _take_from_custom(custom: Path, set_id: str) -> None:
    # Read again: of several entries, each is taken out of what the one before has left.
    rest = without_entry(_text(custom), set_id)
    if rest.strip():
        write_whole(custom, rest)
    else:
        custom.unlink()


def _remove_files(place: Path) -> None:
    sync(BOOT)
    shutil.rmtree(place)
    if not any(_HOME.iterdir()):
        _HOME.rmdir()
    sync(BOOT)


def _view(name: str, found: _Found | None, grub: Grub | None) -> dict[str, Any]:
    if found is None or found.sums is None:
        return {"name": name, "id": None, "state": "absent", "kernel": None, "next_boot": False}
    chosen = grub is not None and _chosen(grub) == entry_id(found.set_id)
    return {"name": name, "id": found.set_id, "state": "present", "kernel": found.kernel, "next_boot": chosen}


def _predicted(run: _Run) -> dict[str, Any]:
    """The entry as it would be."""
    if run.state == "absent":
        return _view(run.name, None, None)
    now = _view(run.name, _mine(run), run.grub)
    made = next((step for step in run.planned if step["step"] == "write_entry"), None)
    if made is not None:
        now = {**now, "id": run.now.taking.set_id if run.now.taking else None, "kernel": made["kernel"]}
    return {**now, "state": "present", "next_boot": run.next_boot or (made is None and now["next_boot"])}
