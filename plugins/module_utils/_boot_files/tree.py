# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of a boot filesystem as values. Pure; private to this collection.

Paths are relative to the mountpoint. Bytes that are not UTF-8 are decoded as by ``os.fsdecode``.

The package ``_boot_files`` knows boot filesystems as trees of files: how to read, compare and copy them. It must not
know LVM, or what a snapset is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .firmware import Firmware

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EntryKind = Literal["file", "directory", "link", "mountpoint", "left_out"]

FORMAT = 1
"""Version of the manifest's format."""
SELINUX = "security.selinux"
"""SELinux label: the kernel sets it on every new file, and nobody can remove it (security/selinux/hooks.c)."""

WORKSPACE = ".safepoint-"
"""Prefix of this collection's own directories on a boot filesystem. They are not part of its content."""

# They store no owners or modes, and times only with a resolution of two seconds (vfat and exfat in the kernel).
_WITHOUT_METADATA = ("vfat", "msdos", "exfat")


@dataclass(frozen=True)
class Entry:
    """A file, directory, symbolic link, the mountpoint of another filesystem, or a file that is ``left_out``.

    ``mtime`` is in nanoseconds, ``size`` in bytes, ``xattrs`` in base64 by name. A ``mountpoint`` has no other values,
    because they would be those of the other filesystem; neither has a file that is never saved nor restored.
    """

    kind: EntryKind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    sha256: str = ""
    target: str = ""
    xattrs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def content(self) -> tuple[object, ...]:
        """Type and content, without metadata."""
        return (self.kind, self.sha256, self.target)

    @property
    def has_metadata(self) -> bool:
        """Whether its owner and mode are known."""
        return self.kind not in ("mountpoint", "left_out")

    def room(self, block: int) -> int:
        """Bytes that it uses on a filesystem with blocks of ``block`` bytes."""
        return -(-max(self.size, 1) // block) * block


@dataclass(frozen=True)
class Tree:
    """Everything on the filesystem at ``mountpoint``. Its root directory is the entry ``.``."""

    mountpoint: str
    fstype: str
    entries: Mapping[str, Entry]

    @property
    def files(self) -> int:
        """Number of files and symbolic links."""
        return sum(entry.kind in ("file", "link") for entry in self.entries.values())

    @property
    def size(self) -> int:
        """Total size of all files, in bytes."""
        return sum(entry.size for entry in self.entries.values())

    @property
    def has_metadata(self) -> bool:
        """Whether the filesystem stores owners, modes, exact times and extended attributes."""
        return self.fstype not in _WITHOUT_METADATA

    def absolute(self, path: str) -> str:
        """Return the absolute path on the host."""
        return self.mountpoint if path == "." else f"{self.mountpoint.rstrip('/')}/{path}"


@dataclass(frozen=True)
class Manifest:
    """What a backup contains: boot filesystems, and what the firmware kept about booting at that moment."""

    trees: tuple[Tree, ...] = ()
    firmware: Firmware = field(default_factory=Firmware)


def workspace(mountpoint: str, backup_id: str) -> Path:
    """Return the workspace on a boot filesystem. It exists from the first change until the rollback has ended."""
    return Path(mountpoint) / f"{WORKSPACE}{backup_id[:12]}"


def digest_of(trees: Sequence[Tree], firmware: Firmware) -> str:
    """Return the checksum of the manifest of ``trees`` and ``firmware``."""
    return digest(dump(trees, firmware))


def dump(trees: Sequence[Tree], firmware: Firmware) -> str:
    """Return the manifest of ``trees`` and ``firmware``, as JSON."""
    document = {"format": FORMAT, "firmware": firmware.to_json(), "trees": [_tree_to_json(tree) for tree in trees]}
    return json.dumps(document, indent=1)


def _tree_to_json(tree: Tree) -> dict[str, Any]:
    entries = {path: asdict(replace(entry, xattrs=dict(entry.xattrs))) for path, entry in tree.entries.items()}
    return {"mountpoint": tree.mountpoint, "fstype": tree.fstype, "entries": entries}


def digest(manifest: str) -> str:
    """Return the checksum of a manifest."""
    return hashlib.sha256(manifest.encode()).hexdigest()
