# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read all that the plans for a boot entry depend on. Private to this collection."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from .._boot_files.manifest import copies_of, read_manifest
from .._host.boot import list_initramfs
from .._host.crypt import read_locks
from .._host.filesystem import mounted
from .._host.mounts import persistent_name
from .._host.reading import read
from .entries import kernels_in
from .grub import BOOT
from .image import initramfs_kind
from .installed import entries, grub_editor, is_intact, read_grub
from .observed import EntryObserved, Source

if TYPE_CHECKING:
    from pathlib import Path

    from .._boot_files.tree import Tree
    from .._host_model import Mount
    from .._model import HostState
    from .._snapset.context import SnapsetContext
    from .grub import Grub
    from .units import Services


def observe(context: SnapsetContext, *, state: str, kernel: str | None, services: Services) -> EntryObserved:
    """Return all that the plan for ``state`` depends on. ``kernel`` is the requested version, None for the newest.

    Raises FilesFailed, Refused, OSError.
    """
    grub, found = read_grub(), tuple(entries())
    mount = context.host_state.host.mount_at(str(BOOT))
    room = os.statvfs(BOOT) if mount else None
    observed = EntryObserved(
        context=context,
        grub=grub,
        editor=grub_editor(),
        environment_mount=_environment_mount(context.host_state, grub),
        found=found,
        intact=frozenset(one.set_id for one in found if is_intact(one)),
        sizes={one.set_id: sum(path.stat().st_size for path in one.place.iterdir()) for one in found},
        boot_free=room.f_bavail * room.f_frsize if room else None,
        boot_read_only=bool(room and room.f_flag & os.ST_RDONLY),
        boot_device=persistent_name(mount.source) if mount else "",
        command_line=read("/proc/cmdline"),
    )
    if state == "absent" or observed.is_current(kernel, services):
        return observed
    if context.bound is None or not context.bound.volume.active:
        return observed
    with mounted(context.bound.device) as backup:
        trees = read_manifest(backup, context.bound.tags.manifest).trees
        tree = next((one for one in trees if one.mountpoint == str(BOOT)), None)
        if tree is None:
            return observed
        return _with_source(observed, tree, copies_of(backup, tree), kernel)


def _with_source(observed: EntryObserved, tree: Tree, copies: Path, kernel: str | None) -> EntryObserved:
    kernels = kernels_in(tree)
    matching = [one for one in kernels if kernel in (None, one.version)]
    if not matching:
        return replace(observed, kernels=kernels)
    chosen = matching[-1]
    size = tree.entries[chosen.kernel].size + tree.entries[chosen.initramfs].size
    listing = list_initramfs(str(copies / chosen.initramfs))
    context = observed.context
    host = context.host_state.host
    host = replace(host, locks=read_locks(host, lambda: {chosen.version: listing}))
    return replace(
        observed,
        context=replace(context, host_state=replace(context.host_state, host=host)),
        kernels=kernels,
        source=Source(chosen, initramfs_kind(listing or ()), size),
    )


def _environment_mount(host_state: HostState, grub: Grub | None) -> Mount | None:
    """Return the filesystem with GRUB's environment block, which may be a symbolic link into the ESP."""
    if grub is None:
        return None
    return host_state.host.lies_on(os.path.realpath(grub.environment_path))
