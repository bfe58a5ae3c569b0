# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a boot entry depend on, as a value. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .entries import preview_digest, preview_mounts
from .grub import entry_id

if TYPE_CHECKING:
    from .._host_model import Mount
    from .._model import HostState
    from .._snapset.context import SnapsetContext
    from .entries import InitramfsKind, Kernel
    from .grub import Grub, InstalledEntry
    from .units import Services


@dataclass(frozen=True)
class Source:
    """What an entry is made from: a kernel in the backup, the kind of its initramfs, and their size in bytes.

    ``kind`` is what ``initramfs_kind`` returns, None if unknown.
    """

    kernel: Kernel
    kind: tuple[InitramfsKind, str] | None
    size: int


@dataclass(frozen=True)
class EntryObserved:
    """The snapset, its backup, GRUB, the boot entries of the host, and /boot.

    ``found`` are all entries, ``intact`` the snapset IDs of those with unchanged files, ``sizes`` their sizes in bytes
    by snapset ID. ``editor`` is the program for GRUB's environment block, empty if missing. ``environment_mount`` is
    the filesystem with that block. ``boot_free`` is the free space of /boot in bytes, None if /boot is not a separate
    filesystem. ``boot_device`` is its device. ``kernels`` are those in the backup; they are None if the plan does not
    depend on them, or if the backup does not contain /boot. ``source`` is the requested kernel.
    """

    context: SnapsetContext
    grub: Grub | None
    editor: str
    environment_mount: Mount | None
    found: tuple[InstalledEntry, ...]
    intact: frozenset[str]
    sizes: dict[str, int]
    boot_free: int | None
    boot_read_only: bool
    boot_device: str
    command_line: str
    kernels: tuple[Kernel, ...] | None = None
    source: Source | None = None

    @property
    def host_state(self) -> HostState:
        """The state of LVM and of the host."""
        return self.context.host_state

    @property
    def set_entry(self) -> InstalledEntry | None:
        """The entry of the current snapset instance, else one of an earlier instance of the same name, else None."""
        named = [one for one in self.found if one.name == self.context.name]
        return next((one for one in named if one.set_id == self.context.set_id), next(iter(named), None))

    @property
    def removable(self) -> list[InstalledEntry]:
        """The entries to remove: those of all instances of the snapset, and those of interrupted runs."""
        return [one for one in self.found if one.name in (self.context.name, "") or one.set_id == self.context.set_id]

    @property
    def removable_ids(self) -> list[str]:
        """The snapset IDs of these entries, and of the current instance, whose entry may exist only in part."""
        return sorted({set_id for set_id in (*(one.set_id for one in self.removable), self.context.set_id) if set_id})

    @property
    def is_chosen(self) -> bool:
        """Whether one of these entries is chosen for the next boot."""
        chosen = self.grub.chosen if self.grub else ""
        return chosen in {entry_id(set_id) for set_id in self.removable_ids}

    def is_current(self, kernel: str | None, services: Services) -> bool:
        """Whether the entry exists, is in the menu, is intact, and shows the current instance as requested."""
        found, instance, grub = self.set_entry, self.context.instance, self.grub
        if found is None or instance is None or grub is None or found.set_id != instance.set_id or found.sums is None:
            return False
        in_menu = entry_id(instance.set_id) in grub.custom
        digest = preview_digest(preview_mounts(self.host_state, instance), services)
        as_requested = kernel in (None, found.kernel) and found.digest == digest
        return in_menu and as_requested and found.set_id in self.intact
