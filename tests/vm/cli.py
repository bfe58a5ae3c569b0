# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines with real LVM for tests: Debian guests whose root, /var and /home are logical volumes.

    python3 tests/vm setup                     # once: installs missing packages with apt-get
    python3 tests/vm up web1 --image trixie    # builds the image if needed, then boots
    python3 tests/vm run web1 -- lvs -a
    python3 tests/vm down web1

Images are built on this machine, as root or with sudo, and kept in .cache (or in $SAFEPOINT_CACHE). A machine writes to
its own disk, never to the image. It listens only on 127.0.0.1 and runs until you stop it. A machine in QEMU does not
need root. KVM is used if it works; without KVM a boot takes one or two minutes.

There are several images of each Debian. The plain one boots with BIOS. Each of the others differs in one thing:

    -thin         / and /var are thin volumes
    -dracut       dracut builds the initramfs
    -uefi         UEFI; the ESP, with shim and GRUB, is mounted at /boot/efi
    -secureboot   like -uefi, with Secure Boot: the firmware has Microsoft's keys, shim has Debian's
    -ownkeys      like -secureboot, but the firmware has only the guest's own PK, KEK and db
    -luks         the PV is encrypted; the initramfs contains a key file, so the boot needs no password

sid is Debian unstable, which shows early what will break. In sid-bls the entries of GRUB's menu are files in
/boot/loader/entries (Boot Loader Specification), as on Fedora and EL. GRUB 2.14 and newer can read them.

The keys of -ownkeys are in /etc/secureboot of the guest. `sbsign --key db.key --cert db.crt` signs a loader, and its
firmware starts it. After `sbattach --remove` the firmware refuses it. `efi-updatevar -a -b LOADER -k KEK.key dbx`
revokes a loader. Keys and boot entries of the firmware belong to one machine: they survive reboots and power cuts, and
are deleted with the machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Callable, get_args

from vm import assembly, guest, host, machines, ssh, uml_kernel, uml_process
from vm.host import LabError
from vm.recipe import ALIASES, RECIPES
from vm.uml import UmlGuest


