# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible for guests: one directory with the configuration, the collection and the inventory."""

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
# Guests can be busy for a long time.
timeout = 60

[inventory]
inventory_unparsed_warning = false

[ssh_connection]
pipelining = true
# Ansible's own short name: a socket's path has at most 107 bytes, and the path of a cache can be long.
control_path =
ssh_args = -o ControlMaster=auto -o ControlPersist=300s
"""
# Environment variables that would change what Ansible does.
REMOVED_VARIABLES = ("ANSIBLE_", "PYTHON", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Controller:
    """The Ansible of the Python environment `home`. Its own files are in `state`, which may be deleted.

    `prefix` precedes each of its programs if they do not run directly on this machine.
    """

    home: Path
    state: Path
    cache: Path
    prefix: tuple[str, ...] = ()

    @property
    def inventory(self) -> Path:
        """The inventory. Molecule uses the same path."""
        return self.state / "inventory" / "lab.yml"

    @property
    def collections(self) -> Path:
        """The directory in which Ansible searches for the collection."""
        return self.state / "collections"

    def install(self, source: Path) -> None:
        """Install the collection: an artefact as users do, or a link to a checkout. LabError if that fails."""
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

    def write_inventory(self, *names: str) -> None:
        """Write the inventory of these machines. LabError if one of them is not running."""
        self.inventory.parent.mkdir(parents=True, exist_ok=True)
        text = ssh.inventory([machines.find(name).running_access() for name in names])
        self.inventory.write_text(text, encoding="utf-8")

    @property
    def configuration(self) -> Path:
        """Ansible's configuration file."""
        return self.state / "ansible.cfg"

    def variables(self) -> dict[str, str]:
        """The environment variables for Ansible's programs."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED_VARIABLES)}
        mine |= {"ANSIBLE_CONFIG": str(self.configuration), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        return mine | {"PATH": os.pathsep.join([str(self.home / "bin"), mine.get("PATH", os.defpath)])}

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of one of Ansible's programs on these machines."""
        return [*self.prefix, str(self.home / "bin" / program), "--inventory", str(self.inventory), *arguments]
