# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a virtual machine: an overlay on a golden image, a QEMU process, and an SSH port on 127.0.0.1."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from vm import accel, firmware, image, recipe
from vm.host import LabError, cache_directory, tail
from vm.ssh import HOST, Access

CacheMode = Literal["unsafe", "writethrough", "none"]
PORTS_TRIED = 4
OVERLAY = "system.qcow2"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
BOOT_SECONDS = {"kvm": 120, "tcg": 900}
# Whether the guest is up: not while it shuts down, when its SSH server still answers.
UP_CHECK = 'test "$(systemctl is-system-running)" != stopping && cat /proc/sys/kernel/random/boot_id'


@dataclass(frozen=True)
class Settings:
    """What a virtual machine is made of; kept in its directory as vm.json. `suite` is the name of its image."""

    name: str
    suite: str
    backing: str
    accelerator: accel.Accelerator
    memory_mib: int
    cache: CacheMode
    disks: list[str]
    port: int
    direct_kernel: bool = False


def directory_of(name: str) -> Path:
    """The directory of a virtual machine, which need not exist."""
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name for a machine: expected small letters, digits and inner hyphens")
    return cache_directory() / "vms" / name


def all_guests() -> list[Guest]:
    """Every virtual machine there is, running or not, in order of name."""
    files = sorted((cache_directory() / "vms").glob("*/vm.json"))
    return [Guest.find(file.parent.name) for file in files]


