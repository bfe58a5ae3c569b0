# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot filesystems brought back one file after the other, and that taken back again. Private to this collection.

Whatever is cut where, each path has its old or its new content, never a part of one: a file is copied beside, synced,
compared with its checksum and renamed into place. What it takes the place of is kept until the rollback has ended.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._boot_files.copy import copy_one, give_metadata
from .._boot_files.scan import scan
from .._boot_files.tree import WORKSPACE, in_order, is_menu
from .._host.files import sync, sync_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._boot_files.difference import Difference
    from .._boot_files.tree import Tree

_REPLACED, _ADDED, _NEW = "replaced", "added", "new"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)


def workspace(mountpoint: str, backup_id: str) -> Path:
    """Our own directory on a boot filesystem, there from the first change until the rollback has ended."""
    return Path(mountpoint) / f"{WORKSPACE}{backup_id[:12]}"


@dataclass(frozen=True)
class Site:
    """A boot filesystem that goes back: what was ``kept`` of it, where the ``copies`` lie, and our own directory there.

    In ``work`` are ``replaced``, with what was replaced or set aside under its path, ``added``, the list of what was
    added, and ``new``, the one file that is being copied.
    """

    kept: Tree
    copies: Path
    work: Path

    @property
    def top(self) -> Path:
        """The mountpoint."""
        return Path(self.kept.mountpoint)

    def present(self) -> Tree:
        """What is there now."""
        return scan(self.top, mountpoint=self.kept.mountpoint, fstype=self.kept.fstype)


def make_bootable(site: Site, difference: Difference) -> None:
    """Bring all that was kept back, beside what the change has added; the boot menu comes last.

    What is replaced is kept, so that ``undo`` can bring it back. Can be run again, whatever was interrupted.
    """
    (site.work / _REPLACED).mkdir(mode=0o700, parents=True, exist_ok=True)
    _note_added(site.work, difference.missing)
    wanted = (*difference.missing, *difference.changed)
    files = [path for path in wanted if site.kept.entries[path].kind in ("file", "link")]
    for path in (*sorted(set(wanted) - set(files)), *in_order(files)):
        _set_aside(site, path, keep=path in files)
        _put(site, path)
    for path in filter(is_menu, difference.extra):
        _set_aside(site, path, keep=False)
    sync(site.top)


def make_exact(site: Site, difference: Difference) -> None:
    """Bring the filesystem back to exactly what was kept, and give up what ``undo`` would need."""
    make_bootable(site, difference)
    for path in sorted(difference.extra, reverse=True):
        _remove_one(site.top, path)
    shutil.rmtree(site.work)
    if site.kept.has_metadata:
        # A directory after all that is in it, because of its time.
        for path in sorted(site.kept.entries, reverse=True):
            if site.kept.entries[path].kind != "mountpoint" and path not in difference.left:
                give_metadata(site.kept.entries[path], site.top / path)
    sync(site.top)


def undo(work: Path) -> None:
    """Bring back what ``make_bootable`` has replaced and set aside, and remove what it has added."""
    added = _added(work)
    _put_back(work / _REPLACED, work.parent)
    for path in sorted(added, reverse=True):
        _remove_one(work.parent, path)
    # All of it is on the disk before the list of what to do is gone.
    sync(work.parent)
    shutil.rmtree(work)
    sync(work.parent)


def _note_added(work: Path, missing: Sequence[str]) -> None:
    # What an earlier, interrupted run has moved away is missing as well, and was not added.
    new = [path for path in missing if not os.path.lexists(work / _REPLACED / path)]
    temporary = work / _NEW
    temporary.unlink(missing_ok=True)
    temporary.write_text(json.dumps(sorted({*_added(work), *new})), encoding="ascii")
    sync(work)
    temporary.replace(work / _ADDED)
    sync(work)


def _added(work: Path) -> list[str]:
    try:
        found: list[str] = json.loads((work / _ADDED).read_text(encoding="ascii"))
    except FileNotFoundError:
        return []
    return found


def _set_aside(site: Site, path: str, *, keep: bool) -> None:
    """Keep what is at ``path`` for ``undo``; with ``keep`` it also stays there, as a second name of the same file."""
    place, aside = site.top / path, site.work / _REPLACED / path
    if not _is_there(site.top, path) or os.path.lexists(aside):
        return
    aside.parent.mkdir(parents=True, exist_ok=True)
    if keep and _can_be_renamed_over(place):
        _second_name(place, aside, site.work / _NEW)
    else:
        place.rename(aside)


def _second_name(place: Path, aside: Path, temporary: Path) -> None:
    try:
        os.link(place, aside, follow_symlinks=False)
    except OSError as error:
        # vfat has none.
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(place, temporary, follow_symlinks=False)
        sync(temporary.parent)
        temporary.replace(aside)


def _put(site: Site, path: str) -> None:
    """Bring one path back, whole or not at all."""
    entry, place = site.kept.entries[path], site.top / path
    if entry.kind in ("directory", "mountpoint"):
        place.mkdir(exist_ok=True)
        return
    new = site.work / _NEW
    new.unlink(missing_ok=True)
    copy_one(entry, site.copies / path, new)
    if site.kept.has_metadata:
        give_metadata(entry, new)
    new.replace(place)
    sync_directory(place.parent)


def _put_back(asides: Path, top: Path) -> None:
    """Move what is in the directory ``asides``, if there is one, to where it was below ``top``."""
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
    """Whether there is such a path, and no link on the way leads out of the filesystem to something else."""
    above = [top / parent for parent in Path(path).parents if parent != Path()]
    return os.path.lexists(top / path) and not any(parent.is_symlink() for parent in above)


def _remove_one(top: Path, path: str) -> None:
    """Remove a file, or a directory unless something is in it."""
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
