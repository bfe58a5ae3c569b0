# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible on guests: one directory with the configuration, the collection and the inventory that its programs need."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm import machines, ssh
from vm.host import LabError

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """\
[defaults]
collections_path = {collections}
home = {home}
nocolor = true
gathering = explicit
localhost_warning = false
# Guests may be busy for long.
timeout = 60

[inventory]
inventory_unparsed_warning = false

[ssh_connection]
pipelining = true
# Ansible's own short name: the path of a socket has 107 bytes, and caches may lie deep.
control_path =
ssh_args = -o ControlMaster=auto -o ControlPersist=300s
"""
# What in the environment would lead Ansible elsewhere.
MISLEADING = ("ANSIBLE_", "PYTHON", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Controller:
    """The Ansible of a Python environment (`home`), with all that is its own in `state`, which may be deleted.

    `prefix` stands before each of its programs, if they do not run on this machine as they are.
    """

    home: Path
    state: Path
    cache: Path
    prefix: tuple[str, ...] = ()

    @property
    def inventory(self) -> Path:
        """The inventory; Molecule has it in the same place."""
        return self.state / "inventory" / "lab.yml"

    @property
    def collections(self) -> Path:
        """Where Ansible looks for the collection."""
        return self.state / "collections"

    def install(self, source: Path) -> None:
        """Install the collection: its artefact, as users do, or a link to the checkout. LabError if that fails."""
        place = self.collections / "ansible_collections" / "safepoint" / "lvm"
        if place.is_symlink():
            place.unlink()
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(
            CONFIGURATION.format(collections=self.collections, home=self.cache / "ansible"), encoding="utf-8"
        )
        if source.is_dir():
            place.symlink_to(source)
            return
        argv = [*self.prefix, str(self.home / "bin" / "ansible-galaxy"), "collection", "install", str(source)]
        argv += ["--offline", "--collections-path", str(self.collections)]
        done = subprocess.run(argv, env=self.variables(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"the collection cannot be installed: {done.stdout}{done.stderr}")

    def reach(self, *names: str) -> None:
        """Write down how these machines are reached, which have to run."""
        self.inventory.parent.mkdir(parents=True, exist_ok=True)
        text = ssh.inventory([machines.find(name).reach() for name in names])
        self.inventory.write_text(text, encoding="utf-8")

    @property
    def configuration(self) -> Path:
        """Ansible's configuration file."""
        return self.state / "ansible.cfg"

    def variables(self) -> dict[str, str]:
        """The process environment for Ansible's programs."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(MISLEADING)}
        mine |= {"ANSIBLE_CONFIG": str(self.configuration), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        return mine | {"PATH": os.pathsep.join([str(self.home / "bin"), mine.get("PATH", os.defpath)])}

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program of Ansible's on these machines."""
        return [*self.prefix, str(self.home / "bin" / program), "--inventory", str(self.inventory), *arguments]
