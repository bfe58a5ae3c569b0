# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filesystem on the LV of a backup of /boot: made, written, mounted, read. Private to this collection.

It is mounted in a mount namespace of this process alone: whoever kills it, nothing stays mounted.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files import copy_tree, scan, sync
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_tree import checksums, compare, dump, load
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import BootFilesFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._lock import RUN_DIRECTORY
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_tree import Tree

FILESYSTEM = "ext4"
_COPIES, _MANIFEST, _CHECKSUMS = "tree", "manifest.json", "SHA256SUMS"
# Of unshare(2).
_CLONE_NEWNS = 0x00020000


def missing_tools() -> list[str]:
    """The programs of the host that a backup needs and that are not there."""
    return [name for name in (f"mkfs.{FILESYSTEM}", "mount", "umount") if _find(name) is None]


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def _run(name: str, *arguments: str) -> None:
    argv = [_find(name) or name, *arguments]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=clean_environment(),
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise BootFilesFailed(f"{' '.join(argv)} failed with {done.returncode} and said: {said}", cmd=argv)


def write_backup(device: str, trees: Sequence[Tree], *, inodes: int) -> str:
    """Make the filesystem on ``device`` and copy ``trees`` into it; the checksum of its manifest.

    Everything is read back from the disk. Raises BootFilesFailed when that, or what was copied, is not as it was.
    """
    # Without a journal, which is for writers that are cut off: one that was is never sealed and never used.
    _run(f"mkfs.{FILESYSTEM}", "-q", "-F", "-m", "0", "-O", "^has_journal", "-N", str(inodes), device)
    manifest = dump(trees)
    with mounted(device, writable=True) as place:
        # Parents first: the ESP is mounted on /boot.
        for tree in trees:
            copy_tree(tree, copies_of(place, tree))
        (place / _CHECKSUMS).write_text(checksums(trees), encoding="utf-8", errors="surrogateescape")
        (place / _MANIFEST).write_text(manifest, encoding="ascii")
        sync(place)
    checksum = _checksum(manifest)
    with mounted(device) as place:
        for tree in read_manifest(place, checksum):
            _check_copies(place, tree)
    return checksum


def _check_copies(place: Path, tree: Tree) -> None:
    copies = copies_of(place, tree)
    for path, entry in scan(copies, mountpoint=tree.mountpoint, fstype=FILESYSTEM).entries.items():
        kept = tree.entries.get(path)
        if kept is not None and kept.kind != "mountpoint" and kept.content != entry.content:
            raise BootFilesFailed(f"the copy of {tree.absolute(path)} is not what was copied: the disk is not sound")


def check_unchanged(trees: Sequence[Tree]) -> None:
    """Raise BootFilesFailed when a tree is not any more what it was when it was read."""
    for tree in trees:
        now = scan(Path(tree.mountpoint), mountpoint=tree.mountpoint, fstype=tree.fstype)
        if not compare(tree, now).nothing:
            raise BootFilesFailed(
                f"{tree.mountpoint} was changed while it was saved: wait until nobody does, run again"
            )


def read_manifest(place: Path, checksum: str) -> tuple[Tree, ...]:
    """What the backup mounted at ``place`` holds. Raises BootFilesFailed when its manifest is not the sealed one."""
    text = (place / _MANIFEST).read_text(encoding="ascii", errors="replace")
    if _checksum(text) != checksum:
        raise BootFilesFailed("the manifest of the backup of /boot is damaged: its checksum is not the one in the tag")
    return load(text)


def copies_of(place: Path, tree: Tree) -> Path:
    """Where in the backup mounted at ``place`` the copies of a tree are."""
    return place / _COPIES / tree.mountpoint.lstrip("/")


def _checksum(manifest: str) -> str:
    return hashlib.sha256(manifest.encode()).hexdigest()


@contextmanager
def mounted(device: str, *, writable: bool = False) -> Iterator[Path]:
    """The filesystem of ``device``, seen by this process and its children alone."""
    place = Path(RUN_DIRECTORY) / "boot"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _leave_mount_namespace()
    options = "nosuid,nodev,noexec" if writable else "ro,nosuid,nodev,noexec"
    _run("mount", "-t", FILESYSTEM, "-o", options, device, str(place))
    try:
        yield place
    finally:
        _run("umount", str(place))


def _leave_mount_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        raise BootFilesFailed(f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")
