# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a backup of /boot that are not LVM commands: save, restore, undo a restoration. Private."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._boot_files.difference import compare
from .._boot_files.manifest import copies_of
from .._boot_files.rule import is_menu
from .._boot_files.scan import rescan
from .._boot_files.tree import workspace
from .._errors import FilesFailed
from .._host.efi import write_variable
from .._host.filesystem import mounted
from .._host.hold import hold, release
from .._steps import FileChange, HostStep
from .restore import Site, keep_variables, make_bootable, make_exact, undo
from .volume import check_unchanged, write_backup

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._boot_files.difference import Difference
    from .._boot_files.firmware import Firmware
    from .._boot_files.tree import Entry, Tree
    from .._steps import Runner


@dataclass(frozen=True)
class SaveBoot(HostStep):
    """Create a filesystem with ``inodes`` inodes on ``device``, and copy ``trees`` and ``firmware`` to it."""

    device: str
    trees: tuple[Tree, ...]
    firmware: Firmware
    inodes: int

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "save",
            "mountpoints": [tree.mountpoint for tree in self.trees],
            "files": sum(tree.files for tree in self.trees),
            "bytes": sum(tree.size for tree in self.trees),
        }

    def carry_out(self, _runner: Runner) -> None:
        """Copy, verify the copies, and check that nothing changed meanwhile. Raises FilesFailed, OSError."""
        write_backup(self.device, self.trees, self.firmware, inodes=self.inodes)
        check_unchanged(self.trees)


@dataclass(frozen=True)
class RestoreBoot(HostStep):
    """Restore one boot filesystem from the backup on ``device``.

    ``saved`` is its content in the backup, ``present`` its content now, ``difference`` how they differ. ``final`` says
    that the rest of the host has been rolled back. Only then what the change has added is removed: until then the host
    may have to boot with it. ``refused`` says that the firmware may refuse the saved boot loaders.
    """

    device: str
    backup_id: str
    saved: Tree
    present: Tree
    difference: Difference
    final: bool
    refused: bool = False

    @property
    def removed(self) -> tuple[str, ...]:
        """The paths to remove: all extra ones if ``final``, otherwise only those of the boot menu."""
        return self.difference.extra if self.final else tuple(filter(is_menu, self.difference.extra))

    @property
    def altered(self) -> tuple[str, ...]:
        """The paths whose owners, modes and times are restored."""
        return self.difference.altered if self.final else ()

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {
            "step": "restore",
            "mountpoint": self.saved.mountpoint,
            "added": list(self.difference.missing),
            "replaced": list(self.difference.changed),
            "removed": list(self.removed),
            "altered": list(self.altered),
        }

    def changed_files(self) -> list[FileChange]:
        """The files that change, for the diff: size and checksum, never their content."""
        paths = sorted({*self.difference.missing, *self.difference.changed, *self.removed})
        before, after = self.present.entries, self.saved.entries
        return [
            FileChange(
                self.saved.absolute(path),
                before=describe_entry(before.get(path)),
                after="" if path in self.removed else describe_entry(after.get(path)),
            )
            for path in paths
        ]

    def carry_out(self, _runner: Runner) -> None:
        """Restore and verify. Raises FilesFailed, OSError."""
        with mounted(self.device) as backup:
            site = Site(self.saved, copies_of(backup, self.saved), workspace(self.saved.mountpoint, self.backup_id))
            (make_exact if self.final else make_bootable)(site, self.difference)
            check_restored(self.saved, rescan(self.saved), refused=self.refused, final=self.final)


def check_restored(saved: Tree, now: Tree, *, refused: bool, final: bool) -> None:
    """Raise FilesFailed if a boot filesystem is not as it was restored."""
    found = compare(saved, now, refused=refused)
    wrong = (*found.missing, *found.changed, *((*found.altered, *found.extra) if final else ()))
    if wrong:
        raise FilesFailed(
            f"{saved.mountpoint} was restored, but these paths still differ from the backup: "
            f"{', '.join(wrong)}. Another program writes there: stop it, then run this again",
            changed=True,
        )


@dataclass(frozen=True)
class RestoreFirmware(HostStep):
    """Restore boot entries and their order in the firmware: write ``after``, of which ``before`` are the present ones.

    The replaced ones are kept in the workspace ``work``; not if that is None, because nothing is undone any more.
    """

    before: Mapping[str, bytes] = field(repr=False)
    after: Mapping[str, bytes] = field(repr=False)
    work: Path | None

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "restore_firmware", "variables": sorted(self.after)}

    def carry_out(self, _runner: Runner) -> None:
        """Write the variables. Raises OSError."""
        if self.work is not None:
            keep_variables(self.work, self.before, self.after)
        for name, value in self.after.items():
            write_variable(name, value)


@dataclass(frozen=True)
class HoldBoot(HostStep):
    """Make the restored boot filesystems read-only until the reboot, and compare them with ``saved`` once more."""

    saved: tuple[Tree, ...]
    backup_id: str
    refused: bool

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "make_read_only", "mountpoints": [tree.mountpoint for tree in self.saved]}

    def carry_out(self, _runner: Runner) -> None:
        """Make them read-only. Raises FilesFailed if one is in use or has changed, OSError."""
        for tree in self.saved:
            hold(tree.mountpoint, self.backup_id)
        for tree in self.saved:
            check_restored(tree, rescan(tree), refused=self.refused, final=False)


@dataclass(frozen=True)
class ReleaseBoot(HostStep):
    """Make boot filesystems writable that were made read-only until the reboot."""

    mountpoints: tuple[str, ...]

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "make_writable", "mountpoints": list(self.mountpoints)}

    def carry_out(self, _runner: Runner) -> None:
        """Make them writable. Raises FilesFailed, OSError."""
        for mountpoint in self.mountpoints:
            release(mountpoint)


@dataclass(frozen=True)
class UndoRestore(HostStep):
    """Undo the restoration of a boot filesystem: bring back the files that it replaced."""

    mountpoint: str
    backup_id: str

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "undo_restore", "mountpoint": self.mountpoint}

    def carry_out(self, _runner: Runner) -> None:
        """Undo it. Raises OSError."""
        undo(workspace(self.mountpoint, self.backup_id))


def describe_entry(entry: Entry | None) -> str:
    """Describe an entry for the diff, without its content."""
    if entry is None:
        return ""
    if entry.kind == "file":
        return f"{entry.size} bytes, sha256 {entry.sha256}"
    return f"link to {entry.target}" if entry.kind == "link" else entry.kind
