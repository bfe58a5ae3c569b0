# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of a backup: copies of the files, a list of checksums and a manifest. Private to this collection."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NoReturn

from .._errors import FilesFailed, Refused
from .._paths import BOOT_MOUNTPOINTS
from .firmware import Firmware
from .tree import FORMAT, Entry, Manifest, Tree, digest, dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_COPIES, _MANIFEST, _CHECKSUMS, _FIRMWARE = "tree", "manifest.json", "SHA256SUMS", "firmware"


def write_manifest(backup: Path, trees: Sequence[Tree], firmware: Firmware) -> str:
    """Write the manifest and the checksums into the backup that is mounted at ``backup``, and each variable as a file.

    Returns the checksum of the manifest. Raises OSError.
    """
    manifest = dump(trees, firmware)
    (backup / _CHECKSUMS).write_text(checksums(trees, firmware), encoding="utf-8", errors="surrogateescape")
    (backup / _FIRMWARE).mkdir(mode=0o700)
    for name, value in firmware.variables.items():
        (backup / _FIRMWARE / name).write_bytes(value)
    (backup / _MANIFEST).write_text(manifest, encoding="ascii")
    return digest(manifest)


def read_manifest(backup: Path, checksum: str) -> Manifest:
    """Return what the backup that is mounted at ``backup`` contains.

    Raises FilesFailed if its manifest does not have ``checksum``, Refused if its format is another one, and OSError.
    """
    text = (backup / _MANIFEST).read_text(encoding="ascii", errors="replace")
    if digest(text) != checksum:
        raise FilesFailed("the backup of /boot is damaged: the checksum of its manifest is not the one in its LVM tag")
    return load(text)


def copies_of(backup: Path, tree: Tree) -> Path:
    """Return the directory with the copies of ``tree`` in the backup that is mounted at ``backup``."""
    return backup / _COPIES / tree.mountpoint.lstrip("/")


def load(text: str) -> Manifest:
    """Parse a manifest. Raises Refused if its format is another one, or if a path leads out of /boot.

    The checksum does not show who wrote the manifest: whoever can write the VG can also write the tag with it.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            _refuse(
                f"its format is {document['format']} and must be {FORMAT}: use the collection's version that made it"
            )
        trees = tuple(
            Tree(one["mountpoint"], one["fstype"], {path: Entry(**entry) for path, entry in one["entries"].items()})
            for one in document["trees"]
        )
        # The first version of this collection did not save what the firmware keeps.
        firmware = Firmware.from_json(document.get("firmware", {}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _refuse(f"its manifest is not valid ({type(error).__name__}: {error})")
    for tree in trees:
        if tree.mountpoint not in BOOT_MOUNTPOINTS:
            _refuse(f"its manifest names {tree.mountpoint!r}, which is none of {', '.join(BOOT_MOUNTPOINTS)}")
        for path in tree.entries:
            if not _is_inside(tree, path):
                _refuse(f"its manifest names {path!r}, which is not a path below {tree.mountpoint}")
    return Manifest(trees, firmware)


def _refuse(problem: str) -> NoReturn:
    raise Refused("cannot read the backup of /boot", [problem])


def _is_inside(tree: Tree, path: str) -> bool:
    """Whether a path stays on the filesystem: it is relative, and every directory above it is one of the tree."""
    parts = path.split("/")
    parents = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return path == "." or (
        not {"", ".", ".."} & {*parts}
        and all(parent in tree.entries and tree.entries[parent].kind == "directory" for parent in parents)
    )


def checksums(trees: Iterable[Tree], firmware: Firmware) -> str:
    """Return the checksums of all files and variables as input for ``sha256sum --check``.

    It must run in the directory of the copies. sha256sum(1) describes the format, and how it escapes names.
    """
    lines = [
        f"{hashlib.sha256(value).hexdigest()}  ../{_FIRMWARE}/{name}\n"
        for name, value in sorted(firmware.variables.items())
    ]
    for tree in trees:
        for path, entry in sorted(tree.entries.items()):
            if entry.kind == "file":
                name = tree.absolute(path).lstrip("/")
                quoted = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
                lines.append(f"{chr(92) if quoted != name else ''}{entry.sha256}  {quoted}\n")
    return "".join(lines)
