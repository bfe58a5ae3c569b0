# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The requirements and attributes of all modules, documented once. A module documents only what differs."""

from __future__ import annotations


class ModuleDocFragment:
    """Requirements and attributes of the modules."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - LVM 2.03 or newer on the managed host
  - Python 3.9 or newer on the managed host
attributes:
  check_mode:
    description: Can run in C(check_mode) and predict what would change without modifying the target.
    support: full
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), when in diff mode.
    support: full
  idempotent:
    description: A second run with the same arguments, outside check mode, reports no change.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: linux
  action_group:
    description: Use C(group/safepoint.lvm.lvm) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - safepoint.lvm.lvm
"""
