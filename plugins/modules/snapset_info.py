#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Show snapsets, what they protect and what they do not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapset_info
short_description: Show snapsets, what they protect and what they do not
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Shows all snapsets of a host with their states, snapshots that belong to none, VGs, thin pools, and the coverage,
    which is every mounted block filesystem and swap area, on which LV it lies or why it cannot be protected.
  - Runs one LVM process, takes no lock and changes nothing.
requirements:
  - LVM 2.03 or newer on the managed host
  - Python 3.9 or newer on the managed host
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
options:
  name:
    description: List only the snapset of this name. The rest of the result is not affected.
    type: str
seealso:
  - module: safepoint.lvm.boot_backup
  - module: safepoint.lvm.snapset
"""

EXAMPLES = r"""
- name: Look at everything
  safepoint.lvm.snapset_info:
  register: safepoint

- name: Show what is mounted and not protected by any snapset
  ansible.builtin.debug:
    msg: "{{ safepoint.coverage | rejectattr('snapsets') | map(attribute='mountpoint') }}"
"""

RETURN = r"""
snapsets:
  description: The snapsets, each in the form of RV(safepoint.lvm.snapset#module:snapset).
  type: list
  elements: dict
  returned: success
boot_backups:
  description: The backups of C(/boot), each in the form of RV(safepoint.lvm.boot_backup#module:boot_backup).
  type: list
  elements: dict
  returned: success
rollback_timers:
  description: The rollback timers, each in the form of RV(safepoint.lvm.rollback_timer#module:rollback_timer).
  type: list
  elements: dict
  returned: success
boot_entries:
  description: The boot entries, each in the form of RV(safepoint.lvm.boot_entry#module:boot_entry).
  type: list
  elements: dict
  returned: success
booted_from:
  description:
    - The snapset that the host shows instead of itself, because it was booted by its boot entry; null as a rule.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
unmanaged_snapshots:
  description: Snapshots that belong to no snapset, with sizes in bytes.
  type: list
  elements: dict
  returned: success
  sample:
    - vg: data
      snapshot: db_before_migration
      origin: db
      kind: thick
      size: 2155872256
      used_percent: 12.5
      state: active
copies:
  description:
    - VGs that came with the copy of a disk (C(vgimportclone)), with LVs that bear the tags of a snapset. They belong to
      no snapset of this host, and are never touched.
    - A copy is known by the UUID of its VG, which is not the one that was recorded when the snapset was taken. So it is
      after C(vgsplit), C(vgmerge) and C(vgchange --uuid).
  type: list
  elements: dict
  returned: success
  sample:
    - vg: dataclone
      original: data
      snapsets: [patch_2026_11]
      volumes: [db_patch_2026_11]
  contains:
    vg:
      description: The VG that is a copy.
      type: str
      returned: always
    original:
      description: The VG that it was copied from; null when that is not here.
      type: str
      returned: always
    snapsets:
      description: Names of the snapsets whose tags its LVs bear.
      type: list
      elements: str
      returned: always
    volumes:
      description: These LVs, which are snapshots, origins that remember a rollback, backups of C(/boot) and timers.
      type: list
      elements: str
      returned: always
volume_groups:
  description: The VGs, with sizes in bytes.
  type: list
  elements: dict
  returned: success
  sample:
    - name: sysvg
      size: 5364514816
      free: 2147483648
      extent_size: 4194304
      partial: false
      exported: false
      lock_type: null
  contains:
    name:
      description: Name of the VG.
      type: str
      returned: always
    size:
      description: Size of all extents.
      type: int
      returned: always
    free:
      description: What LVM may allocate from, which is free on PVs that are present and allocatable.
      type: int
      returned: always
    extent_size:
      description: Size of an extent.
      type: int
      returned: always
    partial:
      description: Whether a PV is missing.
      type: bool
      returned: always
    exported:
      description: Whether the VG is exported.
      type: bool
      returned: always
    lock_type:
      description: Lock type of a shared VG; null for one of this host alone.
      type: str
      returned: always
thin_pools:
  description: The thin pools and how full they are.
  type: list
  elements: dict
  returned: success
  sample:
    - vg: data
      pool: pool0
      size: 10737418240
      data_percent: 41.3
      metadata_percent: 12.1
coverage:
  description: Every mounted block filesystem, and swap areas with the mountpoint C([SWAP]).
  type: list
  elements: dict
  returned: success
  sample:
    - mountpoint: /
      source: /dev/mapper/sysvg-root
      fstype: ext4
      vg: sysvg
      lv: root
      kind: thick
      protectable: true
      reason: null
      system: true
      boot: false
      snapsets: [patch_2026_11]
    - mountpoint: /boot
      source: /dev/vda2
      fstype: ext4
      vg: null
      lv: null
      kind: null
      protectable: false
      reason: /dev/vda2 is not on LVM
      system: false
      boot: true
      snapsets: []
  contains:
    mountpoint:
      description: Where it is mounted; C([SWAP]) for swap.
      type: str
      returned: always
    source:
      description: The device as the kernel names it.
      type: str
      returned: always
    fstype:
      description: Type of the filesystem.
      type: str
      returned: always
    vg:
      description: VG of the LV below it; null when it is not on LVM.
      type: str
      returned: always
    lv:
      description: The LV below it, also below encryption; null when it is not on LVM.
      type: str
      returned: always
    kind:
      description: Which kind of snapshot would be taken of it, C(thick) or C(thin).
      type: str
      returned: always
    protectable:
      description: Whether a snapshot of it could be taken and merged again.
      type: bool
      returned: always
    reason:
      description: Why not.
      type: str
      returned: always
    system:
      description: Whether O(safepoint.lvm.snapset#module:system) chooses it, because an upgrade changes it.
      type: bool
      returned: always
    boot:
      description: Whether it boots the host, so that M(safepoint.lvm.boot_backup) saves it.
      type: bool
      returned: always
    snapsets:
      description:
        - Names of the snapsets that could bring it back. Not of those that were never complete, have lost a member or
          have overflowed, or whose snapshot of it is being merged.
      type: list
      elements: str
      returned: always
reads:
  description: How many reports LVM was asked for.
  type: int
  returned: success, or when LVM gives no report
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import run_snapset_info


def main() -> None:
    """Run the module."""
    run_snapset_info(AnsibleModule(argument_spec={"name": {"type": "str"}}, supports_check_mode=True))


if __name__ == "__main__":
    main()
