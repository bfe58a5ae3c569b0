# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of boot filesystems: read, copied, and brought back one by one. Private to this collection.

Whatever is cut where, each path has its old or its new content, never a part of one: a file is copied beside, synced,
compared with its checksum and renamed into place. What it takes the place of is kept until the rollback has ended.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._boot_files.tree import (
    SELINUX,
    Difference,
    Entry,
    EntryKind,
    Tree,
    in_order,
    is_menu,
)
from .._errors import FilesFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WORKSPACE = ".safepoint-"
_REPLACED, _ADDED, _NEW = "replaced", "added", "new"
_BLOCK = 1024 * 1024
_NO_XATTRS = (errno.ENOTSUP, errno.ENODATA, errno.EPERM)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)


def scan(place: Path, *, mountpoint: str, fstype: str) -> Tree:
    """Everything on the filesystem at ``place``, with checksums; what this collection itself keeps there is left out.

    Raises FilesFailed for what is neither file, directory nor symbolic link: nobody could bring that back.
    """
    device = place.lstat().st_dev
    return Tree(mountpoint, fstype, dict(_entries(place, place, device)))


def _entries(top: Path, place: Path, device: int) -> Iterator[tuple[str, Entry]]:
    yield str(place.relative_to(top)), _entry(place)
    for child in sorted(place.iterdir()):
        if place == top and child.name.startswith(_WORKSPACE):
            continue
        status = child.lstat()
        if status.st_dev != device:
            yield str(child.relative_to(top)), Entry(kind="mountpoint")
        elif stat.S_ISDIR(status.st_mode):
            yield from _entries(top, child, device)
        else:
            yield str(child.relative_to(top)), _entry(child)


def _entry(path: Path) -> Entry:
    status = path.lstat()
    kinds: Mapping[int, EntryKind] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        raise FilesFailed(f"{path} is a device, a socket or a pipe: expected are files; move it elsewhere")
    return Entry(
        kind=kind,
        mode=0 if kind == "link" else stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns,
        size=status.st_size if kind == "file" else 0,
        sha256=_checksum(path) if kind == "file" else "",
        target=str(path.readlink()) if kind == "link" else "",
        xattrs=_xattrs(path),
    )


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def _xattrs(path: Path) -> dict[str, str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
        found = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return {}
        raise
    return {name: base64.b64encode(value).decode("ascii") for name, value in found.items()}


def copy_tree(tree: Tree, target: Path) -> None:
    """Copy all of ``tree`` from its mountpoint to ``target``, a directory that is empty but for mountpoints' copies."""
    for path, entry in tree.entries.items():
        place = target / path
        if entry.kind in ("directory", "mountpoint"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            _copy(entry, Path(tree.absolute(path)), place)
            _give_metadata(entry, place)
    for path in sorted(tree.entries, reverse=True):
        if tree.entries[path].kind == "directory":
            _give_metadata(tree.entries[path], target / path)


def _copy(entry: Entry, source: Path, place: Path) -> None:
    """Make at ``place`` what ``entry`` says, of ``source``; on the disk when this returns.

    Raises FilesFailed when ``source`` has another checksum.
    """
    if entry.kind == "link":
        place.symlink_to(entry.target)
        return
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file, _BLOCK)
        file.flush()
        os.fsync(file.fileno())
    if _checksum(place) != entry.sha256:
        place.unlink()
        raise FilesFailed(f"{source} has not the checksum that was written down for it ({entry.sha256})")


def _give_metadata(entry: Entry, place: Path) -> None:
    os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "link":
        place.chmod(entry.mode)
    for name in set(_xattrs(place)) - {*entry.xattrs, SELINUX}:
        os.removexattr(place, name, follow_symlinks=False)
    for name, value in entry.xattrs.items():
        os.setxattr(place, name, base64.b64decode(value), follow_symlinks=False)
    os.utime(place, ns=(entry.mtime, entry.mtime), follow_symlinks=False)


def workspace(mountpoint: str, backup_id: str) -> Path:
    """Our own directory on a boot filesystem, there from the first change until the rollback has ended."""
    return Path(mountpoint) / f"{_WORKSPACE}{backup_id[:12]}"


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
                _give_metadata(site.kept.entries[path], site.top / path)
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
    _unlink(temporary)
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
    _unlink(new)
    _copy(entry, site.copies / path, new)
    if site.kept.has_metadata:
        _give_metadata(entry, new)
    new.replace(place)
    _sync_directory(place.parent)


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
            _unlink(place)
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


def _unlink(place: Path) -> None:
    with suppress(FileNotFoundError):
        place.unlink()


def _sync_directory(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Give a file of root another content, all of it or none, on the disk when this returns. Raises OSError."""
    new = path.with_name(f"{path.name}.safepoint-new")
    _unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_directory(path.parent)


def sync(place: Path) -> None:
    """Write all of the filesystem at ``place`` to the disk (syncfs(2)), and none of the others. Raises OSError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"{place} cannot be synced")
    finally:
        os.close(descriptor)
