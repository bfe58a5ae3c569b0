# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print a line for each file below the given directories: type and mode, owner, time, and checksum."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

# LVM stores its own history here, and writes to it whenever a snapshot is created or removed.
LEFT_OUT = ("/etc/lvm/archive", "/etc/lvm/backup")
# On vfat only the content of files is restored: docs/boot.md.
WITHOUT_TIMES = "/boot/efi/"


def lines(root: Path) -> Iterator[str]:
    """Yield the lines of a directory, sorted."""
    for path in sorted(root.rglob("*")):
        if not str(path).startswith(LEFT_OUT):
            facts = path.lstat()
            owner = f"{facts.st_mode:o} {facts.st_uid}:{facts.st_gid}"
            yield f"{owner} {_since(path, facts)} {_content(path, facts)} {path}"


def _since(path: Path, facts: os.stat_result) -> int:
    return 0 if stat.S_ISDIR(facts.st_mode) or str(path).startswith(WITHOUT_TIMES) else facts.st_mtime_ns


def _content(path: Path, facts: os.stat_result) -> str:
    if stat.S_ISLNK(facts.st_mode):
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(facts.st_mode) else "-"


for argument in sys.argv[1:]:
    print(*lines(Path(argument)), sep="\n")
