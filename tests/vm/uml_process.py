# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that contains a guest of user-mode Linux. It does the work of the machine around the kernel.

There are two processes. The outer one creates namespaces for mounts, network and processes, and waits. The inner one is
the first process in that namespace. It starts the kernel again when the guest reboots, logs the console, and forwards
connections. If the outer one ends, the inner one ends too, and the kernel removes everything in the namespaces:
processes, mounts and the network. Nothing has to be cleaned up.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from vm import recipe
from vm.host import LabError
from vm.ranges import MIB
from vm.ssh import HOST
from vm.uml import DISK, UmlGuest

if TYPE_CHECKING:
    from vm.guest import Settings

LIBC = ctypes.CDLL(None, use_errno=True)
# From <linux/sched.h> and <linux/prctl.h>. Python has unshare only from 3.12 on.
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
# The filesystem for the guest's memory also contains files of the kernel itself.
MEMORY_MARGIN_MIB = 64
RESTART = b"reboot: Restarting system"
TAP = "tap0"


def run_machine(machine: UmlGuest) -> int:
    """Run the machine until it is off. Print `ready`, `port taken`, or what is wrong."""
    lock = machine.lock.open("w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Created before the namespace, so that it listens in the network of this machine.
    listener = socket.socket()
    try:
        listener.bind((HOST, machine.settings.port))
    except OSError:
        print("port taken", flush=True)
        return 1
    listener.listen()
    machine.pidfile.write_text(f"{os.getpid()}\n", encoding="ascii")
    check_result(LIBC.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET), "unshare")
    inner = os.fork()
    if inner == 0:
        run_inner_process(machine, listener, lock.fileno())
    listener.close()
    close_output()
    os.waitpid(inner, 0)
    machine.pidfile.unlink(missing_ok=True)
    return 0


def run_inner_process(machine: UmlGuest, listener: socket.socket, lock: int) -> NoReturn:
    """The inner process."""
    check_result(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
    status = 1
    try:
        prepare(machine)
        relay = Relay(listener)
        threading.Thread(target=relay.serve, daemon=True).start()
        print("ready", flush=True)
        close_output()
        while boot(machine, lock):
            relay.drop()
        status = 0
    except (LabError, OSError) as error:
        print(f"{error}".replace("\n", "; "), flush=True)
        with machine.serial_log.open("a", encoding="utf-8") as log:
            log.write(f"lab: {error}\n")
    finally:
        os._exit(status)


def close_output() -> None:
    """Print nothing more, because nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_result(code: int, call: str) -> None:
    """Raise OSError if a function of the C library has failed."""
    if code:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def prepare(machine: UmlGuest) -> None:
    """Create the tree and the network of the kernel, in the namespaces of this process."""
    tree, settings = machine.kernel.tree, machine.settings
    size = f"size={settings.memory_mib + MEMORY_MARGIN_MIB}m"
    commands = [
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "proc", "proc", f"{tree}/proc"],
        ["mount", "--bind", "/dev", f"{tree}/dev"],
        ["mount", "-t", "tmpfs", "-o", size, "memory", f"{tree}/memory"],
        ["mount", "--bind", str(machine.directory), f"{tree}/machine"],
        ["ip", "tuntap", "add", TAP, "mode", "tap"],
        ["ip", "address", "add", f"{recipe.UML_HOST}/{recipe.UML_PREFIX}", "dev", TAP],
        ["ip", "link", "set", TAP, "up"],
    ]
    for argv in commands:
        run(argv)


def run(argv: list[str]) -> None:
    """Run a program. LabError with its message if it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"'{' '.join(argv)}' failed: {done.stderr.strip()}")


def boot(machine: UmlGuest, lock: int) -> bool:
    """Start the kernel and wait until it ends. Return whether the guest wants to reboot."""
    copy_boot_files(machine)
    argv = ["chroot", str(machine.kernel.tree), *kernel_command(machine.settings)]
    environment = {"HOME": "/memory", "TMPDIR": "/memory", "PATH": os.environ["PATH"]}
    restart = False
    with (
        machine.serial_log.open("ab", buffering=0) as log,
        subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
        ) as process,
    ):
        said = b""
        while not restart and process.stdout and (chunk := os.read(process.stdout.fileno(), 65536)):
            log.write(chunk)
            said = (said + chunk)[-len(chunk) - len(RESTART) :]
            # The kernel then halts, but does not exit.
            restart = RESTART in said
        kill_all()
    with suppress(ChildProcessError):
        while os.waitpid(-1, 0):
            pass
    return restart


def kill_all() -> None:
    """Kill all other processes of the namespace."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)


def copy_boot_files(machine: UmlGuest) -> None:
    """Copy kernel and initramfs from the guest's /boot, like a boot loader: without replaying a journal.

    LabError if one of them does not exist.
    """
    release = machine.kernel.release
    start = recipe.RECIPES[machine.settings.suite].boot_start_mib
    file_system = f"{machine.directory / DISK}?offset={start * MIB}"
    for name in ("vmlinuz", "initrd.img"):
        target = machine.directory / name
        target.unlink(missing_ok=True)
        run(["debugfs", "-R", f"dump /{name}-{release} {target}", file_system])
        if not target.exists() or not target.stat().st_size:
            raise LabError(f"/boot of the guest contains no {name}-{release}, so it cannot boot")
        target.chmod(0o755)


def kernel_command(settings: Settings) -> list[str]:
    """The kernel and its command line, with paths as seen in its tree."""
    flag = "" if settings.cache == "unsafe" else "s"  # s: a write ends only when it is on the disk
    disks = [f"ubda{flag}=/machine/{DISK}"]
    disks += [f"ubd{letter}{flag}=/machine/{file}" for letter, file in zip("bcdefgh", settings.disks)]
    return [
        "/machine/vmlinuz",
        f"mem={settings.memory_mib}M",
        "initrd=/machine/initrd.img",
        *disks,
        *("con=null", "con0=null,fd:1", "ssl=null", "seccomp=on"),
        # Without gro, large transfers stall for minutes.
        f"vec0:transport=tap,ifname={TAP},gro=1",
        *("uml_dir=/memory/uml", "umid=guest"),
        *(f"root=/dev/mapper/{recipe.VOLUME_GROUP}-root", "ro", "loglevel=5"),
    ]


class Relay:
    """Forwards connections from the port on 127.0.0.1 to the guest's SSH server."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.open: set[socket.socket] = set()

    def serve(self) -> None:
        """Accept connections forever."""
        while True:
            near, _address = self.listener.accept()
            threading.Thread(target=self.connect, args=(near,), daemon=True).start()

    def connect(self, near: socket.socket) -> None:
        """Connect to the guest, and forward in both directions until one side ends."""
        with near:
            try:
                far = socket.create_connection((recipe.UML_GUEST, 22), timeout=5)
            except OSError:
                return
            far.settimeout(None)
            with far:
                self.open |= {near, far}
                back = threading.Thread(target=forward, args=(far, near), daemon=True)
                back.start()
                forward(near, far)
                back.join()
                self.open -= {near, far}

    def drop(self) -> None:
        """Close all connections, because the guest at the other end has ended."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def forward(source: socket.socket, target: socket.socket) -> None:
    """Forward everything from one side until it ends."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
