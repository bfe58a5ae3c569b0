#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Manage LVM snapshots of several volumes as one named set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapset
short_description: Manage LVM snapshots of several volumes as one named set
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Creates LVM snapshots of several volumes as one named set, merges them back, or removes them, all or none of them.
  - Sets are identified by LVM tags, not by LV names. So a set that is incomplete, has lost a member or has overflowed
    is never treated as a complete one.
  - Before anything is changed, all problems are found and reported together.
  - The snapshots are created one after the other, in the order of the names of VG and LV, each of them consistent as
    after a power failure. What spans several volumes, for example a database with its log on another one, must be
    stopped meanwhile. See docs/consistency.md.
extends_documentation_fragment:
  - safepoint.lvm.attributes
  - safepoint.lvm.planning
  - safepoint.lvm.identity
  - safepoint.lvm.selection
options:
  name:
    description: Name of the set, 1 to 64 characters of C(A-Z a-z 0-9 _ . -). It cannot begin with a hyphen.
    type: str
    required: true
  state:
    description:
      - V(present) creates the set if it does not exist. If it exists, members that are too small are extended.
      - V(merged) starts the rollback of the set, or continues it. It never waits. The merge into a volume that is in
        use is pending until the next reboot. Run the module again until RV(snapset.state) is C(rolled_back); the role
        P(safepoint.lvm.rollback#role) does that.
      - If a thick snapshot overflows while its merge is pending, the set is C(invalid) until the snapshot is removed.
        Remove it with V(absent), not with C(lvremove). After C(lvremove), the volume would look rolled back although it
        is not.
      - V(absent) removes the set and everything that was kept for it. Refused while a rollback is in progress and can
        still be completed. If a member is lost, refused only while LVM cannot remove one of the others.
      - If a request is refused because of the state of the set, the error says how to get out of that state, and lists
        what blocks it.
    type: str
    choices: [present, merged, absent]
    default: present
  max_age:
    description:
      - Maximum age of an existing set with O(state=present), from V(0s) to V(3650d), for example V(90s), V(30m),
        V(24h) or V(7d). A number alone is in seconds.
      - An older set is refused, because it was created for another change. A rollback to it would lose more than this
        change. By default, any age is accepted.
    type: str
seealso:
  - module: safepoint.lvm.boot_backup
  - module: safepoint.lvm.snapshot
  - module: safepoint.lvm.snapset_info
"""

EXAMPLES = r"""
- name: Create snapshots of the system, or keep those that are at most one day old
  safepoint.lvm.snapset:
    name: patch_2026_11
    system: true
    max_age: 24h

- name: Protect two volumes, with at least 40% of each snapshot free
  safepoint.lvm.snapset:
    name: before_migration
    volumes:
      - vg: data
        lv: db
        size: 20GiB
      - vg: data
        lv: files
    min_headroom: 40%

- name: Start the rollback, or continue it
  safepoint.lvm.snapset:
    name: patch_2026_11
    state: merged

- name: Accept the change
  safepoint.lvm.snapset:
    name: patch_2026_11
    state: absent

- name: Take over a set after the machine-id of the host has changed
  safepoint.lvm.snapset:
    name: before_migration
    adopt: true
"""

RETURN = r"""
snapset:
  description: The set after the run. In check mode, as it would be, without what only a real run can know.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
    state: active
    created: "2026-11-22T13:05:54+00:00"
    age: 3
    rolled_back_at: null
    members:
      - vg: sysvg
        origin: root
        snapshot: root_patch_2026_11
        kind: thick
        mountpoints: [/]
        size: 2155872256
        used_percent: 0.01
        state: active
        merge_percent: null
        auto_basis: cannot_overflow
  contains:
    name:
      description: Name of the set.
      type: str
      returned: always
    id:
      description: ID of the set; each new set gets a new one. Null if there is no set.
      type: str
      returned: always, but in check mode only when the set exists and stays
    state:
      description:
        - One of C(damaged), C(invalid), C(merge_failed), C(partly_merged), C(merging), C(merge_pending), C(incomplete),
          C(active), C(rolled_back), C(absent); the first one that applies.
      type: str
      returned: always
    created:
      description: When the set was created (ISO 8601, UTC); null if no member is left, for example after a rollback.
      type: str
      returned: always, but in check mode only when the set exists and stays
    age:
      description: Age of the set in seconds; null if RV(snapset.created) is null.
      type: int
      returned: always, but in check mode only when the set exists and stays
    rolled_back_at:
      description: When the rollback of the last origin was recorded (ISO 8601, UTC); null before that.
      type: str
      returned: not in check mode
    members:
      description: The members, with sizes in bytes.
      type: list
      elements: dict
      returned: always
      contains:
        vg:
          description: The VG.
          type: str
          returned: always
        origin:
          description: The protected LV.
          type: str
          returned: always
        snapshot:
          description: The snapshot LV; null if it no longer exists (merged or lost).
          type: str
          returned: always
        kind:
          description: C(thick) or C(thin).
          type: str
          returned: always
        mountpoints:
          description: Where the origin is mounted.
          type: list
          elements: str
          returned: always
        size:
          description: Size of a thick snapshot's COW store, or of a thin snapshot; null if it no longer exists.
          type: int
          returned: always
        used_percent:
          description:
            - How full the COW store is, or how much of the thin volume is mapped. Null if that is unknown (inactive) or
              has another meaning (merging).
          type: float
          returned: not in check mode
        state:
          description:
            - One of C(active), C(unknown), C(invalid), C(merge_pending), C(merging), C(merge_failed), C(rolled_back),
              C(lost), C(detached).
          type: str
          returned: always
        merge_percent:
          description:
            - Progress of a merge. It starts at the part of the COW store that was free. Null if no merge has started,
              or if the progress is unknown.
          type: float
          returned: not in check mode
        auto_basis:
          description:
            - For thick members, C(cannot_overflow) if the COW store has its maximum size. Otherwise C(estimate), which
              means that it can overflow, even if a user chose the size. Null for thin members, and if the snapshot no
              longer exists.
          type: str
          returned: not in check mode
taken_order:
  description: The protected LVs (C(VG/LV)), in the order in which their snapshots were created.
  type: list
  elements: str
  returned: when a set was created, not in check mode
  sample: [sysvg/root, sysvg/var]
taken_within_ms:
  description:
    - How many milliseconds it took to create all snapshots, from the begin of the first to the end of the last. All of
      them show the host at some moment of this span.
  type: int
  returned: when a set was created, not in check mode
  sample: 812
reboot_required:
  description: Whether a merge waits because its volume is in use.
  type: bool
  returned: success
poll_after:
  description: Seconds after which it is useful to run this task again; null if no merge runs or can be started.
  type: int
  returned: success
boot_to_save:
  description:
    - Mountpoints of what boots the host, such as C(/boot) and the ESP, if C(/) is a member of the set and they do not
      roll back with it. Save them with M(safepoint.lvm.boot_backup) first.
  type: list
  elements: str
  returned: success
  sample: [/boot, /boot/efi]
boot_ignored:
  description: Those of these mountpoints that O(ignore_uncovered) excludes.
  type: list
  elements: str
  returned: success
  sample: []
not_rolled_back:
  description:
    - What belongs to the set and does not roll back with it, and why. If C(/) is a member, these are filesystems in
      C(/usr), C(/var), C(/etc) and C(/opt), also behind symbolic links, and what boots the host and is not saved, such
      as a second ESP. Otherwise these are filesystems mounted below a member. See docs/coverage.md.
  type: list
  elements: dict
  returned: success
  sample:
    - path: /var/lib/mysql
      reason: data/mysql is not in the snapset
planned:
  description: The steps, almost all of them one LVM command. They are the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - {step: create, vg: sysvg, origin: root, snapshot: root_patch_2026_11, kind: thick, size: 2155872256}
    - {step: seal, volumes: [sysvg/root_patch_2026_11]}
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
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset import SnapsetCase

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    **COMMON_ARGUMENTS,
    "name": {"type": "str", "required": True},
    "id": {"type": "str"},
    "volumes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"vg": {"type": "str", "required": True}, "lv": {"type": "str"}, "size": {"type": "str"}},
    },
    "mountpoints": {"type": "list", "elements": "path", "default": []},
    "system": {"type": "bool", "default": False},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "ignore_uncovered": {"type": "list", "elements": "path", "default": []},
    "max_age": {"type": "str"},
    "adopt": {"type": "bool", "default": False},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True)
    run_change(module, SnapsetCase)


if __name__ == "__main__":
    main()
