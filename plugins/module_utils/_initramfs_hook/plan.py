# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which initramfs has the hook, and the steps that add it or remove it. Pure; private to this collection.

The package ``_initramfs_hook`` knows the script that ends LVM's pollers, and how initramfs-tools puts it into an
initramfs. It must not know what a snapset is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._errors import Refused
from .._paths import INITRAMFS_SCRIPT
from .._steps import StepsPlan
from .script import WANTED, Script
from .steps import Build, RemoveScript, WriteScript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._steps import Step

State = Literal["present", "absent"]

# An initramfs that is built again may have grown, by a tenth and by this, in bytes.
_MIB = 1024 * 1024
_GROWTH, _ROOM = 10, _MIB


@dataclass(frozen=True)
class Image:
    """The initramfs of a kernel. It is not ``readable`` if its files cannot be listed.

    ``stops_udev`` if initramfs-tools built it: only there LVM's pollers do harm. ``is_older`` than the script. ``size``
    is in bytes.
    """

    kernel: str
    path: str
    readable: bool = True
    stops_udev: bool = True
    has_script: bool = False
    is_older: bool = False
    size: int = 0


@dataclass(frozen=True)
class Found:
    """What the host has. If it is not a host that ``builds`` with initramfs-tools, it needs nothing.

    ``boot_free`` is the free space for initramfs in bytes; None if it is not known.
    """

    builds: bool
    script: Script | None = None
    images: tuple[Image, ...] = ()
    boot_is_writable: bool = True
    boot_free: int | None = None


def refusal(state: State) -> str:
    """How the message begins when the request is refused."""
    return f"cannot {'install' if state == 'present' else 'remove'} the initramfs hook"


def plan_hook(found: Found, state: State) -> StepsPlan:
    """The steps that bring the host to ``state``. Raises Refused with every reason why that is impossible."""
    steps = tuple(_present(found) if state == "present" else _absent(found))
    if problems := tuple(_boot_problems(found, steps)):
        raise Refused(refusal(state), problems)
    built = {step.kernel for step in steps if isinstance(step, Build)}
    having = _kernels_with_script(found)
    kernels = having | built if state == "present" else having - built
    script = (WANTED if found.builds else found.script) if state == "present" else None
    return StepsPlan(steps, _view(found, script, kernels))


def hook_view(found: Found) -> dict[str, Any]:
    """The hook as results show it."""
    return _view(found, found.script, _kernels_with_script(found))


def _present(found: Found) -> Iterator[Step]:
    if not found.builds:
        return
    writes = found.script != WANTED
    if writes:
        yield WriteScript(found.script)
    for image in found.images:
        if (writes and image.stops_udev) or _needs_build(image):
            yield Build(image.kernel, image.path)


def _needs_build(image: Image) -> bool:
    # LVM does not poll in an initramfs of another tool (dracut, module 70lvm).
    return not image.readable or (image.stops_udev and (not image.has_script or image.is_older))


def _absent(found: Found) -> Iterator[Step]:
    if found.script is not None:
        yield RemoveScript(found.script)
    if found.builds:
        yield from (Build(image.kernel, image.path) for image in found.images if image.has_script)


def _kernels_with_script(found: Found) -> set[str]:
    return {image.kernel for image in found.images if image.has_script}


def _view(found: Found, script: Script | None, kernels: Iterable[str]) -> dict[str, Any]:
    state = "present" if script == WANTED else "absent" if found.builds else "not_needed"
    return {"state": state, "path": str(INITRAMFS_SCRIPT), "kernels": sorted(kernels)}


def _boot_problems(found: Found, steps: Iterable[Step]) -> Iterator[str]:
    built = [step.path for step in steps if isinstance(step, Build)]
    if not built:
        return
    if not found.boot_is_writable:
        yield "/boot is mounted read-only: mount -o remount,rw /boot"
    # update-initramfs(8) writes a new file beside the old one, which stays until the new one is complete.
    largest = max(image.size for image in found.images if image.path in built)
    needed = largest + largest // _GROWTH + _ROOM
    if found.boot_free is not None and needed > found.boot_free:
        yield (
            f"/boot has {found.boot_free // _MIB} MiB free, and building {', '.join(built)} again needs "
            f"{-(-needed // _MIB)} MiB: remove kernels that you do not need, or other files in /boot"
        )
