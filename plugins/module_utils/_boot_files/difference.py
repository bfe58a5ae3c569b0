# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the content of a boot filesystem with what was saved. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .rule import is_left_alone, parts_left_alone, spelled_as
from .tree import SELINUX, Entry, Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from .firmware import Firmware
    from .tree import Manifest


@dataclass(frozen=True)
class Difference:
    """The paths in which the present content differs from the saved content. Parents come before their children.

    ``missing`` were saved and no longer exist. ``changed`` differ in content or type. ``altered`` differ only in owner,
    mode, time or extended attributes. ``extra`` were not saved. ``untouched`` differ as well, but must stay as they
    are, because ``parts`` do (``_boot_files.rule``).
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    untouched: tuple[str, ...] = ()
    parts: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, apart from ``untouched``."""
        return not (self.missing or self.changed or self.altered or self.extra)


def compare(saved: Tree, present: Tree, *, refused: bool = False) -> Difference:
    """Return how ``present`` differs from ``saved``; ``refused`` if the firmware may refuse the saved boot loaders."""
    present = spelled_as(present, saved)
    parts = parts_left_alone(saved, present, refused=refused)
    was, now = saved.entries, present.entries
    common = was.keys() & now.keys()
    changed = {path for path in common if was[path].content != now[path].content}
    altered = [path for path in common if path not in changed and not _same_metadata(saved, was[path], now[path])]
    found = {
        "missing": [path for path in was if path not in now and was[path].kind != "left_out"],
        "changed": changed,
        "altered": altered,
        "extra": now.keys() - was.keys(),
    }
    untouched = _untouched(found, now, parts)
    reported = (path for path in untouched if path not in now or now[path].kind != "left_out")
    return Difference(
        untouched=tuple(sorted(reported)),
        parts=parts,
        **{name: tuple(sorted(set(paths) - untouched)) for name, paths in found.items()},
    )


def changes_since(saved: Manifest, trees: Sequence[Tree], firmware: Firmware) -> Iterator[str]:
    """What is no longer as it was saved: paths, whole filesystems, or the variables of the firmware."""
    present = {tree.mountpoint: tree for tree in trees}
    for was in saved.trees:
        now = present.pop(was.mountpoint, None)
        if now is None:
            yield f"the filesystem at {was.mountpoint}"
            continue
        found = compare(was, now)
        paths = (*found.missing, *found.changed, *found.altered, *found.extra, *found.untouched)
        yield from map(was.absolute, sorted(paths))
    yield from (f"the filesystem at {mountpoint}" for mountpoint in present)
    if saved.firmware != firmware:
        yield "the variables of the firmware"


def _untouched(found: Mapping[str, Collection[str]], now: Mapping[str, Entry], parts: frozenset[str]) -> frozenset[str]:
    """The paths that stay as they are, and the added directories in which there is one."""
    left = {
        path
        for name, paths in found.items()
        for path in paths
        if is_left_alone(path, parts, added=name == "extra") or (path in now and now[path].kind == "left_out")
    }
    parents = {
        "/".join(parts[:depth]) for parts in (path.split("/") for path in left) for depth in range(1, len(parts))
    }
    return frozenset(left | (parents & {*found["extra"]}))


def _same_metadata(tree: Tree, was: Entry, now: Entry) -> bool:
    if not tree.has_metadata or not was.has_metadata:
        return True
    if SELINUX in now.xattrs and SELINUX not in was.xattrs:
        now = replace(now, xattrs={name: value for name, value in now.xattrs.items() if name != SELINUX})
    return was == now
