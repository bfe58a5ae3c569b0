# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a virtual machine: its directory, its process, and an SSH port on 127.0.0.1."""

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
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from vm import image
from vm.host import LabError, cache_directory, tail
from vm.ssh import HOST, Access

CacheMode = Literal["unsafe", "writethrough", "none"]
# What runs a guest's instructions: the processor under KVM, QEMU's emulation of one, or user-mode Linux.
Accelerator = Literal["kvm", "tcg", "uml"]
PORTS_TRIED = 4
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
BOOT_SECONDS: dict[Accelerator, int] = {"kvm": 120, "uml": 240, "tcg": 900}
# Whether the guest is up: not while it shuts down, when its SSH server still answers.
UP_CHECK = 'test "$(systemctl is-system-running)" != stopping && cat /proc/sys/kernel/random/boot_id'


@dataclass(frozen=True)
class Settings:
    """What a virtual machine is made of; kept in its directory as vm.json.

    `suite` is the name of its image, `kernel` the version of user-mode Linux; 0 processors are as many as are best.
    """

    name: str
    suite: str
    backing: str
    accelerator: Accelerator
    memory_mib: int
    cache: CacheMode
    disks: list[str]
    port: int
    direct_kernel: bool = False
    kernel: str = ""
    processors: int = 0


class PortTaken(Exception):
    """Somebody else listens where the guest's SSH server was to be reached."""


def directory_of(name: str) -> Path:
    """The directory of a virtual machine, which need not exist."""
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name for a machine: expected small letters, digits and inner hyphens")
    return cache_directory() / "vms" / name


@dataclass
class Guest(ABC):
    """One virtual machine."""

    directory: Path
    settings: Settings

    @abstractmethod
    def make_disks(self, golden: image.Image, sizes: list[str]) -> None:
        """Create the machine's layer of the system disk, if that takes a file, and empty disks of these sizes."""

    @abstractmethod
    def launch(self) -> None:
        """Start the process, which then outlives this program. PortTaken, or LabError with what went wrong."""

    @property
    @abstractmethod
    def sign(self) -> Path:
        """A path in the command line of the machine's process, and of no other."""

    @property
    def serial_log(self) -> Path:
        """What the guest wrote to its serial console, from every boot."""
        return self.directory / "serial.log"

    @property
    def pidfile(self) -> Path:
        """Where the machine's process writes its number."""
        return self.directory / "machine.pid"

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
        """The process that the pidfile names, which may be gone; 0 without a pidfile."""
        try:
            return int(self.pidfile.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def process(self) -> int | None:
        """A file descriptor of the machine's process, for the caller to close; None when the machine does not run."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return None
        # The number may belong to another process by now. One that has ended has no command line any more.
        with suppress(OSError):
            if os.fsencode(self.sign) in Path(f"/proc/{self.pid}/cmdline").read_bytes():
                return descriptor
        os.close(descriptor)
        return None

    def running(self) -> bool:
        """True while the machine's process lives."""
        descriptor = self.process()
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    def start(self) -> None:
        """Start the machine; at another port if the former one is taken."""
        if self.running():
            raise LabError(f"{self.settings.name!r} runs already")
        for _attempt in range(PORTS_TRIED):
            with suppress(PortTaken):
                self.launch()
                return
            self.settings = replace(self.settings, port=free_port())
            self.save()
        raise LabError(f"{self.settings.name!r} did not start: no port of {PORTS_TRIED} was free")

    def wait(self, *, previous_boot: str = "") -> str:
        """Wait until the guest is up, in a boot other than `previous_boot`; the identifier of the boot.

        LabError with the end of the serial log when the machine ends, or when the guest takes too long.
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

    def shell(self) -> int:
        """A shell in the guest, at the terminal of this program; its exit code."""
        argv = self.reach().ssh()
        return subprocess.run([argv[0], "-t", *argv[1:]], check=False).returncode

    def copy(self, *, source: str, destination: str) -> int:
        """Copy with rsync, whose exit code is returned; the path in the guest starts with `guest:`."""
        return subprocess.run(self.reach().copy(source=source, destination=destination), check=False).returncode

    def reboot(self) -> None:
        """Restart the guest in an orderly way and wait until it is up again."""
        boot = self.wait()
        self.run(["systemctl", "reboot"])
        self.wait(previous_boot=boot)

    def cut(self) -> None:
        """Cut the power: the machine's process is killed, and whatever the guest had not written is lost."""
        descriptor = self.process()
        if descriptor is None:
            return
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], 30)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """End the machine and delete all that is its own, but keep the log of its console: a failure may be explained there."""
        self.cut()
        if self.serial_log.exists():
            kept = cache_directory() / "consoles"
            kept.mkdir(exist_ok=True)
            shutil.move(self.serial_log, kept / f"{self.settings.name}.log")
        shutil.rmtree(self.directory)


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
