#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Save /boot for a snapset, and restore it during the rollback."""

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_backup
short_description: Save /boot for a snapset, and restore it during the rollback
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Saves the boot files of a host that are not on its root filesystem, and restores them exactly. These are C(/boot),
    C(/boot/efi), C(/boot/firmware) and C(/efi), if they are separate filesystems.
  - The backup is a separate LV with a small filesystem. It contains the copies, a manifest and a list of checksums. It
    belongs to one snapset, identified by its ID, but is not a part of it. The merges neither change nor need it.
  - The backup of another host, whose disks this host can see, is never read, restored or removed.
    O(safepoint.lvm.snapset#module:adopt) takes it over with its snapset.
requirements:
  - C(mkfs.ext4) and C(nsenter) on the managed host
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  diff_mode:
    details:
      - For files it shows size and checksum. It shows text only for the boot menu entries and the units that this
        module writes.
options:
  name:
    description: Names the snapset that the backup belongs to.
    type: str
    required: true
  state:
    description:
      - V(present) saves the boot files if the snapset does not exist yet. If the snapset exists, its backup is kept. If
        V(restored) has started but no merge was requested, V(present) undoes the restoration, so C(/boot) has again the
        content that it had after the change, and is writable again.
      - V(restored) restores the boot files. Until the rest of the host has been rolled back, files that the change has
        added stay, because the host may still have to boot with them. Then the boot filesystems are read-only until the
        reboot, so that no other program changes them again. When the snapset is C(rolled_back), C(/boot) is restored
        exactly and verified. This happens only once.
      - V(absent) removes the backup.
    type: str
    choices: [present, restored, absent]
    default: present
  vg:
    description: Selects the VG for the backup. The default is the VG of the root filesystem.
    type: str
  ignore_uncovered:
    description:
      - Those of C(/boot), C(/boot/efi), C(/boot/firmware) and C(/efi) that a new backup leaves out. Each of the others
        that C(/etc/fstab) has must be mounted, otherwise V(present) is refused.
      - If a separate C(/boot) is listed, the ESP is left out too, because its boot loader belongs to it.
      - An automount is mounted for the backup. If that takes longer than 30 seconds, it is treated as not mounted.
    type: list
    elements: path
    default: []
  allow_unencrypted:
    description:
      - A backup in a VG whose PVs are not all encrypted is refused if C(/boot) is encrypted, or if an initramfs
        contains a key file of an encrypted device. With V(true) it is made all the same.
    type: bool
    default: false
  only_undo:
    description:
      - With V(true), V(present) undoes a restoration that has started, but never makes a backup. Use it after a request
        of the merges that failed, because somebody may have removed the snapset meanwhile.
    type: bool
    default: false
  lock_timeout:
    description: Limits how many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
notes:
  - Owners, modes, times, extended attributes and symbolic links are restored if the filesystem supports them. Hard
    links become separate files.
  - If the change has reinstalled GRUB into the boot sectors of a BIOS host or into a PReP partition, GRUB's own modules
    in C(/boot) are not restored, with a warning. Those of the backup would not fit the boot sectors. The same applies
    to extlinux.
  - On a UEFI host the boot entries of the firmware and their order are saved and restored too. If Secure Boot revokes
    more programs than when the backup was made, boot loaders and boot entries stay as they are, with a warning.
  - Before the LV of a backup is removed, it is overwritten with zeros, because other LVs get its blocks.
  - Hosts that boot with zipl, Limine, rEFInd, LILO or yaboot are refused.
seealso:
  - module: safepoint.lvm.snapset
"""

EXAMPLES = r"""
- name: Save the boot files of the host
  safepoint.lvm.boot_backup:
    name: patch_2026_11
  register: boot

- name: Take the snapset that it belongs to
  safepoint.lvm.snapset:
    name: patch_2026_11
    mountpoints: [/, /var]
    id: "{{ boot.boot_backup.id or omit }}"

- name: Restore the boot files, before the merges are requested and again after they have ended
  safepoint.lvm.boot_backup:
    name: patch_2026_11
    state: restored

- name: Remove the backup
  safepoint.lvm.boot_backup:
    name: patch_2026_11
    state: absent
"""

RETURN = r"""
boot_backup:
  description: The backup after the run, or in check mode the predicted one.
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
      description: ID of the snapset that it belongs to; null without a backup, or if only the real run can know it.
      type: str
      returned: always
    state:
      description:
        - C(absent), C(incomplete) (the backup was interrupted and cannot be used), C(present), C(restoring) (the boot
          files are restored, but files that the change has added are still there) or C(restored).
      type: str
      returned: always
    vg:
      description: VG of the backup; null without a backup.
      type: str
      returned: always
    volume:
      description: LV of the backup; null without a backup.
      type: str
      returned: always
    size:
      description: Size of the LV in bytes; null without a backup.
      type: int
      returned: always
planned:
  description: The steps to the requested state. They are the same in check mode and in the real run.
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
    - step: make_read_only
      mountpoints: [/boot]
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

from ansible_collections.safepoint.lvm.plugins.module_utils._module.boot_backup import BootBackupCase
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "restored", "absent"], "default": "present"},
    "vg": {"type": "str"},
    "ignore_uncovered": {"type": "list", "elements": "path", "default": []},
    "allow_unencrypted": {"type": "bool", "default": False},
    "only_undo": {"type": "bool", "default": False},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    run_change(AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True), BootBackupCase)


if __name__ == "__main__":
    main()