@dataclass
class Guest:
    """One virtual machine."""

    directory: Path
    settings: Settings

    @classmethod
    def find(cls, name: str) -> Guest:
        """The virtual machine of that name; LabError if there is none."""
        directory = directory_of(name)
        try:
            stored = json.loads((directory / "vm.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LabError(f"no virtual machine {name!r}; create it with: up {name} --image IMAGE") from None
        return cls(directory, Settings(**stored))

    @classmethod
    def create(
        cls,
        name: str,
        golden: image.Image,
        *,
        memory_mib: int,
        cache: CacheMode,
        disks: list[str],
        direct_kernel: bool = False,
    ) -> Guest:
        """A new machine on an overlay of `golden`, not started; `disks` are sizes of empty disks, such as 2G.

        With `direct_kernel` QEMU boots copies of the image's kernel and initramfs that lie in the machine's directory.
        """
        directory = directory_of(name)
        settings = Settings(
            name=name,
            suite=golden.name,
            backing=str(golden.directory),
            accelerator=accel.accelerator(golden),
            memory_mib=memory_mib,
            cache=cache,
            disks=[f"disk{number}.raw" for number in range(1, len(disks) + 1)],
            port=free_port(),
            direct_kernel=direct_kernel,
        )
        guest = cls(directory, settings)
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            raise LabError(f"{name!r} exists: 'start {name}' boots it again, 'down {name}' removes it") from None
        try:
            guest.make_disks(golden, disks)
            if direct_kernel:
                shutil.copy(golden.kernel, guest.kernel)
                shutil.copy(golden.initrd, guest.initrd)
            guest.save()
        except BaseException:
            shutil.rmtree(directory)
            raise
        return guest

    def make_disks(self, golden: image.Image, sizes: list[str]) -> None:
        """Create the overlay, the firmware's variables and the empty disks."""
        qemu_img("create", "-f", "qcow2", "-F", "qcow2", "-b", str(golden.disk), str(self.overlay))
        if golden.varstore.exists():
            shutil.copy(golden.varstore, self.varstore)
        for file, size in zip(self.settings.disks, sizes):
            qemu_img("create", "-f", "raw", str(self.directory / file), size)

    @property
    def overlay(self) -> Path:
        """The machine's own layer of its system disk."""
        return self.directory / OVERLAY

    @property
    def kernel(self) -> Path:
        """The kernel of a machine that is booted without its boot loader."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initramfs for that; whoever has built another one in the guest may put it here."""
        return self.directory / "initrd.img"

    @property
    def varstore(self) -> Path:
        """The variables of the machine's firmware, which outlive reboots and cuts; a BIOS has none."""
        return self.directory / image.VARSTORE

    @property
    def serial_log(self) -> Path:
        """What the guest wrote to its serial console, from every boot."""
        return self.directory / "serial.log"

    @property
    def pidfile(self) -> Path:
        """Where QEMU writes its process number."""
        return self.directory / "qemu.pid"

    @property
    def access(self) -> Access:
        """How to reach the machine by SSH."""
        return Access(self.settings.name, self.settings.port, image.private_key())

    def save(self) -> None:
        """Write vm.json, whole or not at all."""
        draft = self.directory / "vm.json.new"
        draft.write_text(json.dumps(asdict(self.settings), indent=2), encoding="utf-8")
        draft.rename(self.directory / "vm.json")

    @property
    def pid(self) -> int:
        """The process that QEMU's pidfile names, which may be gone; 0 without a pidfile."""
        try:
            return int(self.pidfile.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def process(self) -> int | None:
        """A file descriptor of the QEMU process, for the caller to close; None when the machine does not run."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return None
        # The number may belong to another process by now. One that has ended has no command line any more.
        with suppress(OSError):
            if os.fsencode(self.overlay) in Path(f"/proc/{self.pid}/cmdline").read_bytes():
                return descriptor
        os.close(descriptor)
        return None

    def running(self) -> bool:
        """True while the QEMU process lives."""
        descriptor = self.process()
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    def start(self) -> None:
        """Start QEMU, which then outlives this program; at another port if the former one is taken."""
        if self.running():
            raise LabError(f"{self.settings.name!r} runs already")
        for _attempt in range(PORTS_TRIED):
            # With -daemonize QEMU returns when it listens, or has failed.
            done = subprocess.run(self.command_line(), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            if "host forwarding" not in done.stderr:
                break
            self.settings = replace(self.settings, port=free_port())
            self.save()
        raise LabError(f"QEMU did not start: {done.stderr.strip()}")

    def command_line(self) -> list[str]:
        """QEMU's command line."""
        settings = self.settings
        argv = ["qemu-system-x86_64", "-name", settings.name, *accel.arguments(settings.accelerator)]
        argv += firmware.arguments(recipe.RECIPES[settings.suite].firmware, varstore=escaped(self.varstore))
        argv += ["-m", str(settings.memory_mib), "-nodefaults", "-display", "none"]
        argv += ["-chardev", f"file,id=serial,append=on,path={escaped(self.serial_log)}", "-serial", "chardev:serial"]
        argv += ["-device", "virtio-rng-pci", "-daemonize", "-pidfile", str(self.pidfile)]
        # An empty romfile: SeaBIOS then does not wait for a network boot.
        argv += ["-netdev", f"user,id=net,hostfwd=tcp:{HOST}:{settings.port}-:22"]
        argv += ["-device", "virtio-net-pci,netdev=net,romfile="]
        for file in (OVERLAY, *settings.disks):
            path, kind, serial = self.directory / file, file.rpartition(".")[2], file.partition(".")[0]
            drive = f"if=none,id={serial},format={kind},cache={settings.cache},discard=unmap,file={escaped(path)}"
            argv += ["-drive", drive, "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        if settings.direct_kernel:
            argv += ["-kernel", str(self.kernel), "-initrd", str(self.initrd), "-append", kernel_command_line()]
        return argv

    def wait(self, *, previous_boot: str = "") -> str:
        """Wait until the guest is up, in a boot other than `previous_boot`; the identifier of the boot.

        LabError with the end of the serial log when QEMU ends, or when the guest takes too long.
        """
        deadline = time.monotonic() + BOOT_SECONDS[self.settings.accelerator]
        while time.monotonic() < deadline:
            if not self.running():
                raise self.failure("is not running")
            if self.access.answers():
                boot = self.boot_id()
                if boot and boot != previous_boot:
                    return boot
            time.sleep(0.5)
        raise self.failure(f"did not answer within {BOOT_SECONDS[self.settings.accelerator]} s")

    def boot(self) -> None:
        """Start the machine and wait until it is up; end it again if that fails."""
        self.start()
        try:
            self.wait()
        except BaseException:
            self.cut()
            raise

    def summary(self) -> str:
        """One line about the machine."""
        settings = self.settings
        state = f"running, pid {self.pid}, ssh port {settings.port}" if self.running() else "off"
        return f"{settings.name}: {settings.suite}, {settings.accelerator}, {settings.memory_mib} MiB, {state}"

    def failure(self, what: str) -> LabError:
        """The error of a machine that is not up, with what it said last."""
        name = self.settings.name
        log = tail(self.serial_log)
        return LabError(f"{name!r} {what}; 'down {name}' removes it. The end of {self.serial_log}:\n{log}")

    def boot_id(self) -> str:
        """The identifier of the current boot; empty while the guest is not up."""
        try:
            done = subprocess.run(
                self.access.command(["sh", "-c", UP_CHECK]), capture_output=True, text=True, check=False, timeout=60
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def name_itself(self) -> None:
        """Give the guest its host name, now and for later boots."""
        name = shlex.quote(self.settings.name)
        script = f"echo {name} >/etc/hostname; hostname {name}; echo 127.0.1.1 {name} >>/etc/hosts; sync"
        if self.run(["sh", "-c", script]):
            raise self.failure("took no host name")

    def reach(self) -> Access:
        """The access to a machine that runs; LabError if it does not."""
        if not self.running():
            raise LabError(f"{self.settings.name!r} is not running: boot it with 'start {self.settings.name}'")
        return self.access

    def run(self, argv: list[str]) -> int:
        """Run a command in the guest with this program's own input and output; its exit code."""
        return subprocess.run(self.reach().command(argv), check=False).returncode

    def copy(self, *, source: str, destination: str) -> int:
        """Copy with rsync, whose exit code is returned; the path in the guest starts with `guest:`."""
        return subprocess.run(self.reach().copy(source=source, destination=destination), check=False).returncode

    def reboot(self) -> None:
        """Restart the guest in an orderly way and wait until it is up again."""
        boot = self.wait()
        self.run(["systemctl", "reboot"])
        self.wait(previous_boot=boot)

    def cut(self) -> None:
        """Cut the power: QEMU is killed, and whatever the guest had not written is lost."""
        descriptor = self.process()
        if descriptor is None:
            return
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], 30)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """End the machine and delete all that is its own."""
        self.cut()
        shutil.rmtree(self.directory)


def kernel_command_line() -> str:
    """What GRUB gives the kernel."""
    found = re.search('^GRUB_CMDLINE_LINUX="(.*)"$', recipe.GRUB_DEFAULTS, re.MULTILINE)
    return f"root=/dev/mapper/{recipe.VOLUME_GROUP}-root ro {found[1] if found else ''}"


def qemu_img(*arguments: str) -> None:
    """Run qemu-img; LabError with its message when it fails."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"qemu-img failed: {done.stderr.strip()}")


def escaped(path: Path) -> str:
    """A path as QEMU's option lists want it."""
    return str(path).replace(",", ",,")


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
