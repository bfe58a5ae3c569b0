# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to guests: the commands of ssh and rsync, the configuration of ssh, and the inventory of Ansible."""

from __future__ import annotations

import shlex
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
# All guests of an image have the same host key, and ports are reused, so known_hosts would be useless.
OPTIONS = {
    "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null",
    "IdentitiesOnly": "yes",
    "LogLevel": "ERROR",
    # A guest that reboots or crashes may not close its connections. In emulation it may be silent for a while.
    "ServerAliveInterval": "20",
    "ServerAliveCountMax": "6",
}


@dataclass(frozen=True)
class Access:
    """How to connect to a guest."""

    name: str
    port: int
    key: Path

    def options(self) -> list[str]:
        """The options of ssh. They exclude the user's own configuration."""
        return ["-F", "none", *(f"-o{name}={value}" for name, value in OPTIONS.items())]

    def ssh(self) -> list[str]:
        """The command line of ssh, without a remote command."""
        return ["ssh", *self.options(), "-i", str(self.key), "-p", str(self.port), f"root@{HOST}"]

    def command(self, argv: list[str]) -> list[str]:
        """The command line that runs `argv` in the guest, with exactly these arguments."""
        return [*self.ssh(), "--", shlex.join(argv)]

    def copy(self, *, source: str, destination: str) -> list[str]:
        """The command line of rsync for a copy. The path in the guest starts with `guest:`."""
        transport = shlex.join(["ssh", *self.options(), "-i", str(self.key), "-p", str(self.port)])
        ends = [end.replace("guest:", f"root@{HOST}:", 1) for end in (source, destination)]
        return ["rsync", "--archive", "--protect-args", "--rsh", transport, "--", *ends]

    def answers(self) -> bool:
        """Whether an SSH server answers on the port. QEMU accepts connections long before the guest does."""
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def ssh_config(self) -> str:
        """A `Host` block for the configuration of ssh."""
        lines = [f"Host {self.name}", f"  HostName {HOST}", f"  Port {self.port}", "  User root"]
        lines += [f'  IdentityFile "{self.key}"', *(f"  {name} {value}" for name, value in OPTIONS.items())]
        return "\n".join(lines) + "\n"

    def inventory_host(self) -> str:
        """The guest in a YAML inventory, indented for all.hosts."""
        return f"""\
    {self.name}:
      ansible_host: {HOST}
      ansible_port: {self.port}
      ansible_user: root
      ansible_ssh_private_key_file: '{str(self.key).replace("'", "''")}'
      ansible_ssh_common_args: {shlex.join(self.options())}
"""


def inventory(accesses: list[Access]) -> str:
    """An Ansible inventory in YAML."""
    return "all:\n  hosts:\n" + "".join(access.inventory_host() for access in accesses)
