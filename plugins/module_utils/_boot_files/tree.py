# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot filesystem holds, as values, and how two of them differ. Pure; private to this collection.

Paths are relative to the mountpoint, with bytes that are no text as ``os.fsdecode`` has them.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .._errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EntryKind = Literal["file", "directory", "link", "mountpoint"]

SELINUX = "security.selinux"
"""The label of SELinux, which whatever is made gets, and which nobody can remove (security/selinux/hooks.c)."""

_FORMAT = 1
# They know neither owners nor modes, and times only to two seconds (vfat, exfat of the kernel).
_WITHOUT_METADATA = ("vfat", "msdos", "exfat")
# GRUB's image in the boot sectors, and the directory of its modules that fit this image alone.
_BIOS_IMAGE = re.compile(r"(grub2?/i386-pc)/core\.img")
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


@dataclass(frozen=True)
class Difference:
    """How what is there differs from what was kept, as paths; parents come before what they hold.

    ``changed`` have other content or are of another kind, ``altered`` only other owners, modes, times or attributes.
    ``left`` belongs to a boot loader that was installed anew, and stays as it is.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether all is as it was, but for what is left."""
        return not (self.missing or self.changed or self.altered or self.extra)


def compare(kept: Tree, present: Tree) -> Difference:
    """How ``present`` differs from ``kept``.

    When GRUB was installed anew in the boot sectors of a BIOS host, its modules stay: those of another build do not fit
    the image in the sectors, and GRUB would not start (grub-install(8) writes both, and so has the same moment).
    """
    stays = tuple(f"{directory}/" for directory in _reinstalled(kept, present))
    was, now = kept.entries, present.entries
    known = was.keys() & now.keys()
    changed = [path for path in known if was[path].content != now[path].content]
    altered = [path for path in known if path not in changed and not _same(kept, was[path], now[path])]
    found = {
        "missing": was.keys() - now.keys(),
        "changed": changed,
        "altered": altered,
        "extra": now.keys() - was.keys(),
    }
    left = sorted(path for paths in found.values() for path in paths if path.startswith(stays)) if stays else []
    return Difference(
        left=tuple(left), **{name: tuple(sorted(set(paths) - set(left))) for name, paths in found.items()}
    )


def _reinstalled(kept: Tree, present: Tree) -> Iterator[str]:
    for path, entry in kept.entries.items():
        match = _BIOS_IMAGE.fullmatch(path)
        now = present.entries.get(path)
        if match and now is not None and now.content != entry.content:
            yield match[1]


def _same(tree: Tree, was: Entry, now: Entry) -> bool:
    if not tree.has_metadata or was.kind == "mountpoint":
        return True
    if SELINUX in now.xattrs and SELINUX not in was.xattrs:
        now = replace(now, xattrs={name: value for name, value in now.xattrs.items() if name != SELINUX})
    return was == now


def in_order(paths: Iterable[str]) -> list[str]:
    """The paths in the order in which a host stays bootable: first what a menu names, the menu at the end."""
    return sorted(paths, key=lambda path: (is_menu(path), path.endswith(_LAST_OF_MENU), path))


def is_menu(path: str) -> bool:
    """Whether a boot loader reads in it what can be booted, or what is to be booted."""
    return _MENU.fullmatch(path) is not None


def dump(trees: Sequence[Tree]) -> str:
    """The trees as JSON: the manifest."""
    return json.dumps({"format": _FORMAT, "trees": [_tree_to_json(tree) for tree in trees]}, indent=1)


def _tree_to_json(tree: Tree) -> dict[str, Any]:
    entries = {path: asdict(replace(entry, xattrs=dict(entry.xattrs))) for path, entry in tree.entries.items()}
    return {"mountpoint": tree.mountpoint, "fstype": tree.fstype, "entries": entries}


def load(text: str) -> tuple[Tree, ...]:
    """The trees of a manifest. Raises Refused when it is of a later version of this collection."""
    document = json.loads(text)
    if document["format"] != _FORMAT:
        raise Refused(
            "the backup of /boot cannot be read",
            [f"its format is {document['format']}, expected {_FORMAT}: use the collection's version that made it"],
        )
    return tuple(
        Tree(one["mountpoint"], one["fstype"], {path: Entry(**entry) for path, entry in one["entries"].items()})
        for one in document["trees"]
    )


def checksums(trees: Iterable[Tree]) -> str:
    """A list for ``sha256sum --check`` in the directory of the copies (sha256sum(1), also for how names are quoted)."""
    lines = []
    for tree in trees:
        for path, entry in sorted(tree.entries.items()):
            if entry.kind == "file":
                name = tree.absolute(path).lstrip("/")
                quoted = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
                lines.append(f"{chr(92) if quoted != name else ''}{entry.sha256}  {quoted}\n")
    return "".join(lines)
