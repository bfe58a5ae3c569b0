# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module boot_entry. Pure; private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import Refused
from .._snapset.sizes import format_bytes
from .._steps import StepsPlan
from .checks import entry_problems, grub_problems
from .entries import kernel_arguments, preview_digest, preview_mounts
from .grub import BOOT, GRUB_EDITORS, bls_path, entry_id
from .image import preview_image
from .menu import bls_entry, custom_part, menu_entry, without_entry
from .steps import AddToMenu, ChooseNextBoot, RemoveEntry, TakeFromMenu, WriteEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._snapset.context import BootBackup
    from .._snapset.state import Instance
    from .._steps import Step
    from .grub import Grub
    from .observed import EntryObserved, Source

# For the menu, the record, and what a filesystem takes for itself.
_MARGIN = 4 * 1024 * 1024
_BY_UUID = "/dev/disk/by-uuid/"


def entry_shown(seen: EntryObserved) -> dict[str, Any]:
    """The entry as it is."""
    found = seen.mine
    return _none(seen.now.name) if found is None or found.sums is None else found.to_result(seen.grub)


def _none(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "kernel": None, "next_boot": False}


def _refuse(seen: EntryObserved, problems: Iterable[str]) -> None:
    if found := tuple(problems):
        raise Refused(f"the boot entry of {seen.now.name} cannot be present", found)


def plan_entry_absent(seen: EntryObserved) -> StepsPlan:
    """The steps that remove every entry of the set, and what interrupted runs have left."""
    steps = tuple(_removal(seen))
    return StepsPlan(steps, _none(seen.now.name) if steps else entry_shown(seen))


def _removal(seen: EntryObserved) -> Iterator[Step]:
    """The choice first, the files at the end: the menu never names what is not there."""
    grub = seen.grub
    if grub is not None and seen.own_choice:
        yield ChooseNextBoot(seen.editor, grub.environment_path, grub.chosen, takes_back=True)
    for set_id in seen.own_set_ids:
        if grub is not None and without_entry(grub.custom, set_id) != grub.custom:
            yield TakeFromMenu(set_id, Path(grub.custom_path), is_own=False)
        if bls_path(set_id).name in seen.bls_files:
            yield TakeFromMenu(set_id, bls_path(set_id), is_own=True)
    for one in seen.own:
        yield RemoveEntry(one.place)


def plan_entry_present(seen: EntryObserved, *, kernel: str | None, next_boot: bool) -> StepsPlan:
    """The steps to an entry that shows the set. Raises Refused."""
    _refuse(seen, _problems(seen, next_boot=next_boot))
    instance, backup, grub = seen.now.instance, seen.now.bound, seen.grub
    if instance is None or backup is None or grub is None:
        return StepsPlan((), entry_shown(seen))  # Refused above.
    entry = entry_id(instance.set_id)
    after = entry_shown(seen)
    steps: list[Step] = []
    chosen = grub.chosen == entry
    if not seen.is_whole(kernel):
        source = _source(seen, kernel)
        steps += [*_removal(seen), *_creation(seen, instance, backup, grub, source)]
        after = {**after, "name": seen.now.name, "id": instance.set_id, "kernel": source.kernel.version}
        chosen = False
    if next_boot and not chosen:
        steps.append(ChooseNextBoot(seen.editor, grub.environment_path, entry))
    return StepsPlan(tuple(steps), {**after, "state": "present", "next_boot": next_boot or chosen})


def _problems(seen: EntryObserved, *, next_boot: bool) -> Iterator[str]:
    yield from entry_problems(seen.now)
    yield from grub_problems(seen.grub, seen.host_state, seen.environment_mount)
    if seen.boot_free is None:
        yield f"{BOOT} is not a filesystem of its own: GRUB could not find the files of the entry"
    elif seen.boot_read_only:
        yield f"{BOOT} is mounted read-only: mount -o remount,rw {BOOT}"
    others = seen.grub.chosen if seen.grub and next_boot else ""
    if others and not seen.own_choice:
        yield (
            f"somebody has chosen {others!r} for the next boot: boot it, or take that back "
            f"({seen.editor} {seen.grub.environment_path if seen.grub else ''} unset next_entry)"
        )
    if not seen.editor:
        yield f"neither {' nor '.join(GRUB_EDITORS)} is there: install GRUB's tools"


def _source(seen: EntryObserved, kernel: str | None) -> Source:
    """What the entry is made from. Raises Refused."""
    if seen.kernels is None:
        _refuse(seen, [f"{BOOT} is not in the backup of /boot: its kernel is on /"])
    source = seen.source
    if source is None:
        known = ", ".join(one.version for one in seen.kernels or ()) or "none"
        wanted = f"no kernel {kernel} with an initramfs, only" if kernel else "no kernel with an initramfs:"
        raise Refused(
            f"the boot entry of {seen.now.name} cannot be present", [f"the backup of /boot has {wanted} {known}"]
        )
    if source.kind is None:
        initramfs = source.kernel.initramfs
        _refuse(seen, [f"{initramfs} is none of initramfs-tools or dracut that lsinitramfs or lsinitrd lists"])
    return source


def _creation(
    seen: EntryObserved, instance: Instance, backup: BootBackup, grub: Grub, source: Source
) -> Iterator[Step]:
    kind, scripts = source.kind or ("dracut", "")
    filesystems = preview_mounts(seen.host_state, instance)
    image = preview_image(kind, scripts, preview_mounts=filesystems, name=seen.now.name, set_id=instance.set_id)
    _refuse(seen, (*_room_problems(seen, source.size + len(image)), *_uuid_problems(seen, grub)))
    # Without / among them it was refused.
    (root,) = (one for one in filesystems if one.mountpoint == "/")
    arguments = kernel_arguments(seen.command_line, root, kind)
    yield WriteEntry(
        set_id=instance.set_id,
        name=seen.now.name,
        device=backup.device,
        manifest=backup.tags.manifest,
        kernel=source.kernel,
        image=image,
        shows=preview_digest(filesystems),
    )
    own = None
    entry = ""
    if grub.entries is None:
        entry = menu_entry(instance, uuid=Path(seen.boot_device).name, arguments=arguments)
    else:
        own = (bls_path(instance.set_id), bls_entry(instance, source.kernel, arguments))
    yield AddToMenu(instance.set_id, Path(grub.custom_path), custom_part(grub, instance.set_id, entry), own)


def _room_problems(seen: EntryObserved, size: int) -> Iterator[str]:
    needed = size + _MARGIN
    # What an earlier entry takes goes before.
    going = sum(seen.sizes[one.set_id] for one in seen.own)
    free = (seen.boot_free or 0) + going
    if free < needed:
        yield (
            f"{BOOT} has {format_bytes(free)} free, and the entry needs {format_bytes(needed)} for a kernel and an "
            "initramfs: make room"
        )


def _uuid_problems(seen: EntryObserved, grub: Grub) -> Iterator[str]:
    if grub.entries is None and not seen.boot_device.startswith(_BY_UUID):
        yield f"the filesystem at {BOOT} has no UUID in {_BY_UUID.rstrip('/')}, by which GRUB could find it"
