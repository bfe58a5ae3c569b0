# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines of both kinds: choose a kind, create a machine, find the existing ones."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Literal

from vm import accel, image, uml_trial
from vm.guest import Guest, Settings, directory_of, free_port
from vm.host import LabError, cache_directory, say
from vm.qemu import QemuGuest
from vm.uml import UmlGuest

if TYPE_CHECKING:
    from pathlib import Path

    from vm.guest import CacheMode

# auto: user-mode Linux if it works here, else QEMU.
MachineChoice = Literal["auto", "qemu", "uml"]


def load(directory: Path) -> Guest:
    """The machine in a directory. FileNotFoundError if it contains none."""
    settings = Settings(**json.loads((directory / "vm.json").read_text(encoding="utf-8")))
    return (UmlGuest if settings.accelerator == "uml" else QemuGuest)(directory, settings)


def find(name: str) -> Guest:
    """The machine of that name. LabError if it does not exist."""
    try:
        return load(directory_of(name))
    except FileNotFoundError:
        raise LabError(
            f"there is no virtual machine {name!r}: create it with python3 tests/vm up {name} --image IMAGE"
        ) from None


def all_guests() -> list[Guest]:
    """All machines, running or not, sorted by name."""
    return [load(file.parent) for file in sorted((cache_directory() / "vms").glob("*/vm.json"))]


def golden_image(name: str, choice: MachineChoice) -> image.Image:
    """The image for a machine of the requested kind, built if needed. LabError if that kind does not work here."""
    if choice == "qemu":
        return image.build(name)
    kernel, problem = uml_trial.usable_kernel()
    if problem and choice == "uml":
        raise LabError(f"user-mode Linux does not work here: {problem}")
    if problem:
        say(f"user-mode Linux does not work here: {problem}. Guests run in QEMU")
    return image.build(name, kernel)


def create(
    name: str,
    golden: image.Image,
    *,
    memory_mib: int,
    cache: CacheMode,
    disks: list[str],
    direct_kernel: bool = False,
    processors: int = 0,
) -> Guest:
    """Create a machine from the image `golden`, and do not start it. `disks` are sizes of empty disks, such as 2G.

    User-mode Linux always has one processor. With `direct_kernel`, QEMU boots the copies of kernel and initramfs in the
    machine's directory.
    """
    directory = directory_of(name)
    settings = Settings(
        name=name,
        suite=golden.name,
        backing=str(golden.directory),
        accelerator="uml" if golden.kernel else accel.accelerator(golden),
        memory_mib=memory_mib,
        cache=cache,
        disks=[f"disk{number}.raw" for number in range(1, len(disks) + 1)],
        port=free_port(),
        direct_kernel=direct_kernel,
        processors=processors,
        kernel=golden.kernel.version if golden.kernel else "",
    )
    machine = (UmlGuest if golden.kernel else QemuGuest)(directory, settings)
    make_directory(machine)
    try:
        machine.make_disks(golden, disks)
        machine.save()
    except BaseException:
        shutil.rmtree(directory)
        raise
    return machine


def make_directory(machine: Guest) -> None:
    """Create the directory of a new machine. LabError if the machine exists."""
    try:
        machine.directory.mkdir(parents=True)
    except FileExistsError:
        name = machine.directory.name
        raise LabError(
            f"{name!r} already exists: boot it with python3 tests/vm start {name}, or remove it with down {name}"
        ) from None
