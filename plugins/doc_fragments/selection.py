# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options of the module snapset that say what is protected."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of M(safepoint.lvm.snapset)."""

    DOCUMENTATION = r"""
options:
  volumes:
    description:
      - LVs to protect.
      - With O(state=present), O(volumes), O(mountpoints), O(system=true) or O(adopt=true) is required. Otherwise they
        are optional, and must select the members of the set.
    type: list
    elements: dict
    default: []
    suboptions:
      vg:
        description: The VG.
        type: str
        required: true
      lv:
        description: The LV. By default, every LV of the VG that holds data, except swap.
        type: str
      size:
        description: Size of this snapshot, instead of O(size). Not for thin volumes.
        type: str
  mountpoints:
    description:
      - Mountpoints whose LVs are to be protected. An LV that is selected in two ways is one member.
      - This and the other lists of names and paths can also be given as text, for example with C(-e). V(/, /var) and
        V([/, /var]) mean the same. Blanks and quotes around an item are ignored.
    type: list
    elements: path
    default: []
  system:
    description:
      - Protect what an upgrade changes, in addition to O(volumes) and O(mountpoints). This is C(/), and those of
        C(/usr), C(/var), C(/var/lib), C(/etc) and C(/opt) that are separate filesystems.
      - Mountpoints in O(ignore_uncovered) are left out.
      - Refused on hosts that ostree or bootc manages, and where C(/) is an overlay.
    type: bool
    default: false
  exclude:
    description:
      - LVs (C(VG/LV)) or mountpoints to leave out of what O(volumes), O(mountpoints) and O(system) select. Refused
        without one of these three, because a set is always merged and removed completely.
      - What must roll back together with C(/) is left out only if O(ignore_uncovered) lists it too.
    type: list
    elements: str
    default: []
  ignore_uncovered:
    description:
      - Mountpoints that need no protection. One of O(mountpoints) that is not on LVM must be listed here.
      - If C(/) is protected, those of C(/usr), C(/var), C(/var/lib), C(/etc) and C(/opt) that are on other filesystems
        must be protected too, unless they are listed here. Symbolic links count like mountpoints.
      - A thick C(/) with C(/boot) on it is refused, because the boot loader would read it half merged. List C(/boot)
        here if the host does not boot from there. RV(boot_to_save) still lists the ESP, which has the kernels then.
      - If C(/) is protected, those of C(/boot), C(/boot/efi), C(/boot/firmware) and C(/efi) that C(/etc/fstab) has must
        be mounted (automounts within 30 seconds), unless they are listed here. Then RV(boot_to_save) does not have
        them. With a separate C(/boot) it does not have the ESP either, whose boot loader belongs to C(/boot).
    type: list
    elements: path
    default: []
"""