def main() -> int:
    """Run one command. Return its exit code."""
    options = _parser().parse_args()
    try:
        return options.call(options) or 0
    except (LabError, OSError) as error:
        host.say(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        host.say("lab: interrupted")
        return 130


def _setup(_options: argparse.Namespace) -> None:
    """Install the packages that the lab needs."""
    host.setup()


def _build(options: argparse.Namespace) -> None:
    """Build an image if it does not exist, and print its directory."""
    print(machines.golden_image(options.image, options.machine).directory)


def _assemble(options: argparse.Namespace) -> None:
    """Do the part of `build` that needs root. Used by `build`."""
    assembly.assemble(options.image, uml_kernel.kernel_of_version(options.kernel))


def _up(options: argparse.Namespace) -> None:
    """Create a machine, boot it, and wait until SSH answers."""
    guest.directory_of(options.name)  # refuses an invalid name
    host.require_tools()
    golden = machines.golden_image(options.image, options.machine)
    machine = machines.create(
        options.name,
        golden,
        memory_mib=options.memory,
        disks=options.disk,
        cache=options.cache,
        direct_kernel=options.direct_kernel,
        processors=options.processors,
    )
    machine.boot()
    machine.set_host_name()


def _ready(options: argparse.Namespace) -> None:
    """Make sure that a machine is running: create it, or boot it, or do nothing."""
    if not guest.directory_of(options.name).exists():
        _up(options)
    elif not machines.find(options.name).running():
        _start(options)


def _shell(options: argparse.Namespace) -> int:
    """Open a shell in a machine."""
    return machines.find(options.name).shell()


def _keep(options: argparse.Namespace) -> int:
    """Run the process that contains a guest of user-mode Linux. Used by `up` and `start`."""
    machine = machines.load(options.directory)
    if not isinstance(machine, UmlGuest):
        raise LabError(f"{options.directory} is not a machine of user-mode Linux")
    return uml_process.run_machine(machine)


def _start(options: argparse.Namespace) -> None:
    """Boot a machine that is off, and wait until SSH answers."""
    machines.find(options.name).boot()


def _wait(options: argparse.Namespace) -> None:
    """Wait until SSH answers."""
    machines.find(options.name).wait()


def _reboot(options: argparse.Namespace) -> None:
    """Reboot a machine and wait until SSH answers again."""
    machines.find(options.name).reboot()


def _cut(options: argparse.Namespace) -> None:
    """Cut the power of a machine. Its disks are kept."""
    machines.find(options.name).cut()


def _run(options: argparse.Namespace) -> int:
    """Run a command in a machine, with exactly the given arguments."""
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise LabError("no command given: use for example run NAME -- lvs -a")
    return machines.find(options.name).run(argv)


def _push(options: argparse.Namespace) -> int:
    """Copy a file or directory into a machine, like rsync."""
    return machines.find(options.name).copy(source=options.local, destination=f"guest:{options.remote}")


def _pull(options: argparse.Namespace) -> int:
    """Copy a file or directory out of a machine, like rsync."""
    return machines.find(options.name).copy(source=f"guest:{options.remote}", destination=options.local)


def _down(options: argparse.Namespace) -> None:
    """Stop machines and delete them."""
    if not options.names and not options.all:
        raise LabError("no machine given: name it, or use --all")
    wanted = machines.all_guests() if options.all else [machines.find(name) for name in options.names]
    for machine in wanted:
        machine.remove()


def _status(_options: argparse.Namespace) -> None:
    """List the machines."""
    for machine in machines.all_guests():
        print(machine.summary())


def _inventory(options: argparse.Namespace) -> None:
    """Print an Ansible inventory of machines in YAML."""
    print(ssh.inventory([machines.find(name).running_access() for name in options.names]), end="")


def _ssh_config(options: argparse.Namespace) -> None:
    """Print a configuration of ssh for machines."""
    print("\n".join(machines.find(name).running_access().ssh_config() for name in options.names), end="")


# An argument of a command: the name and the options for add_argument.
Argument = tuple[str, dict[str, Any]]
IMAGES = ", ".join([*RECIPES, *ALIASES])
NAME: Argument = ("name", {"metavar": "NAME", "help": "name of the machine, and its host name"})
NAMES: Argument = ("names", {"metavar": "NAME", "nargs": "+"})
IMAGE: Argument = ("image", {"metavar": "IMAGE", "help": IMAGES})
LOCAL: Argument = ("local", {"metavar": "LOCAL", "help": "path on this machine"})
REMOTE: Argument = ("remote", {"metavar": "REMOTE", "help": "path in the machine"})
MACHINE: Argument = (
    "--machine",
    {
        "choices": get_args(machines.MachineChoice),
        "default": "auto",
        "help": "auto (the default): user-mode Linux if it works here (it has no boot loader), else QEMU",
    },
)
KERNEL: Argument = ("--kernel", {"metavar": "VERSION", "help": "build for this version of user-mode Linux"})
UP: tuple[Argument, ...] = (
    NAME,
    MACHINE,
    ("--image", {"metavar": "IMAGE", "required": True, "help": IMAGES}),
    ("--memory", {"metavar": "MIB", "type": int, "default": 1024, "help": "default: 1024"}),
    (
        "--processors",
        {"metavar": "N", "type": int, "default": 0, "help": "number of processors in QEMU; default: what is fastest"},
    ),
    (
        "--disk",
        {
            "metavar": "SIZE",
            "action": "append",
            "default": [],
            "help": "add an empty disk of this size, for example 2G",
        },
    ),
    ("--direct-kernel", {"action": "store_true", "help": "boot the image's kernel without GRUB"}),
    (
        "--cache",
        {
            "choices": get_args(guest.CacheMode),
            "default": "unsafe",
            "help": "how QEMU writes disks: unsafe (the default) is fastest; use writethrough for power cuts",
        },
    ),
)
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int | None], tuple[Argument, ...]]] = {
    "setup": (_setup, ()),
    "build": (_build, (IMAGE, MACHINE)),
    "assemble": (_assemble, (IMAGE, KERNEL)),
    "keep": (_keep, (("directory", {"type": Path}),)),
    "up": (_up, UP),
    "ready": (_ready, UP),
    "shell": (_shell, (NAME,)),
    "run": (_run, (NAME, ("argv", {"metavar": "COMMAND", "nargs": argparse.REMAINDER}))),
    "push": (_push, (NAME, LOCAL, REMOTE)),
    "pull": (_pull, (NAME, REMOTE, LOCAL)),
    "wait": (_wait, (NAME,)),
    "reboot": (_reboot, (NAME,)),
    "cut": (_cut, (NAME,)),
    "start": (_start, (NAME,)),
    "down": (
        _down,
        (
            ("names", {"metavar": "NAME", "nargs": "*"}),
            ("--all", {"action": "store_true", "help": "every machine of this cache"}),
        ),
    ),
    "status": (_status, ()),
    "inventory": (_inventory, (NAMES,)),
    "ssh-config": (_ssh_config, (NAMES,)),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 tests/vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (call, arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=call.__doc__, description=call.__doc__)
        command.set_defaults(call=call)
        for flag, settings in arguments:
            command.add_argument(flag, **settings)
    return parser


if __name__ == "__main__":
    sys.exit(main())
