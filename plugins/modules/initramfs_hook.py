#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Prepare the initramfs of a host, so that the boot into a rollback cannot hang."""

from __future__ import annotations

DOCUMENTATION = r"""
module: initramfs_hook
short_description: Prepare the initramfs, so that the boot into a rollback cannot hang
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Puts a small script into the initramfs of each kernel. The script ends LVM's own polling for merges before the real
    root filesystem takes over. Otherwise LVM can leave the root volume suspended there, and the boot hangs.
  - Only hosts that build their initramfs with initramfs-tools (Debian, Ubuntu) need this. On others, such as those with
    dracut, it changes nothing, because LVM does not poll there.
  - An initramfs is built again, by C(update-initramfs), only if it lacks the script.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  diff_mode:
    details:
      - For the script it shows size, checksum and mode.
options:
  state:
    description:
      - V(present) installs the script, and builds each initramfs that lacks it.
      - V(absent) removes the script, and builds each initramfs that contains it.
    type: str
    choices: [present, absent]
    default: present
  lock_timeout:
    description: How many seconds to wait for another run on the same host. At most a week (V(604800)).
    type: int
    default: 60
notes:
  - When a snapset is removed, the script stays installed for the next one.
  - To find out whether an initramfs contains the script, its files are listed. This takes seconds for each kernel.
seealso:
  - module: safepoint.lvm.snapset
"""

EXAMPLES = r"""
- name: Prepare the initramfs for a rollback
  safepoint.lvm.initramfs_hook:

- name: Remove it again
  safepoint.lvm.initramfs_hook:
    state: absent
"""

RETURN = r"""
initramfs_hook:
  description: The script as it is after the run. In check mode, as it would be.
  type: dict
  returned: success
  sample:
    state: present
    path: /etc/initramfs-tools/scripts/local-bottom/safepoint-lvm
    kernels: [6.12.57+deb13-amd64]
  contains:
    state:
      description: C(present), C(absent), or C(not_needed) on a host without initramfs-tools.
      type: str
      returned: always
    path:
      description: The path of the script.
      type: str
      returned: always
    kernels:
      description: Versions of the kernels whose initramfs contains the script.
      type: list
      elements: str
      returned: always
planned:
  description: The steps to the requested state. They are the same in check mode and in the real run.
  type: list
  elements: dict
  returned: success
  sample:
    - step: write_script
      path: /etc/initramfs-tools/scripts/local-bottom/safepoint-lvm
      size: 1336
      sha256: 806ef37b180b9421c245a0b5e00dcf50788181e72acc58ff9847ff34bf180bfc
    - step: build_initramfs
      kernel: 6.12.57+deb13-amd64
      path: /boot/initrd.img-6.12.57+deb13-amd64
commands:
  description: Every command that changes something, in order. Empty in check mode.
  type: list
  elements: list
  returned: success, or when a command fails
reads:
  description: How many LVM reports were read. Always 0 for this module.
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

from ansible_collections.safepoint.lvm.plugins.module_utils._module.initramfs_hook import HookCase
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    run_change(AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True), HookCase)


if __name__ == "__main__":
    main()
