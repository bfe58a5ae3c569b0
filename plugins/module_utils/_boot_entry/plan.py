# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module boot_entry. Pure; private to this collection."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import Refused
from .._snapset.sizes import format_bytes
from .._snapset.steps import StepsPlan
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
    from .._snapset.steps import Step
    from .grub import Grub
    from .observed import EntryObserved, Source

# For the menu, the record and the filesystem's own data, in bytes.
_MARGIN = 4 * 1024 * 1024
_BY_UUID = "/dev/disk/by-uuid/"


def entry_view(seen: EntryObserved) -> dict[str, Any]:
    """Return the entry as results show it."""
    found = seen.set_entry
    return _absent_entry(seen.now.name) if found is None or found.sums is None else found.to_result(seen.grub)


def _absent_entry(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "kernel": None, "next_boot": False}


def _refuse(seen: EntryObserved, problems: Iterable[str]) -> None:
    if found := tuple(problems):
        raise Refused(f"the boot entry of {seen.now.name} cannot be present", found)


def plan_entry_absent(seen: EntryObserved) -> StepsPlan:
    """Return the steps that remove every entry of the snapset, and those of interrupted runs."""
    steps = tuple(_removal(seen))
    return StepsPlan(steps, _absent_entry(seen.now.name) if steps else entry_view(seen))


def _removal(seen: EntryObserved) -> Iterator[Step]:
    """Yield the steps that remove entries: the choice first, the files last, so the menu never names missing files."""
    grub = seen.grub
    if grub is not None and seen.is_chosen:
        yield ChooseNextBoot(seen.editor, grub.environment_path, grub.chosen, unset=True)
    for set_id in seen.removable_ids:
        if grub is not None and without_entry(grub.custom, set_id) != grub.custom:
            yield TakeFromMenu(set_id, Path(grub.custom_path), remove_file=False)
        if bls_path(set_id).name in seen.bls_files:
            yield TakeFromMenu(set_id, bls_path(set_id), remove_file=True)
    for one in seen.removable:
        yield RemoveEntry(one.place)


def plan_entry_present(seen: EntryObserved, *, kernel: str | None, next_boot: bool) -> StepsPlan:
    """Return the steps to an entry that shows the snapset. Raises Refused with every reason that prevents it."""
    _refuse(seen, _problems(seen, next_boot=next_boot))
    instance, backup, grub = seen.now.instance, seen.now.bound, seen.grub
    if instance is None or backup is None or grub is None:
        return StepsPlan((), entry_view(seen))  # Cannot happen: refused above.
    entry = entry_id(instance.set_id)
    after = entry_view(seen)
    steps: list[Step] = []
    chosen = grub.chosen == entry
    if not seen.is_current(kernel):
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
        yield f"{BOOT} is not a separate filesystem, so GRUB could not find the files of the entry"
    elif seen.boot_read_only:
        yield f"{BOOT} is mounted read-only: mount -o remount,rw {BOOT}"
    others = seen.grub.chosen if seen.grub and next_boot else ""
    if others and not seen.is_chosen:
        block = shlex.quote(seen.grub.environment_path) if seen.grub else ""
        yield (
            f"another entry is already chosen for the next boot, {others!r}: reboot into it, or undo the choice: "
            f"{seen.editor} {block} unset next_entry"
        )
    if not seen.editor:
        yield f"neither {' nor '.join(GRUB_EDITORS)} is installed: install GRUB's tools"


def _source(seen: EntryObserved, kernel: str | None) -> Source:
    """Return what the entry is made from. Raises Refused."""
    if seen.kernels is None:
        _refuse(seen, [f"the backup does not contain {BOOT}, because it was on /: it has no kernel"])
    source = seen.source
    if source is None:
        known = ", ".join(one.version for one in seen.kernels or ()) or "none"
        missing = f"kernel {kernel}" if kernel else "kernel"
        raise Refused(
            f"the boot entry of {seen.now.name} cannot be present",
            [f"the backup of /boot has no {missing} with an initramfs; it has: {known}"],
        )
    if source.kind is None:
        initramfs = source.kernel.initramfs
        problem = (
            f"{initramfs} is not supported: initramfs-tools or dracut must have made it, and lsinitramfs or lsinitrd "
            "must be able to list it"
        )
        _refuse(seen, [problem])
    return source


def _creation(
    seen: EntryObserved, instance: Instance, backup: BootBackup, grub: Grub, source: Source
) -> Iterator[Step]:
    kind, scripts = source.kind or ("dracut", "")
    filesystems = preview_mounts(seen.host_state, instance)
    image = preview_image(kind, scripts, preview_mounts=filesystems, name=seen.now.name, set_id=instance.set_id)
    _refuse(seen, (*_room_problems(seen, source.size + len(image)), *_uuid_problems(seen, grub)))
    # Refused above if / is not among them.
    (root,) = (one for one in filesystems if one.mountpoint == "/")
    arguments = kernel_arguments(seen.command_line, root, kind)
    yield WriteEntry(
        set_id=instance.set_id,
        name=seen.now.name,
        device=backup.device,
        manifest=backup.tags.manifest,
        kernel=source.kernel,
        image=image,
        digest=preview_digest(filesystems),
    )
    bls = None
    entry = ""
    if grub.entries is None:
        entry = menu_entry(instance, uuid=Path(seen.boot_device).name, arguments=arguments)
    else:
        bls = (bls_path(instance.set_id), bls_entry(instance, source.kernel, arguments))
    yield AddToMenu(instance.set_id, Path(grub.custom_path), custom_part(grub, instance.set_id, entry), bls)


def _room_problems(seen: EntryObserved, size: int) -> Iterator[str]:
    needed = size + _MARGIN
    # Earlier entries are removed first.
    freed = sum(seen.sizes[one.set_id] for one in seen.removable)
    free = (seen.boot_free or 0) + freed
    if free < needed:
        yield (
            f"{BOOT} has {format_bytes(free)} free, and the entry needs {format_bytes(needed)} for a kernel and an "
            "initramfs: delete files there"
        )


def _uuid_problems(seen: EntryObserved, grub: Grub) -> Iterator[str]:
    if grub.entries is None and not seen.boot_device.startswith(_BY_UUID):
        yield f"the filesystem at {BOOT} has no UUID in {_BY_UUID.rstrip('/')}, so GRUB could not find it"
