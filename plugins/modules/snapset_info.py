#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Report snapsets, what they protect and what they do not protect."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapset_info
short_description: Report snapsets, what they protect and what they do not protect
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Reports the snapsets of a host and their states, other snapshots, VGs and thin pools.
  - Also reports the coverage, which is, for each filesystem and swap area, the LV below it and the snapsets that
    protect it, or why it cannot be protected.
  - Runs one LVM process, takes no lock and changes nothing. Automounts at C(/boot) and other paths that matter are
    mounted, as by any look at them.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
options:
  name:
    description: Reports only the snapset with this name. The rest of the result is not affected.
    type: str
seealso:
  - module: safepoint.lvm.boot_backup
  - module: safepoint.lvm.snapset
"""

EXAMPLES = r"""
- name: Report everything
  safepoint.lvm.snapset_info:
  register: safepoint

- name: Show what is not protected by any snapset
  ansible.builtin.debug:
    msg: "{{ safepoint.coverage | rejectattr('snapsets') | map(attribute='mountpoint') }}"

- name: Show what no snapset could protect, and why
  ansible.builtin.debug:
    msg: "{{ unprotected | items2dict(key_name='mountpoint', value_name='reason') }}"
  vars:
    unprotected: "{{ safepoint.coverage | selectattr('reason') }}"
"""

RETURN = r"""
snapsets:
  description: The snapsets, each in the format of RV(safepoint.lvm.snapset#module:snapset).
  type: list
  elements: dict
  returned: success
boot_backups:
  description: The backups of C(/boot), each in the format of RV(safepoint.lvm.boot_backup#module:boot_backup).
  type: list
  elements: dict
  returned: success
rollback_timers:
  description: The rollback timers, each in the format of RV(safepoint.lvm.rollback_timer#module:rollback_timer).
  type: list
  elements: dict
  returned: success
boot_entries:
  description: The boot entries, each in the format of RV(safepoint.lvm.boot_entry#module:boot_entry). C(next_boot) is
    null if GRUB's environment block cannot be read.
  type: list
  elements: dict
  returned: success
booted_from:
  description:
    - The snapset that a preview boot shows instead of the host (M(safepoint.lvm.boot_entry)); null if the host was
      booted normally.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
unmanaged_snapshots:
  description: Snapshots that belong to no snapset of any host, with sizes in bytes.
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
    - VGs on a copied disk (C(vgimportclone)) whose LVs have the tags of a snapset. They belong to no snapset of this
      host and are never touched.
    - A VG is a copy if its UUID is not the one that was recorded when the snapset was created. This is also the case
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
      description: The VG that it was copied from; null if that is not on this host.
      type: str
      returned: always
    snapsets:
      description: Names of the snapsets whose tags its LVs have.
      type: list
      elements: str
      returned: always
    volumes:
      description: These LVs, which are snapshots, origins that record a rollback, backups of C(/boot), or timers.
      type: list
      elements: str
      returned: always
foreign:
  description:
    - What belongs to snapsets of other hosts, for example of virtual machines whose disks this host can see. It is
      never touched. O(safepoint.lvm.snapset#module:adopt) takes a snapset over.
    - Also snapsets of which no origin is active here, and that do not record their host, because an earlier version or
      a host without machine-id has created them.
  type: list
  elements: dict
  returned: success
  sample:
    - name: patch_2026_11
      id: 5d0e0f1c7b7a4a6f9d6f4f0a4f7c2b19
      host: 5cc98959658b4035
      vgs: [guestvg]
      volumes: [guestvg/root_patch_2026_11]
  contains:
    name:
      description: Name of the snapset.
      type: str
      returned: always
    id:
      description: ID of the snapset.
      type: str
      returned: always
    host:
      description: RV(host_id) of the host that it belongs to; null if it is not recorded.
      type: str
      returned: always
    vgs:
      description: The VGs.
      type: list
      elements: str
      returned: always
    volumes:
      description: The LVs, which are snapshots, origins that record a rollback, backups of C(/boot), or timers.
      type: list
      elements: str
      returned: always
host_id:
  description:
    - What the tags of snapsets of this host record, a hash of C(/etc/machine-id). It is the beginning of what
      C(systemd-id128 machine-id --app-specific=f834d514fd884a08b63c96e48d1595c0) prints. Null if the machine-id is
      missing or not initialised.
  type: str
  returned: success
  sample: 9f1d3c7744a2e05b
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
      description: Free space on PVs that are present and allocatable.
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
      description: Lock type of a shared VG; null if the VG belongs to this host only.
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
  description:
    - Every mounted filesystem of any type, those that C(/etc/fstab) has and that are not mounted, and swap areas with
      the mountpoint C([SWAP]).
    - Interfaces of the kernel, and what is in memory in C(/dev), C(/proc), C(/run) and C(/sys), are left out.
  type: list
  elements: dict
  returned: success
  sample:
    - mountpoint: /
      source: /dev/mapper/sysvg-root
      fstype: ext4
      mounted: true
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
      mounted: true
      vg: null
      lv: null
      kind: null
      protectable: false
      reason: /dev/vda2 is not on LVM
      system: false
      boot: true
      snapsets: []
    - {mountpoint: /opt/app, source: "nas:/app", fstype: nfs4, mounted: true, vg: null, lv: null, kind: null,
       protectable: false, reason: "nas:/app is on another host (nfs4)", system: false, boot: false, snapsets: []}
  contains:
    mountpoint:
      description: Where it is mounted; C([SWAP]) for swap.
      type: str
      returned: always
    source:
      description: The device as the kernel names it, or as fstab names it if it is not mounted.
      type: str
      returned: always
    fstype:
      description: Type of the filesystem.
      type: str
      returned: always
    mounted:
      description: Whether it is mounted; false for an automount that waits, and for what only C(/etc/fstab) has.
      type: bool
      returned: always
    vg:
      description: VG of the LV below it; null if it is not on LVM.
      type: str
      returned: always
    lv:
      description:
        - The LV that has its content, even if encryption, an overlay or an image file is in between; null if it is not
          on LVM. Of several LVs, the one with the data.
      type: str
      returned: always
    kind:
      description: The kind of snapshot that would be created, C(thick) or C(thin); null if it is not on LVM.
      type: str
      returned: always
    protectable:
      description: Whether a snapshot of it can be created and merged later.
      type: bool
      returned: always
    reason:
      description: Why it cannot be protected; null if it can.
      type: str
      returned: always
    system:
      description: Whether O(safepoint.lvm.snapset#module:system) selects it, because an upgrade changes it.
      type: bool
      returned: always
    boot:
      description: Whether the host boots from it, so that M(safepoint.lvm.boot_backup) saves it.
      type: bool
      returned: always
    snapsets:
      description:
        - Names of the snapsets that can roll it back. Snapsets that are incomplete, have lost a member or have
          overflowed are not listed, nor those whose snapshot of it is being merged.
      type: list
      elements: str
      returned: always
remarks:
  description:
    - The sentences of the warnings. From ansible-core 2.21 on, actions do not get the warnings of a module.
  type: list
  elements: str
  returned: success
  sample: []
reads:
  description: Number of LVM processes that only read, almost always one report each.
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
