# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of the module boot_entry. Pure; private to this collection."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import Refused
from .._snapset.locks import passphrase_problems, reboot_warnings
from .._snapset.sizes import format_bytes
from .._steps import StepsPlan
from .checks import entry_problems, grub_problems
from .entries import kernel_arguments, preview_digest, preview_mounts
from .grub import BOOT, GRUB_EDITORS, entry_id
from .image import preview_image
from .menu import custom_part, menu_entry, without_entry
from .steps import AddToMenu, ChooseNextBoot, RemoveEntry, TakeFromMenu, WriteEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._snapset.context import BootBackup
    from .._snapset.state import Instance
    from .._steps import Step
    from .grub import Grub
    from .observed import EntryObserved, Source
    from .units import Services

# For the menu, the record and the filesystem's own data, in bytes.
_MARGIN = 4 * 1024 * 1024
_BY_UUID = "/dev/disk/by-uuid/"


def refusal(name: str, state: str) -> str:
    """Return how the message begins when the request for the snapset ``name`` is refused."""
    return f"cannot {'create' if state == 'present' else 'remove'} the boot entry of {name}"


def entry_view(observed: EntryObserved) -> dict[str, Any]:
    """Return the entry as results show it."""
    found = observed.set_entry
    return (
        _absent_entry(observed.context.name) if found is None or found.sums is None else found.to_result(observed.grub)
    )


def _absent_entry(name: str) -> dict[str, Any]:
    return {"name": name, "id": None, "state": "absent", "kernel": None, "next_boot": False}


def _refuse(observed: EntryObserved, problems: Iterable[str]) -> None:
    if found := tuple(problems):
        raise Refused(refusal(observed.context.name, "present"), found)


def plan_entry_absent(observed: EntryObserved) -> StepsPlan:
    """Return the steps that remove every entry of the snapset, and those of interrupted runs."""
    steps = tuple(_removal(observed))
    return StepsPlan(steps, _absent_entry(observed.context.name) if steps else entry_view(observed))


def _removal(observed: EntryObserved) -> Iterator[Step]:
    """Yield the steps that remove entries: the choice first, the files last, so the menu never names missing files."""
    grub = observed.grub
    if grub is not None and observed.is_chosen:
        yield ChooseNextBoot(observed.editor, grub.environment_path, grub.chosen, unset=True)
    for set_id in observed.removable_ids:
        if grub is not None and without_entry(grub.custom, set_id) != grub.custom:
            yield TakeFromMenu(set_id, Path(grub.custom_path))
    for one in observed.removable:
        yield RemoveEntry(one.place)


def plan_entry_present(
    observed: EntryObserved,
    *,
    kernel: str | None,
    services: Services,
    next_boot: bool | None,
    allow_passphrase: bool = False,
) -> StepsPlan:
    """Return the steps to an entry that shows the snapset. Raises Refused with every reason that prevents it.

    ``next_boot`` selects the entry for the next boot, or undoes that; None keeps the choice. With ``allow_passphrase``
    a preview boot may need a person.
    """
    refused = () if allow_passphrase else passphrase_problems(observed.host_state)
    advice = ". If somebody will be at the console during the preview boot, use allow_passphrase: true"
    _refuse(observed, (*_problems(observed, next_boot=bool(next_boot)), *(f"{one}{advice}" for one in refused)))
    instance, backup, grub = observed.context.instance, observed.context.bound, observed.grub
    if instance is None or backup is None or grub is None:
        return StepsPlan((), entry_view(observed))  # Cannot happen: refused above.
    entry = entry_id(instance.set_id)
    after = entry_view(observed)
    steps: list[Step] = []
    chosen = grub.chosen == entry
    wanted = chosen if next_boot is None else next_boot
    if not observed.is_current(kernel, services):
        source = _source(observed, kernel)
        steps += [*_removal(observed), *_creation(observed, instance, backup, grub, source, services)]
        after = {**after, "name": observed.context.name, "id": instance.set_id, "kernel": source.kernel.version}
        chosen = False
    if wanted != chosen:
        steps.append(ChooseNextBoot(observed.editor, grub.environment_path, entry, unset=not wanted))
    after = {**after, "state": "present", "next_boot": wanted}
    return StepsPlan(tuple(steps), after, reboot_warnings(observed.host_state))


