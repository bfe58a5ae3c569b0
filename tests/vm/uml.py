# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines of user-mode Linux: the kernel is an ordinary process, many times faster than software emulation."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from vm.guest import Guest, PortTaken
from vm.host import LAB, LabError
from vm.uml_kernel import Kernel, uml_directory

if TYPE_CHECKING:
    from pathlib import Path

    from vm.image import Image

DISK = "system.raw"
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


class UmlGuest(Guest):
    """A machine without a boot loader. It boots the kernel and the initramfs that its /boot contains."""

    def make_disks(self, golden: Image, sizes: list[str]) -> None:
        """Copy the image's disk, sharing its blocks if the filesystem supports that, and create the empty disks.

        User-mode Linux has its own overlays, but they lose written data. After 2 of 15 power cuts (7.2 on x86-64) the
        log of an XFS had gaps, because the overlay did not know which sectors it contained.
        """
        argv = ["cp", "--reflink=auto", "--sparse=always", str(golden.disk), str(self.directory / DISK)]
        subprocess.run(argv, check=True)
        for file, size in zip(self.settings.disks, sizes):
            with (self.directory / file).open("wb") as disk:
                disk.truncate(size_of(size))

    @property
    def kernel(self) -> Kernel:
        """The kernel for which the image was built."""
        return Kernel(self.settings.kernel, uml_directory() / "kernels" / self.settings.kernel)

    @property
    def identifying_path(self) -> Path:
        """The machine's directory, which is an argument of its process."""
        return self.directory

    @property
    def lock(self) -> Path:
        """A file that every process of the machine keeps locked."""
        return self.directory / "running.lock"

    def launch(self) -> None:
        """Start the process that contains the guest. It prints `ready`, or what is wrong."""
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
                raise LabError(f"user-mode Linux did not start: {said or 'it printed nothing'}")
            # The process continues on its own; nobody waits for it.
            process.returncode = 0

    def cut(self) -> None:
        """Cut the power, and wait until no process of the machine can write any more."""
        super().cut()
        with self.lock.open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


def size_of(text: str) -> int:
    """The number of bytes of a size such as 2G. LabError if it is invalid."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if found is None:
        raise LabError(f"{text!r} is not a valid size of a disk: use a number with K, M or G, for example 2G")
    return int(found[1]) * UNITS[found[2]]
