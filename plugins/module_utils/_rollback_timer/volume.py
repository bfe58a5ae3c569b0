# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create, fill and verify the filesystem of a rollback timer. Private to this collection."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.files import sync, write_atomically
from .._host.filesystem import make_filesystem, mounted
from .._host.process import run_tool
from .toolbox import CHECKSUMS, checksums, write_toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping

TERM = "term"
"""The file with what was requested."""

_LVM_ETC = Path("/etc/lvm")
_INODES = 512


def write_timer(
    device: str, uuid: str, files: Mapping[str, str], changing: Mapping[str, str], *, lock: int = -1
) -> None:
    """Create the filesystem on ``device`` with all that the program needs, and let the program verify it.

    If this process is killed meanwhile, the host stays locked by ``lock`` until the program has ended.

    ``files`` are texts by file name, including the program. The files in ``changing`` are changed later, so their
    checksums are not recorded. Raises FilesFailed, OSError.
    """
    make_filesystem(device, inodes=_INODES, journal=True, uuid=uuid)
    with mounted(device, writable=True, executable=True) as top:
        write_toolbox(top)
        if _LVM_ETC.is_dir():
            shutil.copytree(_LVM_ETC, top / "lvm", ignore=shutil.ignore_patterns("archive", "backup", "cache"))
        _write(top, files)
        (top / CHECKSUMS).write_text(checksums(top), encoding="utf-8")
        _write(top, changing)
        _restrict(top)
        # Only this filesystem: another one may hang.
        sync(top)
        loader, library = str(top / "lib" / "ld"), str(top / "lib")
        argv = (loader, "--library-path", library, f"{top}/bin/sh", f"{top}/go-back", str(top), "--check")
        run_tool(*argv, pass_fds=() if lock < 0 else (lock,))


def write_term(device: str, text: str) -> None:
    """Replace the request of the timer on ``device``, which its program has mounted too.

    Raises FilesFailed, OSError.
    """
    with mounted(device, writable=True) as top:
        write_atomically(top / TERM, text, mode=0o600)


def _write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (top / name).write_text(text, encoding="utf-8", errors="surrogateescape")


def _restrict(top: Path) -> None:
    """Let only root read the files, whatever the umask of the task: they name all that is in /boot."""
    for path in (top, *top.rglob("*")):
        is_program = path.parent in (top / "bin", top / "lib")
        path.chmod(0o700 if path.is_dir() or is_program else 0o600)
