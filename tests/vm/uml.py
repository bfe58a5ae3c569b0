# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines of user-mode Linux: a kernel that is an ordinary process, many times faster than software emulation."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from vm.guest import Guest, PortTaken
from vm.host import LAB, LabError
from vm.uml_kernel import Kernel, place

if TYPE_CHECKING:
    from pathlib import Path

    from vm.image import Image

DISK = "system.raw"
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


class UmlGuest(Guest):
    """A machine without a boot loader: what its /boot holds is started, kernel and initramfs."""

    def make_disks(self, golden: Image, sizes: list[str]) -> None:
        """Copy the image's disk, which shares its blocks where the file system can, and create the empty disks.

        The kernel has overlays of its own. They lose what was written: of 15 power cuts (7.2, on x86-64) two left an
        XFS whose log had holes in it, because the overlay did not know of sectors that it had.
        """
        argv = ["cp", "--reflink=auto", "--sparse=always", str(golden.disk), str(self.directory / DISK)]
        subprocess.run(argv, check=True)
        for file, size in zip(self.settings.disks, sizes):
            with (self.directory / file).open("wb") as disk:
                disk.truncate(size_of(size))

    @property
    def kernel(self) -> Kernel:
        """The kernel that the image was made for."""
        return Kernel(self.settings.kernel, place() / "kernels" / self.settings.kernel)

    @property
    def sign(self) -> Path:
        """The machine's directory, which its process is told."""
        return self.directory

    @property
    def lock(self) -> Path:
        """A file that every process of the machine keeps locked."""
        return self.directory / "running.lock"

    def launch(self) -> None:
        """Start the process that the guest lives in; it says `ready`, or what is wrong."""
        argv = [sys.executable, str(LAB), "keep", str(self.directory)]
        log = (self.directory / "process.log").open("w", encoding="utf-8")
        with (
            log,
            subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            ) as process,
        ):
            said = process.stdout.readline().strip() if process.stdout else ""
            if said == "port taken":
                raise PortTaken
            if said != "ready":
                raise LabError(f"user-mode Linux did not start: {said or 'no word why'}")
            # It goes on for itself; nobody waits for it.
            process.returncode = 0

    def cut(self) -> None:
        """Cut the power, and wait until no process of the machine is left that could still write."""
        super().cut()
        with self.lock.open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


def size_of(text: str) -> int:
    """The bytes of a size such as 2G. LabError if it is none."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if found is None:
        raise LabError(f"{text!r} is no size of a disk: expected a number with K, M or G, such as 2G")
    return int(found[1]) * UNITS[found[2]]
