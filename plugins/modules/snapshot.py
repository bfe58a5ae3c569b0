#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Manage one LVM snapshot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
short_description: Manage one LVM snapshot
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Creates, extends, merges or removes one snapshot of one LV. It is thick or thin like its origin.
  - A snapshot is identified by its VG, its name and its origin. It can have been created by hand. Members of a snapset
    are refused, because M(safepoint.lvm.snapset) manages them. So are members of a snapset of another host.
  - A snapshot does not record its host, because the task names the VG and the LVs. Make sure that the VG is not one of
    another host, for example of a virtual machine.
  - The rules are those of M(safepoint.lvm.snapset).
extends_documentation_fragment:
  - safepoint.lvm.attributes
  - safepoint.lvm.planning
options:
  vg:
    description: The VG.
    type: str
    required: true
  lv:
    description: The LV to protect, the origin.
    type: str
    required: true
  snapshot:
    description: Name of the snapshot.
    type: str
    required: true
  state:
    description:
      - V(present) creates the snapshot if it does not exist. If it exists and is too small, it is extended.
      - V(merged) starts the rollback of the origin, or continues it. It never waits. Run the module again until
        RV(snapshot.state) is C(rolled_back).
      - If the snapshot overflows while its merge is pending, remove it with V(absent), not with C(lvremove). After
        C(lvremove), the origin would look rolled back although it is not.
      - V(absent) removes the snapshot.
    type: str
    choices: [present, merged, absent]
    default: present
seealso:
  - module: safepoint.lvm.snapset
  - module: community.general.lvol
"""

EXAMPLES = r"""
- name: Protect one volume
  safepoint.lvm.snapshot:
    vg: data
    lv: db
    snapshot: db_before_migration

- name: Extend the snapshot if less than half of it is free
  safepoint.lvm.snapshot:
    vg: data
    lv: db
    snapshot: db_before_migration
    min_headroom: 50%

- name: Start the rollback, or continue it
  safepoint.lvm.snapshot:
    vg: data
    lv: db
    snapshot: db_before_migration
    state: merged

- name: Remove the snapshot
  safepoint.lvm.snapshot:
    vg: data
    lv: db
    snapshot: db_before_migration
    state: absent
"""

RETURN = r"""
snapshot:
  description:
    - The snapshot after the run, in the format of RV(safepoint.lvm.snapset#module:snapset) with one member.
      In check mode, as it would be.
  type: dict
  returned: success
  sample:
    name: db_before_migration
    id: DCgL9u-9N0c-PTHk-vXQ0-ep4l-uSEl-HzcFYc
    state: active
    created: "2026-11-22T13:05:54+00:00"
    age: 3
    rolled_back_at: null
    members:
      - vg: data
        origin: db
        snapshot: db_before_migration
        kind: thick
        mountpoints: [/srv/db]
        size: 2155872256
        used_percent: 0.01
        state: active
        merge_percent: null
        auto_basis: cannot_overflow
  contains:
    name:
      description: Name of the snapshot.
      type: str
      returned: always
    id:
      description: LV UUID of the snapshot; null if it does not exist and its origin records none.
      type: str
      returned: not in check mode
    state:
      description: State, as in RV(safepoint.lvm.snapset#module:snapset.state).
      type: str
      returned: always
    created:
      description: When the snapshot was created (ISO 8601, UTC); null if it no longer exists.
      type: str
      returned: not in check mode
    age:
      description: Age of the snapshot in seconds; null if it no longer exists.
      type: int
      returned: not in check mode
    rolled_back_at:
      description: When the rollback of the origin was recorded (ISO 8601, UTC); null before that.
      type: str
      returned: not in check mode
    members:
      description: The one member, as in RV(safepoint.lvm.snapset#module:snapset.members).
      type: list
      elements: dict
      returned: always
reboot_required:
  description: Whether the merge waits because its volume is in use.
  type: bool
  returned: success
poll_after:
  description: Seconds after which it is useful to run this task again; null if no merge runs or can be started.
  type: int
  returned: success
planned:
  description: The steps, each of them one LVM command. They are the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
commands:
  description: All LVM commands that were run to change something, in order; empty in check mode.
  type: list
  elements: list
  returned: success, or when the request is refused or a command fails
reads:
  description: Number of LVM processes that only read, almost always one report each.
  type: int
  returned: success, or when the request is refused or a command fails
reasons:
  description: All reasons why the request was refused before anything was changed.
  type: list
  elements: str
  returned: when the request is refused
"""

from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.safepoint.lvm.plugins.module_utils._module.argspec import COMMON_ARGUMENTS
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshot import build_request
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import SnapshotsCase

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    **COMMON_ARGUMENTS,
    "vg": {"type": "str", "required": True},
    "lv": {"type": "str", "required": True},
    "snapshot": {"type": "str", "required": True},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True)
    run_change(module, lambda params: SnapshotsCase("snapshot", build_request(params)))


if __name__ == "__main__":
    main()
