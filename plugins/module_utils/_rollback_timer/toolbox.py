# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The toolbox of a rollback timer: programs of the host, copied with all that they load. Private to this collection.

The timer runs when there may be neither network nor Ansible nor Python, and the host's own programs may be broken:
every program that it uses is a copy, with the libraries and the loader that belong to it, and the checksums of all are
verified first.
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
    *("sh", "lvm", "flock", "mount", "umount"),
    *("cp", "date", "ln", "mkdir", "mv", "readlink", "rm", "sha256sum", "sleep", "sync"),
)
"""What the program calls; coreutils, util-linux and LVM."""

CHECKSUMS = "SHA256SUMS"
# As ldd(1) prints them: "libc.so.6 => /lib/... (0x...)", and the loader without a name before it.
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_LOADER = re.compile(r"/ld[-.][^/]*$")


def write_toolbox(place: Path) -> None:
    """Copy the programs and what they need to ``place``. Raises OSError, FilesFailed."""
    (place / "bin").mkdir()
    (place / "lib").mkdir()
    for source, target in toolbox():
        shutil.copyfile(source, place / target)
        (place / target).chmod(0o755)


def toolbox() -> set[tuple[str, str]]:
    """Every file of the toolbox: where it is on the host, and its path in the toolbox.

    Raises FilesFailed when the host has no such program, or one that is no dynamic executable of glibc.
    """
    found = set()
    for name in TOOLS:
        program = os.path.realpath(find_tool(name) or name)
        found.add((program, f"bin/{name}"))
        for library in _LIBRARY.findall(run_tool("ldd", program)):
            found.add((library, "lib/ld" if _LOADER.search(library) else f"lib/{Path(library).name}"))
    return found


def checksums(place: Path) -> str:
    """A list of all files below ``place`` for ``sha256sum --check`` there."""
    return "".join(f"{checksum(path)}  {path.relative_to(place)}\n" for path in _files(place))


def _files(place: Path) -> Iterator[Path]:
    return (path for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink())
