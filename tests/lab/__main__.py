# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines with real LVM, for tests: Debian guests whose root, /var and /home are logical volumes.

    python3 tests/lab setup                     # once: installs with apt-get what is missing
    python3 tests/lab up web1 --image trixie    # builds the image when needed, then boots
    python3 tests/lab run web1 -- lvs -a
    python3 tests/lab down web1

Images are built on the host, as root or through sudo, and kept in .cache ($SAFEPOINT_CACHE elsewhere). Machines boot
from throw-away overlays, listen on 127.0.0.1 only, and need no root.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import guest
import host
import image
import ssh
from guest import Guest
from host import LabError


def main() -> int:
    """Run one command; its exit code."""
    options = parser().parse_args()
    try:
        return int(options.call(options) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python3 tests/lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, text: str, call: object, *, names: str | None = None) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(call=call)
        if names == "1":
            one.add_argument("name", metavar="NAME", help="name of the virtual machine, and its host name")
        elif names:
            one.add_argument("names", metavar="NAME", nargs=names, help="names of virtual machines")
        return one

    command("setup", "install the packages the lab needs, if any is missing", lambda _: host.setup())
    for name, text, call in (
        ("build", "build the golden image of a suite, or find it in the cache", build),
        ("assemble", argparse.SUPPRESS, lambda options: image.assemble(options.suite)),
    ):
        one = commands.add_parser(name, **({} if text == argparse.SUPPRESS else {"help": text, "description": text}))
        one.set_defaults(call=call)
        one.add_argument("suite", metavar="SUITE", help="bookworm or trixie (debian12, debian13)")

    one = command("up", "boot a new machine; returns when SSH answers", up, names="1")
    one.add_argument("--image", metavar="SUITE", required=True, help="bookworm or trixie (debian12, debian13)")
    one.add_argument("--memory", metavar="MIB", type=int, default=1024, help="default: 1024")
    one.add_argument("--disk", metavar="SIZE", action="append", default=[], help="add an empty disk, such as 2G")
    one.add_argument(
        "--cache",
        choices=("unsafe", "writethrough", "none"),
        default="unsafe",
        help="how disks are written; unsafe is fastest, power cuts need another (default: unsafe)",
    )
    one = command("run", "run a command in a guest", run, names="1")
    one.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    one = command("push", "copy a file or directory into a guest, as rsync does", push, names="1")
    one.add_argument("local", metavar="LOCAL")
    one.add_argument("remote", metavar="REMOTE")
    one = command("pull", "copy a file or directory out of a guest, as rsync does", pull, names="1")
    one.add_argument("remote", metavar="REMOTE")
    one.add_argument("local", metavar="LOCAL")
    command("wait", "wait until SSH answers", lambda options: Guest.find(options.name).wait() and None, names="1")
    command("reboot", "reboot a guest and wait for it", lambda options: Guest.find(options.name).reboot(), names="1")
    command("cut", "cut the power of a machine; its disks stay", lambda options: Guest.find(options.name).cut(), names="1")
    command("start", "boot a machine that was cut; returns when SSH answers", start, names="1")
    one = command("down", "end machines and delete them", down, names="*")
    one.add_argument("--all", action="store_true", help="every machine of this cache")
    command("status", "list the machines", status)
    command("inventory", "print an Ansible inventory", inventory, names="+")
    command("ssh-config", "print an ssh configuration", ssh_config, names="+")
    return top


def build(options: argparse.Namespace) -> None:
    """Print the directory of a suite's image."""
    print(image.build(options.suite).directory)


def up(options: argparse.Namespace) -> None:
    """Create and boot a machine."""
    host.require_tools()
    golden = image.build(options.image)
    machine = Guest.create(
        options.name, golden, memory_mib=options.memory, disks=options.disk, cache=options.cache
    )
    boot(machine)
    machine.name_itself()


def start(options: argparse.Namespace) -> None:
    """Boot a machine that does not run."""
    boot(Guest.find(options.name))


def boot(machine: Guest) -> None:
    """Start a machine and wait until it is up; end it if that fails."""
    machine.start()
    try:
        machine.wait()
    except BaseException:
        machine.cut()
        raise


def run(options: argparse.Namespace) -> int:
    """Run a command in a guest."""
    argv = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not argv:
        raise LabError("which command? For example: run NAME -- lvs -a")
    return Guest.find(options.name).run(argv)


def push(options: argparse.Namespace) -> int:
    """Copy into a guest."""
    access = Guest.find(options.name).access
    return subprocess.run(access.copy(source=options.local, destination=f"guest:{options.remote}"), check=False).returncode


def pull(options: argparse.Namespace) -> int:
    """Copy out of a guest."""
    access = Guest.find(options.name).access
    return subprocess.run(access.copy(source=f"guest:{options.remote}", destination=options.local), check=False).returncode


def down(options: argparse.Namespace) -> None:
    """End and delete machines."""
    machines = guest.all_guests() if options.all else [Guest.find(name) for name in options.names]
    if not machines and not options.all:
        raise LabError("which machine? Name it, or use --all")
    for machine in machines:
        machine.remove()


def status(_: argparse.Namespace) -> None:
    """Print one line per machine."""
    for machine in guest.all_guests():
        settings = machine.settings
        state = f"running, pid {settings.pid}, ssh port {settings.port}" if machine.running() else "off"
        print(f"{settings.name}: {settings.suite}, {settings.accelerator}, {settings.memory_mib} MiB, {state}")


def inventory(options: argparse.Namespace) -> None:
    """Print an Ansible inventory."""
    print(ssh.inventory([Guest.find(name).access for name in options.names]), end="")


def ssh_config(options: argparse.Namespace) -> None:
    """Print an ssh configuration."""
    print("\n".join(Guest.find(name).access.ssh_config() for name in options.names), end="")


if __name__ == "__main__":
    sys.exit(main())
