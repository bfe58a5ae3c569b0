# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follow symbolic links to what a path really lies on, without a look at a network. Private to this collection."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._host_model import MountTable

# As many as the kernel follows (path_resolution(7)).
_MOST_LINKS = 40


def resolve(table: MountTable, path: str) -> str:
    """Return ``path`` without symbolic links, as far as they are on local filesystems. Nothing needs to exist.

    A mountpoint is never a link, so it is not looked at: that alone could wait for a server that does not answer.
    """
    todo = path.split("/")[::-1]
    here, links = "/", 0
    while todo:
        name = todo.pop()
        if name == "..":
            here = str(Path(here).parent)
            continue
        there = here if name in ("", ".") else f"{here.rstrip('/')}/{name}"
        target = "" if there == here else _target(table, here, there)
        if not target:
            here = there
            continue
        links += 1
        if links > _MOST_LINKS:
            return path
        todo += target.split("/")[::-1]
        here = "/" if target.startswith("/") else here
    return here


def _target(table: MountTable, directory: str, path: str) -> str:
    if table.at(path) is not None or not table.is_safe(directory):
        return ""
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def links_out_of(table: MountTable, directories: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the links in ``directories`` that lead to another filesystem, each with the path that it leads to."""
    for directory in directories:
        place = resolve(table, directory)
        for name in _links_in(table, place):
            path = f"{directory}/{name}"
            target = resolve(table, path)
            if table.lies_on(target) != table.lies_on(place):
                yield path, target


def _links_in(table: MountTable, directory: str) -> list[str]:
    if not table.is_safe(directory):
        return []
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_symlink())
    except OSError:
        return []
