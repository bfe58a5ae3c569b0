#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of this name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_wait
short_description: Reboot a host into its rollback and wait until the rollback has ended
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Runs M(safepoint.lvm.snapset) with O(safepoint.lvm.snapset#module:state=merged) again and again until the snapset is
    rolled back. Request the rollback with that module first.
  - While it waits, it prints a line for each host at least once a minute. The line shows the state of each member, how
    much of it is merged, the rate, and the expected end of the merges.
  - This is an action plugin. It runs on the controller, so it can wait for a host that reboots.
  - It fails when O(timeout) is over, or when only another reboot would help. Nothing is lost then. Run the same task
    again to continue.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    details:
      - In check mode it does not reboot and does not wait. It returns what M(safepoint.lvm.snapset) predicts.
  diff_mode:
    support: partial
    details:
      - It returns the diff of its last run of M(safepoint.lvm.snapset).
  idempotent:
    details:
      - With O(reboot=true) the host is rebooted each time.
options:
  name:
    description: Names the snapset that is rolled back.
    type: str
    required: true
  reboot:
    description:
      - Reboots the host first, with M(ansible.builtin.reboot). Set it to
        RV(safepoint.lvm.snapset#module:reboot_required) of the task that requested the rollback.
      - After the reboot Ansible discovers the host's Python again, because the rollback may have removed the one that
        it used before.
    type: bool
    default: false
  reboot_timeout:
    description: Limits how many seconds the reboot may take, at least 1.
    type: int
    default: 900
  timeout:
    description: Limits how many seconds to wait for the merges, after the reboot.
    type: int
    default: 7200
  poll_min:
    description: Sets the minimum number of seconds between two polls of the merges.
    type: int
    default: 5
  accept_loss_of:
    description: As in O(safepoint.lvm.snapset#module:accept_loss_of).
    type: list
    elements: str
    default: []
  min_headroom:
    description:
      - As in O(safepoint.lvm.snapset#module:min_headroom). It matters only for members whose merge has not been
        requested yet.
    type: str
  lock_timeout:
    description: Limits how many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
seealso:
  - module: safepoint.lvm.snapset
  - module: ansible.builtin.reboot
"""

EXAMPLES = r"""
- name: Request the rollback
  safepoint.lvm.snapset:
    name: patch_2026_11
    state: merged
  register: request

- name: Reboot if a merge needs that, and wait until the rollback has ended
  safepoint.lvm.rollback_wait:
    name: patch_2026_11
    reboot: "{{ request.reboot_required }}"
"""

RETURN = r"""
snapset:
  description: The snapset at the end, in the form of RV(safepoint.lvm.snapset#module:snapset).
  type: dict
  returned: success
elapsed:
  description: How many seconds it took, including the reboot.
  type: int
  returned: not in check mode
reboot_required:
  description: Whether a merge still needs a reboot. If so, the task has failed.
  type: bool
  returned: always, unless the host did not come back
"""
