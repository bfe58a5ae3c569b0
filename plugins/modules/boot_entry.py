#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Add a preview boot of a snapset to the boot menu."""

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_entry
short_description: Add a preview boot of a snapset to the boot menu
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Prepares an entry in GRUB's menu for a preview boot. It boots the snapshot of the root filesystem, with the kernel
    and the initramfs from the backup of C(/boot), and mounts the snapshots of the other members at their mountpoints.
  - The snapshots are mounted read-only, and all writes go to memory, so a preview boot does not change the snapset.
    Other filesystems are mounted read-only. The next boot is a normal boot again.
  - The entry is in the menu only in the boot for which O(next_boot) selects it, and GRUB takes it once. If the preview
    boot fails, the host reboots.
requirements:
  - GRUB 2 that reads C(custom.cfg), with C(grub-editenv) or C(grub2-editenv)
  - an initramfs of initramfs-tools or dracut, and C(lsinitramfs) or C(lsinitrd)
  - the kernel module C(overlay), in the snapset
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  diff_mode:
    details:
      - For files it shows size and checksum. It shows text only for the boot menu entries and the units that this
        module writes.
options:
  name:
    description: Names the snapset. It must be active, contain C(/), and have a backup of C(/boot).
    type: str
    required: true
  state:
    description:
      - V(present) adds the entry. It is refused if the host could not boot the entry, or could not boot normally
        afterwards.
      - V(absent) removes the entry, and cancels its choice for the next boot.
    type: str
    choices: [present, absent]
    default: present
  next_boot:
    description:
      - V(true) makes the next boot, and only that one, a preview boot. V(false) undoes that. Without this option an
        earlier choice is kept.
    type: bool
  kernel:
    description: Selects the version of the kernel, from the backup of C(/boot). The default is the newest one.
    type: str
  allow_passphrase:
    description:
      - The entry is refused if the host boots from an encrypted device that nothing seems to open without a person.
        The device has no key file in C(/etc/crypttab), or the initramfs of the backup does not contain the key file, or
        GRUB asks for the passphrase. With V(true) this is only a warning.
      - It is always only a warning if the host may open the device by itself, for example with a TPM or clevis.
    type: bool
    default: false
  services:
    description:
      - Selects what the preview boot starts. An old system that comes up with all its services can harm others. A
        member of a cluster comes back with the data of last week, and mails and jobs of a queue are sent or run a
        second time.
      - V(none) starts a login at the consoles, without a network. There you can start more, with C(systemctl start).
      - V(ssh) also starts the network, the firewall and the SSH server, as far as they are enabled in the snapset.
        Ansible needs this to log in.
      - V(all) starts everything that a normal boot of the snapset would start.
      - Without V(all) the snapset must use systemd. Otherwise the host reboots into the default entry.
    type: str
    choices: [none, ssh, all]
    default: none
  lock_timeout:
    description: Limits how many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
notes:
  - It is refused if GRUB could not clear the choice of the next boot. That is so if C(grubenv) is on LVM, RAID, an
    encrypted disk, or a filesystem to which GRUB cannot write. It is also refused if C(/usr) is a separate filesystem.
  - What is written to filesystems during a preview boot is lost. But with O(services=all) the host is on the network
    under its usual name, and services can write to other hosts, and to LVs and disks that they use without a
    filesystem.
  - A rollback timer does not run during a preview boot, but its time goes on.
  - A preview boot that starts but does not work does not end by itself. Reboot the host.
seealso:
  - module: safepoint.lvm.snapset
  - module: safepoint.lvm.boot_backup
"""

EXAMPLES = r"""
- name: Make the next boot a preview boot of the snapset
  safepoint.lvm.boot_entry:
    name: patch_2026_11
    next_boot: true
    services: ssh

- name: Reboot into the preview; the reboot after that boots the changed system again
  ansible.builtin.reboot:

- name: Remove the entry from the boot menu
  safepoint.lvm.boot_entry:
    name: patch_2026_11
    state: absent
"""

RETURN = r"""
boot_entry:
  description: The entry after the run, or in check mode the predicted one.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
    state: present
    kernel: 6.12.57+deb13-amd64
    next_boot: true
  contains:
    name:
      description: Name of the snapset.
      type: str
      returned: always
    id:
      description: ID of the snapset that it boots; null without an entry.
      type: str
      returned: always
    state:
      description: C(present) or C(absent).
      type: str
      returned: always
    kernel:
      description: Version of the kernel that it boots; null without an entry.
      type: str
      returned: always
    next_boot:
      description: Whether the next boot is a preview boot of the snapset.
      type: bool
      returned: always
planned:
  description: The steps to the requested state. They are the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - step: write_entry
      directory: /boot/safepoint.lvm/0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
      kernel: 6.12.57+deb13-amd64
    - step: add_to_menu
      menu: /boot/grub/custom.cfg
    - step: choose_for_next_boot
      entry: Safepoint-0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
commands:
  description: Every LVM command that changes something, in order. Empty in check mode.
  type: list
  elements: list
  returned: success, or when the request is refused or a command fails
reads:
  description: How many LVM reports were read.
  type: int
  returned: success, or when the request is refused or a command fails
reasons:
  description: Every reason why the request was refused. Nothing has been changed then.
  type: list
  elements: str
  returned: when the request is refused
"""

from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.safepoint.lvm.plugins.module_utils._module.boot_entry import BootEntryCase
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "next_boot": {"type": "bool"},
    "kernel": {"type": "str"},
    "allow_passphrase": {"type": "bool", "default": False},
    "services": {"type": "str", "choices": ["none", "ssh", "all"], "default": "none"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    run_change(AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True), BootEntryCase)


if __name__ == "__main__":
    main()
