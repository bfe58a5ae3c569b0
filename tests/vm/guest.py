# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual machine: its directory, its process, and the port on 127.0.0.1 that leads to its SSH server."""

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
# What executes the guest's instructions: the processor (KVM), QEMU's emulation (TCG), or user-mode Linux.
Accelerator = Literal["kvm", "tcg", "uml"]
PORTS_TRIED = 4
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
BOOT_SECONDS: dict[Accelerator, int] = {"kvm": 120, "uml": 240, "tcg": 900}
# Is the guest up? Not while it shuts down, although its SSH server still answers then.
UP_CHECK = 'test "$(systemctl is-system-running)" != stopping && cat /proc/sys/kernel/random/boot_id'


@dataclass(frozen=True)
class Settings:
    """The settings of a virtual machine, stored in its directory as vm.json.

    `suite` is the name of its image, `kernel` the version of user-mode Linux. With 0 `processors` it gets as many as
    are fastest.
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
    """Another process listens on the port for the guest's SSH server."""


def directory_of(name: str) -> Path:
    """The directory of a virtual machine, even if it does not exist. LabError if the name is invalid."""
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} is not a valid name of a machine: use a-z, 0-9, and hyphens inside")
    return cache_directory() / "vms" / name


@dataclass
class Guest(ABC):
    """A virtual machine."""

    directory: Path
    settings: Settings

    @abstractmethod
    def make_disks(self, golden: image.Image, sizes: list[str]) -> None:
        """Create the machine's own layer of the system disk, if that is a file, and empty disks of these sizes."""

    @abstractmethod
    def launch(self) -> None:
        """Start the machine's process, which continues after this program has ended. PortTaken, or LabError."""

    @property
    @abstractmethod
    def identifying_path(self) -> Path:
        """A path that occurs in the command line of the machine's process, and of no other process."""

    @property
    def serial_log(self) -> Path:
        """The output of the guest's serial console, of all boots."""
        return self.directory / "serial.log"

    @property
    def pidfile(self) -> Path:
        """The file with the PID of the machine's process."""
        return self.directory / "machine.pid"

    @property
    def access(self) -> Access:
        """How to connect to the machine with SSH."""
        return Access(self.settings.name, self.settings.port, image.private_key())

    def save(self) -> None:
        """Write vm.json atomically."""
        draft = self.directory / "vm.json.new"
        draft.write_text(json.dumps(asdict(self.settings), indent=2), encoding="utf-8")
        draft.rename(self.directory / "vm.json")

    @property
    def pid(self) -> int:
        """The PID in the pidfile, even if that process has ended; 0 without a pidfile."""
        try:
            return int(self.pidfile.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def process(self) -> int | None:
        """A file descriptor of the machine's process, for the caller to close. None if the machine is not running."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return None
        # Another process can have this PID by now. A process that has ended has no command line.
        with suppress(OSError):
            if os.fsencode(self.identifying_path) in Path(f"/proc/{self.pid}/cmdline").read_bytes():
                return descriptor
        os.close(descriptor)
        return None

    def running(self) -> bool:
        """Whether the machine's process is running."""
        descriptor = self.process()
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    def start(self) -> None:
        """Start the machine. If its port is taken, it gets another one. LabError if it cannot be started."""
        if self.running():
            raise LabError(f"{self.settings.name!r} is already running")
        for _attempt in range(PORTS_TRIED):
            with suppress(PortTaken):
                self.launch()
                return
            self.settings = replace(self.settings, port=free_port())
            self.save()
        raise LabError(f"{self.settings.name!r} did not start: each of {PORTS_TRIED} ports was taken")

    def wait(self, *, previous_boot: str = "") -> str:
        """Wait until the guest is up, in another boot than `previous_boot`. Return the ID of the boot.

        LabError, with the end of the serial log, if the machine ends or the guest needs too long.
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
        """Start the machine and wait until it is up. If that fails, stop it again."""
        self.start()
        try:
            self.wait()
        except BaseException:
            self.cut()
            raise

    def summary(self) -> str:
        """The machine in one line."""
        settings = self.settings
        state = f"running, pid {self.pid}, ssh port {settings.port}" if self.running() else "off"
        return f"{settings.name}: {settings.suite}, {settings.accelerator}, {settings.memory_mib} MiB, {state}"

    def failure(self, what: str) -> LabError:
        """The error about a machine that is not up, with the end of its serial log."""
        name = self.settings.name
        log = tail(self.serial_log)
        return LabError(
            f"{name!r} {what}. To remove it, type python3 tests/vm down {name}. The end of {self.serial_log}:\n{log}"
        )

    def boot_id(self) -> str:
        """The ID of the current boot; empty while the guest is not up."""
        try:
            done = subprocess.run(
                self.access.command(["sh", "-c", UP_CHECK]), capture_output=True, text=True, check=False, timeout=60
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def set_host_name(self) -> None:
        """Set the host name of the guest, now and for later boots."""
        name = shlex.quote(self.settings.name)
        script = f"echo {name} >/etc/hostname; hostname {name}; echo 127.0.1.1 {name} >>/etc/hosts; sync"
        if self.run(["sh", "-c", script]):
            raise self.failure("did not accept its host name")

    def running_access(self) -> Access:
        """How to connect to a running machine. LabError if it is not running."""
        if not self.running():
            raise LabError(
                f"{self.settings.name!r} is not running: boot it with python3 tests/vm start {self.settings.name}"
            )
        return self.access

    def run(self, argv: list[str]) -> int:
        """Run a command in the guest, with the input and output of this program. Return its exit code."""
        return subprocess.run(self.running_access().command(argv), check=False).returncode

    def shell(self) -> int:
        """Open a shell in the guest, on the terminal of this program. Return its exit code."""
        argv = self.running_access().ssh()
        return subprocess.run([argv[0], "-t", *argv[1:]], check=False).returncode

    def copy(self, *, source: str, destination: str) -> int:
        """Copy with rsync, and return its exit code. The path in the guest starts with `guest:`."""
        return subprocess.run(
            self.running_access().copy(source=source, destination=destination), check=False
        ).returncode

    def reboot(self) -> None:
        """Reboot the guest regularly, and wait until it is up again."""
        boot = self.wait()
        self.run(["systemctl", "reboot"])
        self.wait(previous_boot=boot)

    def cut(self) -> None:
        """Cut the power: kill the machine's process. Everything that the guest has not written is lost."""
        descriptor = self.process()
        if descriptor is None:
            return
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], 30)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Stop the machine and delete its directory. Only the log of its console is kept: it may explain a failure."""
        self.cut()
        if self.serial_log.exists():
            kept = cache_directory() / "consoles"
            kept.mkdir(exist_ok=True)
            shutil.move(self.serial_log, kept / f"{self.settings.name}.log")
        shutil.rmtree(self.directory)


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
