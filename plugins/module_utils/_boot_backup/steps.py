# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a backup of /boot that are no LVM command: save, restore, take a restoration back. Private."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._boot_files.difference import compare
from .._boot_files.manifest import copies_of
from .._boot_files.tree import is_menu
from .._errors import FilesFailed
from .._host.filesystem import mounted
from .._steps import FileChange
from .restore import Site, make_bootable, make_exact, undo, workspace
from .volume import check_unchanged, write_backup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_files.difference import Difference
    from .._boot_files.tree import Entry, Tree
    from .._steps import Runner


@dataclass(frozen=True)
class SaveBoot:
    """Copy ``trees`` to the filesystem that is made on ``device``, with room for ``inodes`` entries."""

    device: str
    trees: tuple[Tree, ...]
    inodes: int
    changes = True
    vgs = ()

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "save",
            "mountpoints": [tree.mountpoint for tree in self.trees],
            "files": sum(tree.files for tree in self.trees),
            "bytes": sum(tree.size for tree in self.trees),
        }

    def carry_out(self, _runner: Runner) -> None:
        """Copy, read it back, and look that nothing has changed meanwhile. Raises FilesFailed, OSError."""
        write_backup(self.device, self.trees, inodes=self.inodes)
        check_unchanged(self.trees)


@dataclass(frozen=True)
class RestoreBoot:
    """Bring one boot filesystem back from the backup on ``device``.

    ``kept`` is what it was, ``difference`` how it differs now. When the rest of the host is back (``final``) what the
    change has added goes as well; before that the host may have to boot with it.
    """

    device: str
    backup_id: str
    kept: Tree
    present: Tree
    difference: Difference
    final: bool
    changes = True
    vgs = ()

    @property
    def removed(self) -> tuple[str, ...]:
        """What goes; before the end only what the boot menu would show."""
        return self.difference.extra if self.final else tuple(filter(is_menu, self.difference.extra))

    @property
    def altered(self) -> tuple[str, ...]:
        """What gets its owners, modes and times back."""
        return self.difference.altered if self.final else ()

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "restore",
            "mountpoint": self.kept.mountpoint,
            "added": list(self.difference.missing),
            "replaced": list(self.difference.changed),
            "removed": list(self.removed),
            "altered": list(self.altered),
        }

    def changed_files(self) -> list[FileChange]:
        """What becomes another file: size and checksum, never what is in it."""
        paths = sorted({*self.difference.missing, *self.difference.changed, *self.removed})
        was, will = self.present.entries, {**self.kept.entries}
        return [
            FileChange(
                self.kept.absolute(path),
                before=described(was.get(path)),
                after="" if path in self.removed else described(will.get(path)),
            )
            for path in paths
        ]

    def carry_out(self, _runner: Runner) -> None:
        """Bring it back and verify it. Raises FilesFailed, OSError."""
        with mounted(self.device) as place:
            site = Site(self.kept, copies_of(place, self.kept), workspace(self.kept.mountpoint, self.backup_id))
            (make_exact if self.final else make_bootable)(site, self.difference)
            now = compare(site.kept, site.present())
        wrong = (*now.missing, *now.changed, *((*now.altered, *now.extra) if self.final else ()))
        if wrong:
            raise FilesFailed(
                f"{self.kept.mountpoint} was restored, but these differ from the backup: {', '.join(wrong)}. Something "
                "else writes there: run this again",
                changed=True,
            )


@dataclass(frozen=True)
class UndoRestore:
    """Put back on a boot filesystem what a restoration from a backup has replaced there."""

    mountpoint: str
    backup_id: str
    changes = True
    vgs = ()

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "undo_restore", "mountpoint": self.mountpoint}

    def carry_out(self, _runner: Runner) -> None:
        """Put it back. Raises OSError."""
        undo(workspace(self.mountpoint, self.backup_id))


def described(entry: Entry | None) -> str:
    """What a file is, for the diff: nothing of what is in it."""
    if entry is None:
        return ""
    if entry.kind == "file":
        return f"{entry.size} bytes, sha256 {entry.sha256}"
    return f"link to {entry.target}" if entry.kind == "link" else entry.kind
