# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plans for a boot entry depend on: the set, its backup, GRUB, the entries, /boot. Pure; private."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .entries import preview_digest, preview_mounts
from .grub import entry_id

if TYPE_CHECKING:
    from .._model import HostState, Mount
    from .._snapset.context import SnapsetContext
    from .entries import InitramfsKind, Kernel
    from .grub import Found, Grub


@dataclass(frozen=True)
class Source:
    """What an entry is made from: a kernel of the backup, and the kind of its initramfs, None when unknown."""

    kernel: Kernel
    kind: tuple[InitramfsKind, str] | None
    size: int


@dataclass(frozen=True)
class EntryObserved:
    """What is there of a set and of boot entries.

    ``found`` are all entries, ``intact`` those whose files are as they were made, ``sizes`` their bytes, each by the id
    of the set. ``kernels`` are those of the backup, None where no plan depends on them or it has no /boot; ``source``
    is the one asked for. ``boot_free`` are the bytes free in /boot, None when it is not a filesystem of its own.
    """

    now: SnapsetContext
    grub: Grub | None
    editor: str
    environment_mount: Mount | None
    found: tuple[Found, ...]
    intact: frozenset[str]
    sizes: dict[str, int]
    bls_files: frozenset[str]
    boot_free: int | None
    boot_read_only: bool
    boot_device: str
    command_line: str
    kernels: tuple[Kernel, ...] | None = None
    source: Source | None = None

    @property
    def host_state(self) -> HostState:
        """LVM, and the host around it."""
        return self.now.host_state

    @property
    def mine(self) -> Found | None:
        """The entry of the set, as it is or of an earlier creation."""
        found = [one for one in self.found if one.name == self.now.name]
        return next((one for one in found if one.set_id == self.now.set_id), next(iter(found), None))

    @property
    def own(self) -> list[Found]:
        """The entries of the set, whenever it was created, and what interrupted runs have left."""
        return [one for one in self.found if one.name in (self.now.name, "") or one.set_id == self.now.set_id]

    @property
    def own_set_ids(self) -> list[str]:
        """The ids of those, and of the set as it is, of which only a part may be there."""
        return sorted({set_id for set_id in (*(one.set_id for one in self.own), self.now.set_id) if set_id})

    @property
    def own_choice(self) -> bool:
        """Whether the next boot is to take one of them."""
        chosen = self.grub.chosen if self.grub else ""
        return chosen in {entry_id(set_id) for set_id in self.own_set_ids}

    def is_whole(self, kernel: str | None) -> bool:
        """Whether the entry is there, in the menu, with its files as they were made, and shows what is asked for."""
        found, instance, grub = self.mine, self.now.instance, self.grub
        if found is None or instance is None or grub is None or found.set_id != instance.set_id or found.sums is None:
            return False
        name = entry_id(instance.set_id)
        in_menu = name in grub.custom and (grub.entries is None or name in grub.entries)
        as_wanted = kernel in (None, found.kernel) and found.look == preview_digest(
            preview_mounts(self.host_state, instance)
        )
        return in_menu and as_wanted and found.set_id in self.intact
