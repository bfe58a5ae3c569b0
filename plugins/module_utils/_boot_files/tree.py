# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of a boot filesystem as values, and which files are the boot menu. Pure; private to this collection.

Paths are relative to the mountpoint. Bytes that are not UTF-8 are decoded as by ``os.fsdecode``.

The package ``_boot_files`` knows boot filesystems as trees of files: how to read, compare and copy them. It must not
know LVM, or what a snapset is.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EntryKind = Literal["file", "directory", "link", "mountpoint"]

FORMAT = 1
"""Version of the manifest's format."""
SELINUX = "security.selinux"
"""SELinux label: the kernel sets it on every new file, and nobody can remove it (security/selinux/hooks.c)."""

WORKSPACE = ".safepoint-"
"""Prefix of this collection's own directories on a boot filesystem. They are not part of its content."""

# They store no owners or modes, and times only with a resolution of two seconds (vfat and exfat in the kernel).
_WITHOUT_METADATA = ("vfat", "msdos", "exfat")
# Files from which a boot loader chooses a kernel (GRUB, the Boot Loader Specification, systemd-boot, extlinux).
_MENU = re.compile(
    r"(grub2?/(grub\.cfg|custom\.cfg|user\.cfg|grubenv)|loader/.*|(ext|sys)linux/.*\.c(on)?fg?|EFI/.*\.cfg)"
)
_LAST_OF_MENU = "grub.cfg"


@dataclass(frozen=True)
class Entry:
    """A file, directory, symbolic link, or the mountpoint of another filesystem.

    ``mtime`` is in nanoseconds, ``size`` in bytes, ``xattrs`` in base64 by name. A ``mountpoint`` has no other values,
    because they would be those of the other filesystem.
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
    def room(self) -> int:
        """Bytes that it uses on a filesystem with blocks of 4 KiB."""
        return -(-max(self.size, 1) // 4096) * 4096


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


def boot_safe_order(paths: Iterable[str]) -> list[str]:
    """Sort paths so that the host can boot at every moment while they are written: the boot menu comes last."""
    return sorted(paths, key=lambda path: (is_menu(path), path.endswith(_LAST_OF_MENU), path))


def is_menu(path: str) -> bool:
    """Whether a boot loader reads from this file what it can boot, or what it must boot next."""
    return _MENU.fullmatch(path) is not None


def digest_of(trees: Sequence[Tree]) -> str:
    """Return the checksum of the manifest of ``trees``."""
    return digest(dump(trees))


def dump(trees: Sequence[Tree]) -> str:
    """Return the manifest of ``trees``, as JSON."""
    return json.dumps({"format": FORMAT, "trees": [_tree_to_json(tree) for tree in trees]}, indent=1)


def _tree_to_json(tree: Tree) -> dict[str, Any]:
    entries = {path: asdict(replace(entry, xattrs=dict(entry.xattrs))) for path, entry in tree.entries.items()}
    return {"mountpoint": tree.mountpoint, "fstype": tree.fstype, "entries": entries}


def digest(manifest: str) -> str:
    """Return the checksum of a manifest."""
    return hashlib.sha256(manifest.encode()).hexdigest()
