# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How what a boot filesystem holds differs from what was saved of it. Pure; private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .tree import SELINUX, Entry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

# GRUB's image in the boot sectors, and the directory of its modules that fit this image alone.
_BIOS_IMAGE = re.compile(r"(grub2?/i386-pc)/core\.img")


@dataclass(frozen=True)
class Difference:
    """How what is there differs from what was kept, as paths; parents come before what they hold.

    ``changed`` have other content or are of another kind, ``altered`` only other owners, modes, times or attributes.
    ``left`` belongs to a boot loader that was installed anew, and stays as it is.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether all is as it was, but for what is left."""
        return not (self.missing or self.changed or self.altered or self.extra)


def compare(kept: Tree, present: Tree) -> Difference:
    """How ``present`` differs from ``kept``.

    When GRUB was installed anew in the boot sectors of a BIOS host, its modules stay: those of another build do not fit
    the image in the sectors, and GRUB would not start (grub-install(8) writes both, and so has the same moment).
    """
    stays = tuple(f"{directory}/" for directory in _reinstalled(kept, present))
    was, now = kept.entries, present.entries
    known = was.keys() & now.keys()
    changed = [path for path in known if was[path].content != now[path].content]
    altered = [path for path in known if path not in changed and not _same(kept, was[path], now[path])]
    found = {
        "missing": was.keys() - now.keys(),
        "changed": changed,
        "altered": altered,
        "extra": now.keys() - was.keys(),
    }
    left = sorted(path for paths in found.values() for path in paths if path.startswith(stays)) if stays else []
    return Difference(
        left=tuple(left), **{name: tuple(sorted(set(paths) - set(left))) for name, paths in found.items()}
    )


def _reinstalled(kept: Tree, present: Tree) -> Iterator[str]:
    for path, entry in kept.entries.items():
        match = _BIOS_IMAGE.fullmatch(path)
        now = present.entries.get(path)
        if match and now is not None and now.content != entry.content:
            yield match[1]


def _same(tree: Tree, was: Entry, now: Entry) -> bool:
    if not tree.has_metadata or was.kind == "mountpoint":
        return True
    if SELINUX in now.xattrs and SELINUX not in was.xattrs:
        now = replace(now, xattrs={name: value for name, value in now.xattrs.items() if name != SELINUX})
    return was == now
