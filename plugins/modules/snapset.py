#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Manage a named set of LVM snapshots as one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapset
short_description: Manage a named set of LVM snapshots as one
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Takes LVM snapshots of several volumes as one named set, merges them back, or removes them. All or nothing.
  - The set is told by tags on its LVs, never by names. A set that was interrupted, has lost a member or has
    overflowed is known as such and never passes for a whole one.
  - Everything that stands against a request is found and told before anything is touched.
requirements:
  - LVM 2.03 or newer on the managed host
  - Python 3.9 or newer on the managed host
extends_documentation_fragment:
  - safepoint.lvm.attributes
  - safepoint.lvm.planning
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the set, 1 to 64 characters of C(A-Z a-z 0-9 _ . -), the first not a hyphen.
    type: str
    required: true
  state:
    description:
      - V(present) takes the set if it does not exist, and otherwise extends members that are too small.
      - V(merged) begins to bring the origins back to what they were, or goes on with it. It never waits. While a
        volume is in use its merge is pending until the next reboot. Run it again until RV(snapset.state) is
        C(rolled_back); the role P(safepoint.lvm.rollback#role) does that.
      - A thick snapshot that overflows after the request makes the set C(invalid) for as long as the snapshot exists.
        Remove it with V(absent), never with C(lvremove), which would leave an origin that tells of a merge and has no
        snapshot, as after a rollback.
      - V(absent) removes the set and what was kept for it. It is refused while a part of the set goes back and the
        rest can follow; when a member is gone for good, only while LVM cannot let go of another one.
      - A refusal names the way out of where the set is, with all that stands against that.
    type: str
    choices: [present, merged, absent]
    default: present
  id:
    description:
      - The id of the taking, 32 hexadecimal digits, when something has been bound to it before, as by
        M(safepoint.lvm.boot_backup). By default a new one.
      - A set that exists must have it.
    type: str
  volumes:
    description:
      - The LVs to protect.
      - With O(state=present), this, O(mountpoints) or O(system=true) is required. Otherwise they are optional, and
        must choose what the set has.
    type: list
    elements: dict
    default: []
    suboptions:
      vg:
        description: The VG.
        type: str
        required: true
      lv:
        description: The LV. Without it every LV of the VG that holds data, but no swap.
        type: str
      size:
        description: A size for this one, instead of O(size). Not for thin volumes.
        type: str
  mountpoints:
    description:
      - Mountpoints whose LVs are to be protected. An LV that is named in two ways is one member.
      - This and the other lists of names and paths may be given as text, as by C(-e). V(/, /var) and V([/, /var]) mean
        the same. Blanks and quotes around an item do not count.
    type: list
    elements: path
    default: []
  system:
    description:
      - Protect what an upgrade changes, beside O(volumes) and O(mountpoints). This is C(/), and those of C(/usr),
        C(/var), C(/var/lib), C(/etc) and C(/opt) that are filesystems of their own.
      - Those in O(ignore_uncovered) are left out.
    type: bool
    default: false
  exclude:
    description:
      - LVs (C(VG/LV)) or mountpoints to leave out of what O(volumes), O(mountpoints) and O(system) choose. Refused
        without any of them, because a set is merged and removed as a whole.
      - What has to go back together with C(/) is left out only if O(ignore_uncovered) lists it too.
    type: list
    elements: str
    default: []
  ignore_uncovered:
    description:
      - Mountpoints that may stay without protection. One of O(mountpoints) that is not on LVM is refused unless it is
        listed here.
      - When C(/) is protected, so must be those of C(/usr), C(/var), C(/var/lib), C(/etc) and C(/opt) that are
        filesystems of their own, unless they are listed here.
      - A thick C(/) that holds C(/boot) is refused, because a boot loader would read it half merged; listing C(/boot)
        here says that nothing boots from there.
      - Without C(/boot) in this list, RV(boot_to_save) names what boots the host and does not roll back with C(/).
    type: list
    elements: path
    default: []
  max_age:
    description:
      - With O(state=present), how old a set of this name may be that exists already, from V(0s) to V(3650d), for
        example V(90s), V(30m), V(24h) or V(7d). A number alone means seconds.
      - An older one is refused, because it was taken for another change, and a rollback to it would lose more than
        this one. By default any age will do.
    type: str
seealso:
  - module: safepoint.lvm.boot_backup
  - module: safepoint.lvm.snapshot
  - module: safepoint.lvm.snapset_info
"""

EXAMPLES = r"""
- name: Take snapshots of the system, unless that was done today
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

- name: Begin to go back, or go on with it
  safepoint.lvm.snapset:
    name: patch_2026_11
    state: merged

- name: Accept the change
  safepoint.lvm.snapset:
    name: patch_2026_11
    state: absent
"""

RETURN = r"""
snapset:
  description: The set as it is after the run. In check mode, as it would be, without what only the real run can know.
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
      description: One UUID each time that a set is taken; null when there is no set.
      type: str
      returned: always, but in check mode only when the set exists and stays
    state:
      description:
        - One of C(damaged), C(invalid), C(merge_failed), C(partly_merged), C(merging), C(merge_pending), C(incomplete),
          C(active), C(rolled_back), C(absent); the first that fits.
      type: str
      returned: always
    created:
      description: When the set was taken (ISO 8601, UTC); null when no member is left to tell, as after a rollback.
      type: str
      returned: always, but in check mode only when the set exists and stays
    age:
      description: Seconds since then; null like RV(snapset.created).
      type: int
      returned: always, but in check mode only when the set exists and stays
    rolled_back_at:
      description: When the last origin was seen to be rolled back (ISO 8601, UTC); null before that.
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
          description: The snapshot LV; null when it is gone, into its origin or for good.
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
          description: Size of a thick snapshot's store, or of a thin snapshot's volume; null when it is gone.
          type: int
          returned: always
        used_percent:
          description:
            - How full the store is, or how much of the thin volume is mapped. Null when that cannot be known (inactive)
              or means something else (merging).
          type: float
          returned: not in check mode
        state:
          description:
            - One of C(active), C(unknown), C(invalid), C(merge_pending), C(merging), C(merge_failed), C(rolled_back),
              C(lost), C(detached).
          type: str
          returned: always
        merge_percent:
          description: How far a running merge is; it begins at how much of the store was free. Null before and without.
          type: float
          returned: not in check mode
        auto_basis:
          description:
            - For thick members, C(cannot_overflow) when the store has its maximum. Otherwise C(estimate), whoever chose
              the size, which means that it can overflow. Null for thin ones, and when the snapshot is gone.
          type: str
          returned: not in check mode
reboot_required:
  description: Whether a merge waits for a volume that is in use.
  type: bool
  returned: success
poll_after:
  description: Seconds after which it is worth to run this task again; null when nothing is under way.
  type: int
  returned: success
boot_to_save:
  description:
    - Where what boots the host lies, such as C(/boot) and the ESP, when C(/) is a member of the set and that does not
      roll back with it. Save it by M(safepoint.lvm.boot_backup) first.
    - Empty when C(/boot) is in O(ignore_uncovered).
  type: list
  elements: str
  returned: success
  sample: [/boot, /boot/efi]
boot_ignored:
  description: The same mountpoints when C(/boot) is in O(ignore_uncovered), otherwise empty.
  type: list
  elements: str
  returned: success
  sample: []
planned:
  description: The steps, each of them one LVM command, the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - step: create
      vg: sysvg
      origin: root
      snapshot: root_patch_2026_11
      kind: thick
      size: 2155872256
    - step: seal
      volumes: [sysvg/root_patch_2026_11]
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

from ansible_collections.safepoint.lvm.plugins.module_utils._module.argspec import COMMON_ARGUMENTS
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset import build_request
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import SnapshotsCase

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
        "options": {
            "vg": {"type": "str", "required": True},
            "lv": {"type": "str"},
            "size": {"type": "str"},
        },
    },
    "mountpoints": {"type": "list", "elements": "path", "default": []},
    "system": {"type": "bool", "default": False},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "ignore_uncovered": {"type": "list", "elements": "path", "default": []},
    "max_age": {"type": "str"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True)
    run_change(module, lambda params: SnapshotsCase("snapset", build_request(params)))


if __name__ == "__main__":
    main()
