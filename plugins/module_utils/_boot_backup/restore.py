# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore boot filesystems file by file, and undo that. Private to this collection.

A power cut at any moment leaves each file either old or new, never partly written: a file is copied to the workspace,
synced, verified by its checksum and renamed into place. Replaced files are kept until the rollback has ended.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._boot_files.copy import copy_one, set_metadata
from .._boot_files.firmware import BOOT_ORDER
from .._boot_files.rule import boot_safe_order, is_menu
from .._host.efi import delete_variable, write_variable
from .._host.files import sync, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._boot_files.difference import Difference
    from .._boot_files.tree import Tree

_REPLACED, _ADDED, _NEW, _VARIABLES = "replaced", "added", "new", "variables"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)


@dataclass(frozen=True)
class Site:
    """A boot filesystem to be restored: its ``saved`` tree, the directory of its ``copies``, its workspace ``work``.

    The workspace contains ``replaced`` (every file that was replaced or moved away, under its path), ``added`` (the
    list of restored paths that did not exist), ``new`` (the one file that is being copied), and ``variables`` (the
    variables of the firmware that were replaced).
    """

    saved: Tree
    copies: Path
    work: Path

    @property
    def top(self) -> Path:
        """The mountpoint."""
        return Path(self.saved.mountpoint)


def make_bootable(site: Site, difference: Difference) -> None:
    """Restore all saved files, the boot menu last.

    Files that the change has added stay, except parts of the boot menu. Replaced files are kept for ``undo``. Can be
    run again after an interruption. Raises FilesFailed, OSError.
    """
    site.work.mkdir(mode=0o700, exist_ok=True)
    (site.work / _REPLACED).mkdir(mode=0o700, exist_ok=True)
    _note_added(site.work, difference.missing)
    restored = (*difference.missing, *difference.changed)
    files = [path for path in restored if site.saved.entries[path].kind in ("file", "link")]
    for path in (*sorted(set(restored) - set(files)), *boot_safe_order(files)):
        _set_aside(site, path, keep=path in files)
        _put(site, path)
    for path in filter(is_menu, difference.extra):
        _set_aside(site, path, keep=False)
    sync(site.top)


def make_exact(site: Site, difference: Difference) -> None:
    """Restore exactly what was saved, and delete what ``undo`` would need. Raises FilesFailed, OSError."""
    make_bootable(site, difference)
    for path in sorted(difference.extra, reverse=True):
        _remove_one(site.top, path)
    shutil.rmtree(site.work)
    if site.saved.has_metadata:
        # Directories after their content: writing into a directory changes its modification time.
        for path in sorted(site.saved.entries, reverse=True):
            if site.saved.entries[path].has_metadata and path not in difference.untouched:
                set_metadata(site.saved.entries[path], site.top / path)
    sync(site.top)


def undo(work: Path) -> None:
    """Undo ``make_bootable`` and put back what ``keep_variables`` has kept. Raises OSError."""
    _put_variables_back(work)
    added = _added(work)
    _put_back(work / _REPLACED, work.parent)
    for path in sorted(added, reverse=True):
        _remove_one(work.parent, path)
    # Everything must be on disk before the workspace, which lists what to undo, is deleted.
    sync(work.parent)
    shutil.rmtree(work)
    sync(work.parent)


def keep_variables(work: Path, before: Mapping[str, bytes], names: Iterable[str]) -> None:
    """Keep the variables ``names`` of the firmware for ``undo``. ``before`` are all present ones. Raises OSError."""
    work.mkdir(mode=0o700, exist_ok=True)
    if not (work / _VARIABLES).exists():
        replaced = {name: base64.b64encode(before[name]).decode("ascii") if name in before else None for name in names}
        _write_json(work, _VARIABLES, replaced)


def _put_variables_back(work: Path) -> None:
    # The order of boot entries comes last. It may name entries that are put back before.
    for name, text in sorted(_read_json(work, _VARIABLES, {}).items(), key=lambda one: (one[0] == BOOT_ORDER, one[0])):
        if text is None:
            delete_variable(name)
        else:
            write_variable(name, base64.b64decode(text))


def _note_added(work: Path, missing: Sequence[str]) -> None:
    # A path that an interrupted run has moved away is missing too, but existed before.
    new = [path for path in missing if not os.path.lexists(work / _REPLACED / path)]
    _write_json(work, _ADDED, sorted({*_added(work), *new}))


def _added(work: Path) -> list[str]:
    found: list[str] = _read_json(work, _ADDED, [])
    return found


def _write_json(work: Path, name: str, value: object) -> None:
    temporary = work / _NEW
    temporary.unlink(missing_ok=True)
    temporary.write_text(json.dumps(value), encoding="ascii")
    sync(work)
    temporary.replace(work / name)
    sync(work)


def _read_json(work: Path, name: str, default: Any) -> Any:
    try:
        return json.loads((work / name).read_text(encoding="ascii"))
    except FileNotFoundError:
        return default


def _set_aside(site: Site, path: str, *, keep: bool) -> None:
    """Save what is at ``path`` for ``undo``. With ``keep`` a file also stays at ``path``, by a hard link."""
    place, aside = site.top / path, site.work / _REPLACED / path
    if not _is_there(site.top, path) or os.path.lexists(aside):
        return
    aside.parent.mkdir(parents=True, exist_ok=True)
    if keep and _can_be_renamed_over(place):
        _link_or_copy(place, aside, site.work / _NEW)
    else:
        place.rename(aside)


def _link_or_copy(place: Path, aside: Path, temporary: Path) -> None:
    try:
        os.link(place, aside, follow_symlinks=False)
    except OSError as error:
        # vfat has no hard links.
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(place, temporary, follow_symlinks=False)
        sync(temporary.parent)
        temporary.replace(aside)


def _put(site: Site, path: str) -> None:
    """Restore one path atomically."""
    entry, place = site.saved.entries[path], site.top / path
    if entry.kind in ("directory", "mountpoint"):
        place.mkdir(exist_ok=True)
        return
    new = site.work / _NEW
    new.unlink(missing_ok=True)
    copy_one(entry, site.copies / path, new)
    if site.saved.has_metadata:
        set_metadata(entry, new)
    new.replace(place)
    sync_directory(place.parent)


def _put_back(asides: Path, top: Path) -> None:
    """Move the content of the directory ``asides``, if it exists, back to its place below ``top``."""
    for aside in sorted(asides.iterdir()) if asides.is_dir() else ():
        place = top / aside.name
        if _can_be_renamed_over(aside):
            if os.path.lexists(place) and not _can_be_renamed_over(place):
                shutil.rmtree(place)
            aside.replace(place)
        elif place.is_dir() and not place.is_symlink():
            _put_back(aside, place)
        else:
            place.unlink(missing_ok=True)
            aside.rename(place)


def _can_be_renamed_over(place: Path) -> bool:
    return place.is_symlink() or not place.is_dir()


def _is_there(top: Path, path: str) -> bool:
    """Whether the path exists below ``top``, and no symbolic link on the way leads out of the filesystem."""
    parents = [top / parent for parent in Path(path).parents if parent != Path()]
    return os.path.lexists(top / path) and not any(parent.is_symlink() for parent in parents)


def _remove_one(top: Path, path: str) -> None:
    """Remove a file, or a directory if it is empty."""
    place = top / path
    if not _is_there(top, path):
        return
    if _can_be_renamed_over(place):
        place.unlink()
        return
    try:
        place.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
