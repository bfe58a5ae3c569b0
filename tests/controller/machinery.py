# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests create on the guests: volumes on a loop device, a user; and the ways in which Ansible reaches them."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import yaml
from vm import machines, ssh

if TYPE_CHECKING:
    from collections.abc import Sequence

VG = "calls"
USER = "deploy"
SUDO = {"ansible_user": USER, "ansible_become": True, "ansible_become_method": "ansible.builtin.sudo"}
# Each is a group of the inventory, in which each guest has its own name, such as web1-sudo.
WAYS: dict[str, dict[str, Any]] = {
    "root": {"ansible_pipelining": True},
    "root_files": {"ansible_pipelining": False},
    "sudo": {**SUDO, "ansible_pipelining": True},
    "sudo_files": {**SUDO, "ansible_pipelining": False},
}
# A user who may not change anything.
AS_USER = {"user": {"ansible_user": USER}}

MAKE_USER = f"""
id {USER} >/dev/null 2>&1 || useradd --create-home --shell /bin/sh {USER}
install -d -o {USER} -m 700 ~{USER}/.ssh
install -o {USER} -m 600 /root/.ssh/authorized_keys ~{USER}/.ssh/authorized_keys
echo '{USER} ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/{USER}
"""
# Ansible keeps its connections open for a while.
REMOVE_USER = f"""
rm /etc/sudoers.d/{USER}
pkill -KILL -u {USER} || true
userdel --force --remove {USER} 2>/dev/null
"""

_DISK = "/run/safepoint-controller.disk"
MAKE_VOLUMES = f"""
truncate -s 320M {_DISK}
vgcreate -q --setautoactivation n {VG} "$(losetup --find --show {_DISK})"
lvcreate -q -y -L 40m -n thick {VG}
lvcreate -q -y --type thin-pool -L 120m --poolmetadatasize 4m -n pool {VG}
lvcreate -q -y -V 40m --thinpool {VG}/pool -n thin
for lv in thick thin; do
    mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/{VG}/$lv
done
"""
REMOVE_VOLUMES = f"""
if vgs {VG} >/dev/null 2>&1; then vgremove -q -ff -y {VG}; fi
for disk in $(losetup --noheadings --output NAME --associated {_DISK}); do losetup --detach "$disk"; done
rm -f {_DISK}
"""
SHOW_VOLUMES = f"""
lvs --noheadings -o lv_full_name,lv_tags,lv_merging {VG}
"""


def shell(guest: str, script: str) -> str:
    """Run a script in a guest as root and return its output. If it fails, AssertionError with its output."""
    argv = machines.find(guest).running_access().command(["sh", "-euc", script])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{guest}: {script}\n{done.stdout}{done.stderr}")
    return done.stdout


def each(guests: Sequence[str], script: str) -> list[str]:
    """Run a script in all guests at the same time; return their outputs."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda guest: shell(guest, script), guests))


def inventory(guests: Sequence[str]) -> dict[str, Any]:
    """The inventory of all guests, for every way to reach them."""
    plain = yaml.safe_load(ssh.inventory([machines.find(guest).running_access() for guest in guests]))["all"]["hosts"]
    return {
        way: {"hosts": {f"{guest}-{way}": {**plain[guest], **more} for guest in guests}}
        for way, more in {**WAYS, **AS_USER}.items()
    }
