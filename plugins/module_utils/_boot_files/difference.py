# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the content of a boot filesystem with what was saved. Pure; private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .tree import SELINUX, Entry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

# GRUB's core image for BIOS hosts. The modules in the same directory fit only this image.
_BIOS_IMAGE = re.compile(r"(grub2?/i386-pc)/core\.img")


@dataclass(frozen=True)
class Difference:
    """The paths in which the present content differs from the saved content. Parents come before their children.

    ``missing`` were saved and no longer exist. ``changed`` differ in content or type. ``altered`` differ only in owner,
    mode, time or extended attributes. ``extra`` were not saved. ``untouched`` differ as well, but belong to a GRUB that
    was reinstalled since then, and must stay as they are.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, apart from ``untouched``."""
        return not (self.missing or self.changed or self.altered or self.extra)


def compare(saved: Tree, present: Tree) -> Difference:
    """Return how ``present`` differs from ``saved``.

    If GRUB was reinstalled on a BIOS host, its directory is ``untouched``. grub-install(8) writes the boot sectors and
    the modules together: with modules of another build, the image in the boot sectors would not start.
    """
    reinstalled = tuple(f"{directory}/" for directory in _reinstalled(saved, present))
    was, now = saved.entries, present.entries
    common = was.keys() & now.keys()
    changed = [path for path in common if was[path].content != now[path].content]
    altered = [path for path in common if path not in changed and not _same_metadata(saved, was[path], now[path])]
    found = {
        "missing": was.keys() - now.keys(),
        "changed": changed,
        "altered": altered,
        "extra": now.keys() - was.keys(),
    }
    untouched: list[str] = []
    if reinstalled:
        untouched = sorted(path for paths in found.values() for path in paths if path.startswith(reinstalled))
    return Difference(
        untouched=tuple(untouched),
        **{name: tuple(sorted(set(paths) - set(untouched))) for name, paths in found.items()},
    )


def _reinstalled(saved: Tree, present: Tree) -> Iterator[str]:
    for path, entry in saved.entries.items():
        match = _BIOS_IMAGE.fullmatch(path)
        now = present.entries.get(path)
        if match and now is not None and now.content != entry.content:
            yield match[1]


def _same_metadata(tree: Tree, was: Entry, now: Entry) -> bool:
    if not tree.has_metadata or was.kind == "mountpoint":
        return True
    if SELINUX in now.xattrs and SELINUX not in was.xattrs:
        now = replace(now, xattrs={name: value for name, value in now.xattrs.items() if name != SELINUX})
    return was == now
