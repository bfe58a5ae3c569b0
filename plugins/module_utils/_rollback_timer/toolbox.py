# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The toolbox of a rollback timer: copies of programs with their libraries. Private to this collection.

The timer may run without network, Ansible and Python, and the programs of the host may be broken. So it uses only
copies of programs, with their libraries and their loader, and verifies all checksums first.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.process import find_tool, run_tool
from .._host.reading import checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = (
    *("sh", "dmsetup", "lvm", "flock", "mount", "umount"),
    *("cat", "cp", "date", "ln", "mkdir", "mv", "readlink", "rm", "sha256sum", "sleep", "stat", "sync"),
)
"""The programs that the timer needs, from coreutils, util-linux and LVM."""
_USEFUL_TOOLS = ("wall", "kexec")

CHECKSUMS = "SHA256SUMS"
# A line of ldd(1): "libc.so.6 => /lib/... (0x...)". The line of the loader has only the path.
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_LOADER = re.compile(r"/ld[-.][^/]*$")


def write_toolbox(place: Path) -> None:
    """Copy the programs and all that they need to the directory ``place``. Raises OSError, FilesFailed."""
    (place / "bin").mkdir()
    (place / "lib").mkdir()
    for source, target in toolbox():
        shutil.copyfile(source, place / target)
        (place / target).chmod(0o755)


def toolbox() -> set[tuple[str, str]]:
    """Return every file of the toolbox: its path on the host, and its path in the toolbox.

    Raises FilesFailed if a program is missing, or is not a dynamic executable of glibc.
    """
    found = set()
    for name in (*TOOLS, *(name for name in _USEFUL_TOOLS if find_tool(name))):
        program = os.path.realpath(find_tool(name) or name)
        found.add((program, f"bin/{name}"))
        for library in _LIBRARY.findall(run_tool("ldd", program)):
            found.add((library, "lib/ld" if _LOADER.search(library) else f"lib/{Path(library).name}"))
    return found


def checksums(place: Path) -> str:
    """Return the checksums of all files below ``place``, as input for ``sha256sum --check``, run in ``place``."""
    return "".join(f"{checksum(path)}  {path.relative_to(place)}\n" for path in _files(place))


def _files(place: Path) -> Iterator[Path]:
    return (path for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink())