def _problems(observed: EntryObserved, *, next_boot: bool) -> Iterator[str]:
    yield from entry_problems(observed.context)
    yield from grub_problems(observed.grub, observed.host_state, observed.environment_mount)
    if observed.boot_free is None:
        yield f"{BOOT} is not a separate filesystem, so GRUB could not find the files of the entry"
    elif observed.boot_read_only:
        yield f"{BOOT} is mounted read-only: mount -o remount,rw {BOOT}"
    others = observed.grub.chosen if observed.grub and next_boot else ""
    if others and not observed.is_chosen:
        block = shlex.quote(observed.grub.environment_path) if observed.grub else ""
        yield (
            f"another entry is already chosen for the next boot, {others!r}: reboot into it, or undo the choice: "
            f"{observed.editor or GRUB_EDITORS[0]} {block} unset next_entry"
        )
    if not observed.editor:
        yield f"neither {' nor '.join(GRUB_EDITORS)} is installed: install GRUB's tools"


def _source(observed: EntryObserved, kernel: str | None) -> Source:
    """Return what the entry is made from. Raises Refused."""
    if observed.kernels is None:
        _refuse(observed, [f"the backup does not contain {BOOT}, because it was on /: it has no kernel"])
    source = observed.source
    if source is None:
        known = ", ".join(one.version for one in observed.kernels or ()) or "none"
        missing = f"kernel {kernel}" if kernel else "kernel"
        raise Refused(
            refusal(observed.context.name, "present"),
            [f"the backup of /boot has no {missing} with an initramfs; it has: {known}"],
        )
    if source.kind is None:
        initramfs = source.kernel.initramfs
        problem = (
            f"{initramfs} is not supported: initramfs-tools or dracut must have made it, and lsinitramfs or lsinitrd "
            "must be able to list it"
        )
        _refuse(observed, [problem])
    return source


def _creation(
    observed: EntryObserved, instance: Instance, backup: BootBackup, grub: Grub, source: Source, services: Services
) -> Iterator[Step]:
    kind, scripts = source.kind or ("dracut", "")
    filesystems = preview_mounts(observed.host_state, instance)
    image = preview_image(
        kind,
        scripts,
        preview_mounts=filesystems,
        name=observed.context.name,
        set_id=instance.set_id,
        services=services,
    )
    _refuse(observed, (*_room_problems(observed, source.size + len(image)), *_uuid_problems(observed)))
    # Refused above if / is not among them.
    (root,) = (one for one in filesystems if one.mountpoint == "/")
    arguments = kernel_arguments(observed.command_line, root, kind, services)
    yield WriteEntry(
        set_id=instance.set_id,
        name=observed.context.name,
        device=backup.device,
        manifest=backup.tags.manifest,
        kernel=source.kernel,
        image=image,
        digest=preview_digest(filesystems, services),
    )
    entry = menu_entry(instance, uuid=Path(observed.boot_device).name, arguments=arguments)
    yield AddToMenu(instance.set_id, Path(grub.custom_path), custom_part(grub, instance.set_id, entry))


def _room_problems(observed: EntryObserved, size: int) -> Iterator[str]:
    needed = size + _MARGIN
    # Earlier entries are removed first.
    freed = sum(observed.sizes[one.set_id] for one in observed.removable)
    free = (observed.boot_free or 0) + freed
    if free < needed:
        yield (
            f"{BOOT} has {format_bytes(free)} free, and the entry needs {format_bytes(needed)} for a kernel and an "
            "initramfs: delete files there"
        )


def _uuid_problems(observed: EntryObserved) -> Iterator[str]:
    if not observed.boot_device.startswith(_BY_UUID):
        yield f"the filesystem at {BOOT} has no UUID in {_BY_UUID.rstrip('/')}, so GRUB could not find it"
