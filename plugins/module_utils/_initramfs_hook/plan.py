# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which initramfs has the script that ends LVM's pollers, and the steps to put it there or take it out. Pure; private.

The package ``_initramfs_hook`` knows that script, and how initramfs-tools puts it into an initramfs. It must not know
what a snapset is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Union

from .._paths import INITRAMFS_SCRIPT
from .program import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

State = Literal["present", "absent"]


@dataclass(frozen=True)
class Script:
    """The file of the script: what is in it, and its mode."""

    size: int
    sha256: str
    mode: int

    def to_result(self) -> dict[str, Any]:
        """It as a diff shows it."""
        return {"path": str(INITRAMFS_SCRIPT), "size": self.size, "sha256": self.sha256}


WANTED = Script(len(PROGRAM.encode()), hashlib.sha256(PROGRAM.encode()).hexdigest(), 0o755)


@dataclass(frozen=True)
class Image:
    """The initramfs of a kernel; not ``readable`` when nobody could list what is in it.

    ``stops_udev`` when it is one of initramfs-tools, in which LVM's pollers do harm; ``is_older`` than the script.
    """

    kernel: str
    path: str
    readable: bool = True
    stops_udev: bool = True
    has_script: bool = False
    is_older: bool = False


@dataclass(frozen=True)
class Found:
    """What there is. Without ``builds`` the host has no initramfs-tools, and needs nothing."""

    builds: bool
    script: Script | None = None
    images: tuple[Image, ...] = ()
    boot_is_writable: bool = True


@dataclass(frozen=True)
class WriteScript:
    """Put the script where initramfs-tools finds it."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "write_script", **WANTED.to_result()}


@dataclass(frozen=True)
class RemoveScript:
    """Take it away from there."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "remove_script", "path": str(INITRAMFS_SCRIPT)}


@dataclass(frozen=True)
class Build:
    """Build the initramfs of a kernel anew."""

    kernel: str
    path: str

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "build_initramfs", "kernel": self.kernel, "path": self.path}


Step = Union[WriteScript, RemoveScript, Build]


@dataclass(frozen=True)
class View:
    """The script, and the kernels in whose initramfs it is."""

    state: Literal["present", "absent", "not_needed"]
    script: Script | None
    kernels: tuple[str, ...]

    def to_result(self) -> dict[str, Any]:
        """It as the module returns it."""
        return {"state": self.state, "path": str(INITRAMFS_SCRIPT), "kernels": list(self.kernels)}

    def to_diff(self) -> dict[str, Any]:
        """It as a diff shows it."""
        return {"script": self.script.to_result() if self.script else None, "kernels": list(self.kernels)}


@dataclass(frozen=True)
class Plan:
    """Ordered steps, and what there is before and after them."""

    steps: tuple[Step, ...]
    before: View
    after: View


def plan(found: Found, state: State) -> Plan:
    """The plan that brings the host to ``state``."""
    steps = tuple(_present(found) if state == "present" else _absent(found))
    built = {step.kernel for step in steps if isinstance(step, Build)}
    having = {image.kernel for image in found.images if image.has_script}
    kernels = having | built if state == "present" else having - built
    script = (WANTED if found.builds else found.script) if state == "present" else None
    return Plan(steps, before=_view(found, found.script, having), after=_view(found, script, kernels))


def _present(found: Found) -> Iterator[Step]:
    if not found.builds:
        return
    writes = found.script != WANTED
    if writes:
        yield WriteScript()
    yield from (
        Build(image.kernel, image.path) for image in found.images if (writes and image.stops_udev) or _lacks(image)
    )


def _lacks(image: Image) -> bool:
    # Of another tool's nothing is known but that LVM does not poll there (dracut, 70lvm).
    return not image.readable or (image.stops_udev and (not image.has_script or image.is_older))


def _absent(found: Found) -> Iterator[Step]:
    if found.script is not None:
        yield RemoveScript()
    if found.builds:
        yield from (Build(image.kernel, image.path) for image in found.images if image.has_script)


def _view(found: Found, script: Script | None, kernels: Iterable[str]) -> View:
    nothing: Literal["absent", "not_needed"] = "absent" if found.builds else "not_needed"
    return View("present" if script == WANTED else nothing, script, tuple(sorted(kernels)))


def problems(found: Found, steps: Iterable[Step]) -> Iterator[str]:
    """Why the steps cannot be carried out."""
    if any(isinstance(step, Build) for step in steps) and not found.boot_is_writable:
        yield "/boot is mounted read-only: mount -o remount,rw /boot"
