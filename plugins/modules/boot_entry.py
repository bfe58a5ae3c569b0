#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Boot a safe point itself, to look at it before anything is decided."""

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_entry
short_description: Boot a safe point itself, to look at it before anything is decided
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Puts an entry into GRUB's menu that boots the snapshot of the root filesystem, with the kernel and the initramfs of
    the backup of C(/boot), and with the snapshots of the other members at their places.
  - The snapshots are mounted read-only, with everything that is written in memory, so that looking at a safe point
    changes nothing of it. Filesystems that are no part of it are mounted read-only. The next boot has neither.
  - The entry is never the default. O(next_boot) has GRUB take it once; a boot into it that fails ends in a reboot.
requirements:
  - LVM 2.03 or newer on the managed host
  - Python 3.9 or newer on the managed host
  - GRUB 2 that reads C(custom.cfg) or the files of the Boot Loader Specification, with C(grub-editenv) or
    C(grub2-editenv)
  - an initramfs of initramfs-tools or dracut, and C(lsinitramfs) or C(lsinitrd)
  - the kernel module C(overlay), in the safe point
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Of files it shows size and checksum. It shows text only of what this module writes into menus and units.
  idempotent:
    support: full
options:
  name:
    description: Name of the snapset. It has to be active, with C(/) among its members and a backup of C(/boot).
    type: str
    required: true
  state:
    description:
      - V(present) makes the entry; it is refused where the host could not boot it or could not come back.
      - V(absent) removes it, and the choice of the next boot with it.
    type: str
    choices: [present, absent]
    default: present
  next_boot:
    description:
      - Whether the next boot, and only that one, is to be of the safe point. V(false) leaves an earlier choice as it
        is.
    type: bool
    default: false
  kernel:
    description: Version of the kernel to boot, of those in the backup of C(/boot). The default is the newest.
    type: str
  lock_timeout:
    description: How many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
notes:
  - It is refused where GRUB could not clear its choice of the next boot, which is when C(grubenv) lies on LVM, RAID, an
    encrypted disk or a filesystem that GRUB does not write to; and with C(/usr) on a filesystem of its own.
  - The host that shows a safe point is on the network under its usual name, and its services run on the old data. What
    they write is lost.
  - A rollback timer that is armed does not run meanwhile, and its time goes on.
  - A boot that comes up, but to nothing of use, does not end by itself; reboot it.
seealso:
  - module: safepoint.lvm.snapset
  - module: safepoint.lvm.boot_backup
"""

EXAMPLES = r"""
- name: Boot the safe point once
  safepoint.lvm.boot_entry:
    name: patch_2026_11
    next_boot: true

- name: Reboot into it; the next reboot after that brings the changed system again
  ansible.builtin.reboot:

- name: Take the entry out of the menu again
  safepoint.lvm.boot_entry:
    name: patch_2026_11
    state: absent
"""

RETURN = r"""
boot_entry:
  description: The entry as it is after the run. In check mode, as it would be.
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
      description: The id of the taking that it boots; null without an entry.
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
      description: Whether the next boot is to be of the safe point.
      type: bool
      returned: always
planned:
  description: The steps, the same in check mode and in the real run.
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
      entry: safepoint-0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
commands:
  description: Every LVM command that was to change something, in order; empty in check mode.
  type: list
  elements: list
  returned: success, or when the request is refused or a command fails
reads:
  description: How many reports LVM was asked for.
  type: int
  returned: success, or when the request is refused or a command fails
reasons:
  description: Every reason why the request was refused, before anything was touched.
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
    "next_boot": {"type": "bool", "default": False},
    "kernel": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    run_change(AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True), BootEntryCase)


if __name__ == "__main__":
    main()
