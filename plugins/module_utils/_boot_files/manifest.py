# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was saved of boot filesystems, as the backup has it: copies, checksums and a manifest. Private."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._errors import FilesFailed, Refused
from .tree import FORMAT, Entry, Tree, digest, dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_COPIES, _MANIFEST, _CHECKSUMS = "tree", "manifest.json", "SHA256SUMS"


def write_manifest(place: Path, trees: Sequence[Tree]) -> str:
    """Write down ``trees`` in the backup mounted at ``place``; the checksum of the manifest. Raises OSError."""
    manifest = dump(trees)
    (place / _CHECKSUMS).write_text(checksums(trees), encoding="utf-8", errors="surrogateescape")
    (place / _MANIFEST).write_text(manifest, encoding="ascii")
    return digest(manifest)


def read_manifest(place: Path, checksum: str) -> tuple[Tree, ...]:
    """What the backup mounted at ``place`` holds. Raises FilesFailed when its manifest is not the sealed one."""
    text = (place / _MANIFEST).read_text(encoding="ascii", errors="replace")
    if digest(text) != checksum:
        raise FilesFailed("the manifest of the backup of /boot is damaged: its checksum is not the one in the tag")
    return load(text)


def copies_of(place: Path, tree: Tree) -> Path:
    """Where in the backup mounted at ``place`` the copies of a tree are."""
    return place / _COPIES / tree.mountpoint.lstrip("/")


def load(text: str) -> tuple[Tree, ...]:
    """The trees of a manifest. Raises Refused when it is of a later version of this collection."""
    document = json.loads(text)
    if document["format"] != FORMAT:
        raise Refused(
            "the backup of /boot cannot be read",
            [f"its format is {document['format']}, expected {FORMAT}: use the collection's version that made it"],
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
