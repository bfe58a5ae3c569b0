# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines in QEMU: each has an overlay on an image, and boots with its own boot loader."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from vm import accel, firmware, grub, recipe
from vm.guest import Guest, PortTaken
from vm.host import LabError
from vm.image import VARSTORE
from vm.ssh import HOST

if TYPE_CHECKING:
    from pathlib import Path

    from vm.image import Image

OVERLAY = "system.qcow2"


class QemuGuest(Guest):
    """A machine with firmware, a boot loader, and the kernel of its Debian."""

    def make_disks(self, golden: Image, sizes: list[str]) -> None:
        """Create the overlay and the empty disks. Copy kernel and initramfs for a boot without a boot loader."""
        qemu_img("create", "-f", "qcow2", "-F", "qcow2", "-b", str(golden.disk), str(self.overlay))
        for file, size in zip(self.settings.disks, sizes):
            qemu_img("create", "-f", "raw", str(self.directory / file), size)
        if golden.varstore.exists():
            shutil.copy(golden.varstore, self.varstore)
        if self.settings.direct_kernel:
            shutil.copy(golden.vmlinuz, self.kernel)
            shutil.copy(golden.initrd, self.initrd)

    @property
    def overlay(self) -> Path:
        """The machine's own layer of its system disk."""
        return self.directory / OVERLAY

    @property
    def kernel(self) -> Path:
        """The kernel, if the machine boots without its boot loader."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initramfs for that kernel. If the guest builds another one, copy it here."""
        return self.directory / "initrd.img"

    @property
    def varstore(self) -> Path:
        """The variables of the firmware, which survive reboots and power cuts. A BIOS has none."""
        return self.directory / VARSTORE

    @property
    def identifying_path(self) -> Path:
        """The overlay, which is in QEMU's command line."""
        return self.overlay

    def launch(self) -> None:
        """Start QEMU. With -daemonize it returns as soon as it listens or has failed."""
        done = subprocess.run(self.command_line(), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "host forwarding" in done.stderr:
            raise PortTaken
        raise LabError(f"QEMU did not start: {done.stderr.strip()}")

    def command_line(self) -> list[str]:
        """QEMU's command line."""
        settings = self.settings
        argv = [
            "qemu-system-x86_64",
            "-name",
            settings.name,
            *accel.arguments("kvm" if settings.accelerator == "kvm" else "tcg", settings.processors),
        ]
        argv += firmware.arguments(recipe.RECIPES[settings.suite].firmware, varstore=escaped(self.varstore))
        argv += ["-m", str(settings.memory_mib), "-nodefaults", "-display", "none"]
        argv += ["-chardev", f"file,id=serial,append=on,path={escaped(self.serial_log)}", "-serial", "chardev:serial"]
        argv += ["-device", "virtio-rng-pci", "-daemonize", "-pidfile", str(self.pidfile)]
        # With an empty romfile SeaBIOS does not try to boot from the network.
        argv += ["-netdev", f"user,id=net,hostfwd=tcp:{HOST}:{settings.port}-:22"]
        argv += ["-device", "virtio-net-pci,netdev=net,romfile="]
        for file in (OVERLAY, *settings.disks):
            path, kind, serial = self.directory / file, file.rpartition(".")[2], file.partition(".")[0]
            drive = f"if=none,id={serial},format={kind},cache={settings.cache},discard=unmap,file={escaped(path)}"
            argv += ["-drive", drive, "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        if settings.direct_kernel:
            argv += [
                "-kernel",
                str(self.kernel),
                "-initrd",
                str(self.initrd),
                "-append",
                grub.command_line(recipe.ROOT),
            ]
        return argv


def qemu_img(*arguments: str) -> None:
    """Run qemu-img. LabError with its message if it fails."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"qemu-img failed: {done.stderr.strip()}")


def escaped(path: Path) -> str:
    """A path, escaped for QEMU's option lists."""
    return str(path).replace(",", ",,")
