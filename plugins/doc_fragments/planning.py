# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that every planning module takes, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of M(safepoint.lvm.snapset) and M(safepoint.lvm.snapshot)."""

    DOCUMENTATION = r"""
options:
  size:
    description:
      - How large each thick snapshot becomes. Thin snapshots have no size of their own, so M(safepoint.lvm.snapset)
        does without it for thin members, and M(safepoint.lvm.snapshot) of a thin volume refuses it.
      - V(auto) gives every snapshot its maximum, with which it cannot overflow, when the VG has the room for that.
        Otherwise it is an estimate from the space that the mounted filesystem uses, shared down fairly.
      - Absolute sizes are bytes or for example V(10GiB) (KiB, MiB, GiB, TiB, PiB). Relative ones are
        V(20%ORIGIN) (as C(lvcreate) means it), V(50%USED) of the mounted filesystem, V(30%FREE) of what was free
        in the VG when the run began, and V(10%VG).
      - On existing snapshots only absolute sizes, C(%ORIGIN) and C(%VG) act, and only by extension.
        Nothing ever shrinks.
    type: str
    default: auto
  min_headroom:
    description:
      - How much of each thick snapshot has to be free, absolute or in percent of it, for example V(40%).
      - With O(state=present), snapshots with less are extended.
      - With O(state=merged), the default is 10% or 256 MiB, whichever is less, because a merge that waits for a
        reboot keeps recording and can never be extended. Snapshots with less are extended first; V(0) does without.
    type: str
  reserve:
    description:
      - What stays free in each VG, absolute or for example V(5%VG).
      - It does not stand against O(state=merged), which takes what is free for headroom and gives the whole store
        back.
    type: str
    default: 5%VG
  pool_reserve:
    description:
      - What has to be free in a thin pool before a snapshot is taken in it, absolute or in percent of the pool.
    type: str
    default: 20%
  accept_loss_of:
    description:
      - Snapsets, or snapshots without one as C(VG/LV), that a merge may harm.
      - A thin merge cuts other snapshots of the same origin off from it, and a thick merge writes into its siblings.
        Without their names here such a merge is refused.
      - A snapset's own name accepts what it has lost itself (a member that is gone, was split off or has overflowed)
        once another part of it goes back already. O(state=merged) then goes on with the rest, removes what is left
        of those members, and counts the set without them from then on. Before anything goes back it means nothing.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: How many seconds to wait for another run on the same host, at most a week (V(604800)).
    type: int
    default: 60
"""
