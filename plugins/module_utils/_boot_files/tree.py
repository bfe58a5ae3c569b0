# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot filesystem holds, as values, and which of it is the boot menu. Pure; private to this collection.

Paths are relative to the mountpoint, with bytes that are no text as ``os.fsdecode`` has them.

The package ``_boot_files`` knows boot filesystems as trees of files: read, compared, copied and written down. It must
not know LVM, or what a snapset is.
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
"""Of the manifest of a backup."""
SELINUX = "security.selinux"
"""The label of SELinux, which whatever is made gets, and which nobody can remove (security/selinux/hooks.c)."""

WORKSPACE = ".safepoint-"
"""How a directory that this collection keeps on a boot filesystem begins: no part of what the filesystem holds."""

# They know neither owners nor modes, and times only to two seconds (vfat, exfat of the kernel).
_WITHOUT_METADATA = ("vfat", "msdos", "exfat")
# What a boot loader chooses a kernel by (GRUB, the Boot Loader Specification, systemd-boot, extlinux).
_MENU = re.compile(
    r"(grub2?/(grub\.cfg|custom\.cfg|user\.cfg|grubenv)|loader/.*|(ext|sys)linux/.*\.c(on)?fg?|EFI/.*\.cfg)"
)
_LAST_OF_MENU = "grub.cfg"


@dataclass(frozen=True)
class Entry:
    """A file, directory or symbolic link; ``mtime`` in ns, ``size`` in bytes, ``xattrs`` in base64 by name.

    Another filesystem's ``mountpoint`` stands for itself: what is seen of it belongs to the other.
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
        """What it is, without whose it is and since when."""
        return (self.kind, self.sha256, self.target)

    @property
    def room(self) -> int:
        """Bytes that it takes on a filesystem with blocks of 4 KiB."""
        return -(-max(self.size, 1) // 4096) * 4096


@dataclass(frozen=True)
class Tree:
    """Everything on the filesystem at ``mountpoint``; its root directory is the entry ``.``."""

    mountpoint: str
    fstype: str
    entries: Mapping[str, Entry]

    @property
    def files(self) -> int:
        """How many files and links there are."""
        return sum(entry.kind in ("file", "link") for entry in self.entries.values())

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(entry.size for entry in self.entries.values())

    @property
    def has_metadata(self) -> bool:
        """Whether owners, modes, times and extended attributes can be kept there."""
        return self.fstype not in _WITHOUT_METADATA

    def absolute(self, path: str) -> str:
        """The path on the host."""
        return self.mountpoint if path == "." else f"{self.mountpoint.rstrip('/')}/{path}"


def in_order(paths: Iterable[str]) -> list[str]:
    """The paths in the order in which a host stays bootable: first what a menu names, the menu at the end."""
    return sorted(paths, key=lambda path: (is_menu(path), path.endswith(_LAST_OF_MENU), path))


def is_menu(path: str) -> bool:
    """Whether a boot loader reads in it what can be booted, or what is to be booted."""
    return _MENU.fullmatch(path) is not None


def digest_of(trees: Sequence[Tree]) -> str:
    """The checksum that the manifest of ``trees`` has."""
    return digest(dump(trees))


def dump(trees: Sequence[Tree]) -> str:
    """The trees as JSON: the manifest."""
    return json.dumps({"format": FORMAT, "trees": [_tree_to_json(tree) for tree in trees]}, indent=1)


def _tree_to_json(tree: Tree) -> dict[str, Any]:
    entries = {path: asdict(replace(entry, xattrs=dict(entry.xattrs))) for path, entry in tree.entries.items()}
    return {"mountpoint": tree.mountpoint, "fstype": tree.fstype, "entries": entries}


def digest(manifest: str) -> str:
    """The checksum of a manifest."""
    return hashlib.sha256(manifest.encode()).hexdigest()
