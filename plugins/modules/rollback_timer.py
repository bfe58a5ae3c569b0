#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Have a host go back by itself unless the change is confirmed in time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_timer
short_description: Have a host go back by itself unless the change is confirmed in time
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Arms a timer for a snapset. When its time is over and nobody has disarmed it, the host brings C(/boot) back,
    requests the merges and reboots, with nobody connected. It needs neither the network nor Ansible nor Python then.
  - The timer is an LV of its own with copies of all programs that it uses, their libraries and their loader, and a unit
    of systemd that starts it at every boot, before anything else that could stand still. Time counts over reboots.
  - It takes the same host lock as the modules, verifies its files and that the set is whole before it begins, fires
    once, and writes what it does into the kernel's log and into the file C(log) of its LV.
requirements:
  - LVM 2.03 or newer on the managed host
  - Python 3.9 or newer on the managed host, to arm it
  - systemd, glibc and C(mkfs.ext4) on the managed host
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
    details:
      - A timer that runs with the same O(after) keeps its deadline. Disarm it first to begin anew.
options:
  name:
    description: Name of the snapset to go back to. It has to be active.
    type: str
    required: true
  state:
    description:
      - V(armed) makes and starts the timer; it is refused when going back could not be done now.
      - V(disarmed) ends and removes it, whatever state it is in.
    type: str
    choices: [armed, disarmed]
    default: armed
  after:
    description: How long to wait, from V(60s) to V(30d), such as V(90s), V(30m) or V(12h). Needed to arm it.
    type: str
  failed_boots:
    description:
      - Also roll back after this many failed boots in a row, from V(0) to V(99). V(0) means that failed boots do not
        count.
      - A boot has failed when it reached neither C(multi-user.target) nor C(graphical.target). Only boots in which
        systemd itself starts count.
    type: int
    default: 0
  vg:
    description: The VG that is to hold the timer. The default is the one of the root filesystem.
    type: str
  lock_timeout:
    description: How many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
seealso:
  - module: safepoint.lvm.snapset
  - module: safepoint.lvm.boot_backup
"""

EXAMPLES = r"""
- name: Go back in half an hour, unless somebody can still reach the host and says that all is well
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    after: 30m

- name: Also go back when the host fails to boot twice
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    after: 2h
    failed_boots: 2

- name: All is well
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    state: disarmed
"""

RETURN = r"""
rollback_timer:
  description: The timer as it is after the run. In check mode, as it would be.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
    state: armed
    running: true
    after: 1800
    deadline: "2026-11-23T14:30:00+00:00"
    failed_boots: 0
    fired_at: null
    vg: sysvg
    volume: safepoint_timer_patch_2026_11
  contains:
    name:
      description: Name of the snapset.
      type: str
      returned: always
    id:
      description: The id of the taking that it belongs to; null without a timer.
      type: str
      returned: always
    state:
      description:
        - C(disarmed), C(incomplete) (it was interrupted while it was made, and does nothing), C(armed) or C(fired).
      type: str
      returned: always
    running:
      description:
        - Whether its program watches now, and will after the next boot. An armed one that does not run does nothing;
          arm it again, and see C(log) on its LV.
      type: bool
      returned: always
    after:
      description: Seconds from the arming to the deadline; null without a timer.
      type: int
      returned: always
    deadline:
      description: When the host goes back, in UTC; null without a timer, or when only the real run can know it.
      type: str
      returned: always
    failed_boots:
      description:
        - After how many failed boots in a row the host rolls back; 0 when they do not count, null without a timer.
      type: int
      returned: always
    fired_at:
      description: When the host went back by itself, in UTC; null when it did not.
      type: str
      returned: always
    vg:
      description: The VG that holds it; null without a timer.
      type: str
      returned: always
    volume:
      description: The LV that holds it; null without a timer.
      type: str
      returned: always
planned:
  description: The steps, the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - step: start_timer
      unit: safepoint-lvm-timer-patch_2026_11.service
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

from ansible_collections.safepoint.lvm.plugins.module_utils._module.rollback_timer import RollbackTimerCase
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["armed", "disarmed"], "default": "armed"},
    "after": {"type": "str"},
    "failed_boots": {"type": "int", "default": 0},
    "vg": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENTS), required_if=[("state", "armed", ["after"])], supports_check_mode=True
    )
    run_change(module, RollbackTimerCase)


if __name__ == "__main__":
    main()
