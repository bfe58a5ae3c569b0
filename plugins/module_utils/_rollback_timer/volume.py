# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create, fill and verify the filesystem of a rollback timer. Private to this collection."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.filesystem import make_filesystem, mounted
from .._host.process import run_tool
from .toolbox import CHECKSUMS, checksums, write_toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping

_LVM_ETC = Path("/etc/lvm")
_INODES = 512


def write_timer(device: str, files: Mapping[str, str], changing: Mapping[str, str]) -> None:
    """Create the filesystem on ``device`` with all that the program needs, and let the program verify it.

    ``files`` are texts by file name, including the program. The program itself changes the files in ``changing``, so
    their checksums are not recorded. Raises FilesFailed, OSError.
    """
    make_filesystem(device, inodes=_INODES, journal=True)
    with mounted(device, writable=True, executable=True) as top:
        write_toolbox(top)
        if _LVM_ETC.is_dir():
            shutil.copytree(_LVM_ETC, top / "lvm", ignore=shutil.ignore_patterns("archive", "backup", "cache"))
        _write(top, files)
        (top / CHECKSUMS).write_text(checksums(top), encoding="utf-8")
        _write(top, changing)
        os.sync()
        loader, library = str(top / "lib" / "ld"), str(top / "lib")
        run_tool(loader, "--library-path", library, f"{top}/bin/sh", f"{top}/go-back", str(top), "--check")


def _write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (top / name).write_text(text, encoding="utf-8", errors="surrogateescape")
