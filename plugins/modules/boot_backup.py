#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Save /boot for a snapset, and bring it back with it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_backup
short_description: Save /boot for a snapset, and bring it back with it
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Saves what boots a host and lies outside its root filesystem, which is all of C(/boot), C(/boot/efi),
    C(/boot/firmware) and C(/efi) as far as they are filesystems of their own, and brings it back exactly.
  - The backup is an LV of its own, with a small filesystem that holds the copies, a manifest and a list of checksums.
    It is bound to one taking of a snapset by its id, and a rollback neither loses it nor depends on it.
requirements:
  - LVM 2.03 or newer on the managed host
  - Python 3.9 or newer on the managed host
  - C(mkfs.ext4) on the managed host
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
    description: Name of the snapset that the backup belongs to.
    type: str
    required: true
  state:
    description:
      - V(present) saves everything, if the snapset does not exist yet, and otherwise keeps the backup that it has.
        Where V(restored) has begun and the merges have not, it takes that back, so that C(/boot) is again what the
        change made of it.
      - V(restored) brings everything back. As long as the rest of the host has not gone back it leaves in place what
        the change has added, because the host may still have to boot with it. When the snapset is C(rolled_back) it
        brings C(/boot) to exactly what it was, verifies that, and does so only once.
      - V(absent) removes the backup.
    type: str
    choices: [present, restored, absent]
    default: present
  vg:
    description: The VG that is to hold the backup. The default is the one of the root filesystem.
    type: str
  lock_timeout:
    description: How many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
notes:
  - Owners, modes, times, extended attributes and symbolic links are kept where the filesystem has them. Hard links
    become files of their own.
  - When the change has installed GRUB anew into the boot sectors of a BIOS host, GRUB's own modules in C(/boot) are
    left as they are, with a warning. Those of the backup would not fit.
seealso:
  - module: safepoint.lvm.snapset
"""

EXAMPLES = r"""
- name: Save what boots the host
  safepoint.lvm.boot_backup:
    name: patch_2026_11
  register: boot

- name: Take the safe point that it belongs to
  safepoint.lvm.snapset:
    name: patch_2026_11
    mountpoints: [/, /var]
    id: "{{ boot.boot_backup.id or omit }}"

- name: Bring it back, before the merges are requested and again after they have ended
  safepoint.lvm.boot_backup:
    name: patch_2026_11
    state: restored

- name: Let go of it
  safepoint.lvm.boot_backup:
    name: patch_2026_11
    state: absent
"""

RETURN = r"""
boot_backup:
  description: The backup as it is after the run. In check mode, as it would be.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
    state: present
    vg: sysvg
    volume: safepoint_boot_patch_2026_11
    size: 146800640
  contains:
    name:
      description: Name of the snapset.
      type: str
      returned: always
    id:
      description: The id of the taking that it belongs to; null without one, or when only the real run can know it.
      type: str
      returned: always
    state:
      description:
        - C(absent), C(incomplete) (it was interrupted and is of no use), C(present), C(restoring) (what the host needs
          to boot is back, beside what the change has added) or C(restored).
      type: str
      returned: always
    vg:
      description: The VG that holds it; null without one.
      type: str
      returned: always
    volume:
      description: The LV that holds it; null without one.
      type: str
      returned: always
    size:
      description: Size of the LV in bytes; null without one.
      type: int
      returned: always
planned:
  description: The steps, the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - step: restore
      mountpoint: /boot
      added: [vmlinuz-6.12.57+deb13-amd64]
      replaced: [grub/grub.cfg]
      removed: []
      altered: []
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

from ansible_collections.safepoint.lvm.plugins.module_utils._module.boot_backup import BootBackupCase
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "restored", "absent"], "default": "present"},
    "vg": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    run_change(AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True), BootBackupCase)


if __name__ == "__main__":
    main()
