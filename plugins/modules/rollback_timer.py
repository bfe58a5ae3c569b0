#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Roll a host back automatically unless the change is confirmed in time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_timer
short_description: Roll a host back automatically unless the change is confirmed in time
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Arms a timer for a snapset. If nobody disarms it in time, the host restores C(/boot), requests the merges and
    reboots. This needs no connection, no network, no Ansible and no Python.
  - The timer is a separate LV and a systemd unit. The LV contains copies of all programs that the timer uses, with
    their libraries and their loader. The unit starts the timer at every boot, before anything that could hang. The time
    continues over reboots, but every boot leaves at least ten minutes, or O(after) if that is less, in which the change
    can still be accepted.
  - If something is in the way when the time is over, such as a missing disk or another run, the timer waits and tries
    again. If the deadline passed long before the host booted, or the host is another machine by its DMI product UUID,
    the timer does nothing until somebody decides.
  - While a timer is armed, C(/run/motd.d) says so, and people who are logged in are warned before it fires.
  - The timer takes the same host lock as the modules. Before it starts the rollback, it verifies its files and that the
    snapset is complete. It fires once. It logs to the kernel's log and to the file C(log) on its LV.
  - The timer of another host, whose disks this host can see, is never removed. O(safepoint.lvm.snapset#module:adopt)
    takes it over with its snapset. If it came with a disk from another host, arm it again.
  - A timer that runs does not stop if the change replaces the machine-id of the host.
requirements:
  - systemd, glibc and C(mkfs.ext4) on the managed host
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  diff_mode:
    details:
      - For files it shows size and checksum. It shows text only for the boot menu entries and the units that this
        module writes.
  idempotent:
    details:
      - A running timer with the same O(after), O(spread) and O(failed_boots) keeps its deadline, except with
        O(restart=true).
options:
  name:
    description: Names the snapset to roll back to. It must be active.
    type: str
    required: true
  state:
    description:
      - V(armed) creates and starts the timer. It is refused if a rollback would not be possible now, or if the timer
        of another snapset is armed for one of its volumes.
      - If a timer of the snapset is already running, it is given the new values, and its time counts from now on. There
        is no moment without a timer. It stays in its VG.
      - V(disarmed) stops and removes the timer, in any state.
    type: str
    choices: [armed, disarmed]
    default: armed
  after:
    description:
      - Sets how long the timer waits, from V(60s) to V(30d), for example V(90s), V(30m) or V(12h). Required with
        O(state=armed).
      - The time counts from when its program runs, near the end of the task.
    type: str
  spread:
    description:
      - Lets the timer fire up to this much later, from V(0s) to V(1d). How much is drawn at random, so that hosts which
        are armed together do not all reboot at the same moment.
      - The default is a tenth of O(after), at most V(10m).
    type: str
  restart:
    description:
      - Lets the time count from now on even if a running timer has the same values. The task then always changes
        something. Use it at the end of a change, so that people have all of O(after) to accept it.
    type: bool
    default: false
  failed_boots:
    description:
      - Also rolls back after this many failed boots in a row, from V(0) to V(99). With V(0) failed boots do not count.
      - A boot has failed if it reached neither the target that is the default of the host when the timer is armed, nor
        C(multi-user.target), nor C(graphical.target). Only boots in which systemd itself starts count.
      - Boots that are not meant to get there do not count, such as offline updates, an SELinux relabel, or a target
        that is selected on the kernel command line.
      - A number greater than V(0) is refused if the default target is not active when the timer is armed.
    type: int
    default: 0
  vg:
    description: Selects the VG for the timer. The default is the VG of the root filesystem.
    type: str
  allow_passphrase:
    description:
      - The timer is refused if the host boots from an encrypted device that nothing seems to open without a person.
        The device has no key file in C(/etc/crypttab), or every initramfs does not contain the key file, or GRUB
        asks for the passphrase. With V(true) this is only a warning.
      - It is always only a warning if the host may open the device by itself, for example with a TPM or clevis.
    type: bool
    default: false
  lock_timeout:
    description: Limits how many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
seealso:
  - module: safepoint.lvm.snapset
  - module: safepoint.lvm.boot_backup
"""

EXAMPLES = r"""
- name: Roll back in half an hour, unless the timer is disarmed until then
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    after: 30m

- name: Also roll back if the host fails to boot twice
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    after: 2h
    failed_boots: 2

- name: Count the half hour from the end of the change
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    after: 30m
    restart: true

- name: Confirm the change
  safepoint.lvm.rollback_timer:
    name: patch_2026_11
    state: disarmed
"""

RETURN = r"""
rollback_timer:
  description: The timer after the run, or in check mode the predicted one.
  type: dict
  returned: success
  sample:
    name: patch_2026_11
    id: 0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71
    state: armed
    running: true
    phase: watching
    reason: null
    after: 1800
    spread: 180
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
      description: ID of the snapset that it belongs to; null without a timer.
      type: str
      returned: always
    state:
      description:
        - C(disarmed), C(incomplete) (arming was interrupted, and the timer does nothing), C(armed) or C(fired).
      type: str
      returned: always
    running:
      description:
        - Whether its program is running, and will be started again at the next boot. An armed timer that is not running
          does nothing. Arm it again, and read C(log) on its LV.
      type: bool
      returned: always
    phase:
      description:
        - What its program does; null if it is not running.
        - C(watching) (it counts the time), C(postponed) (the time is over, but it cannot roll back at the moment),
          C(firing) (it rolls back and reboots), C(stale) (it does nothing until somebody decides) or C(spent) (no
          rollback is possible any more, so it has ended).
      type: str
      returned: always
    reason:
      description: Why it is C(postponed), C(stale) or C(spent); otherwise null.
      type: str
      returned: always
    after:
      description: Seconds that it waits; null without a timer.
      type: int
      returned: always
    spread:
      description: How many seconds later it fires at most; null without a timer.
      type: int
      returned: always
    deadline:
      description:
        - The earliest moment at which the host is rolled back because of the time, in UTC; null without a timer, or if
          only the real run can know it.
      type: str
      returned: always
    failed_boots:
      description:
        - After how many failed boots in a row the host is rolled back; 0 if they do not count, null without a timer.
      type: int
      returned: always
    fired_at:
      description: When the timer started the rollback, in UTC; null if it has not.
      type: str
      returned: always
    vg:
      description: VG of the timer; null without a timer.
      type: str
      returned: always
    volume:
      description: LV of the timer; null without a timer.
      type: str
      returned: always
planned:
  description: The steps to the requested state. They are the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - step: start_timer
      unit: safepoint-lvm-timer-patch_2026_11.service
commands:
  description: Every LVM command that changes something, in order. Empty in check mode.
  type: list
  elements: list
  returned: success, or when the request is refused or a command fails
reads:
  description: How many LVM reports were read.
  type: int
  returned: success, or when the request is refused or a command fails
snapset_missing:
  description: Whether the only reason is that the snapset must be taken first, because it does not exist, is rolled
    back, or was interrupted while it was taken. A timer for it could be armed otherwise.
  type: bool
  returned: when the request is refused because the snapset is not active
reasons:
  description: Every reason why the request was refused. Nothing has been changed then.
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
    "spread": {"type": "str"},
    "restart": {"type": "bool", "default": False},
    "failed_boots": {"type": "int", "default": 0},
    "vg": {"type": "str"},
    "allow_passphrase": {"type": "bool", "default": False},
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
