# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of a backup: copies of the files, a list of checksums and a manifest. Private to this collection."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from .._errors import FilesFailed, Refused
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
    """Parse a manifest. Raises Refused if another version of this collection wrote it."""
    document = json.loads(text)
    if document["format"] != FORMAT:
        raise Refused(
            "cannot read the backup of /boot",
            [f"its format is {document['format']} and must be {FORMAT}: use the collection's version that made it"],
        )
    trees = tuple(
        Tree(one["mountpoint"], one["fstype"], {path: Entry(**entry) for path, entry in one["entries"].items()})
        for one in document["trees"]
    )
    # The first version of this collection did not save what the firmware keeps.
    return Manifest(trees, Firmware.from_json(document.get("firmware", {})))


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
