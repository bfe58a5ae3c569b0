# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options of the module snapset that say which set is meant, and whose it is."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of M(safepoint.lvm.snapset)."""

    DOCUMENTATION = r"""
options:
  id:
    description:
      - ID of the set, 32 hexadecimal digits. Needed if something already belongs to this ID, for example a backup by
        M(safepoint.lvm.boot_backup). By default, a new set gets a new ID.
      - A set that exists must have this ID.
    type: str
  adopt:
    description:
      - Takes over a set of another host, with its backup of C(/boot) and its rollback timer, then does what O(state)
        requests. With O(state=present) and no O(volumes), O(mountpoints) or O(system), it only takes the set over.
      - Needed if the machine-id of the host has changed, or if disks were moved from another host. Not needed for a set
        with the running C(/), which always belongs to the host.
      - Has no effect if the host has a set of this name, or the record of its rollback.
      - Refused if no origin of the set is active on this host, because then another host may be using it. If several
        other hosts have a set of this name, O(id) must select one.
      - A copy of a set (C(vgimportclone)) cannot be taken over.
    type: bool
    default: false
notes:
  - A set belongs to the host that created it. A set of another host, for example of a virtual machine whose disks this
    host can see, is never changed and does not block a set of the same name. If only another host has a set of this
    name, O(state=absent) succeeds, changes nothing and warns, and O(state=merged) is refused.
"""
