# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that the modules snapset and snapshot share, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of M(safepoint.lvm.snapset) and M(safepoint.lvm.snapshot)."""

    DOCUMENTATION = r"""
options:
  size:
    description:
      - Size of each thick snapshot. Thin snapshots have no size. So M(safepoint.lvm.snapset) ignores this option for
        thin members, and M(safepoint.lvm.snapshot) refuses it for a thin volume.
      - V(auto) gives each snapshot its maximum size, with which it cannot overflow, if the VG has enough space.
        Otherwise it estimates the size from the used space of the mounted filesystem. If there is not enough space for
        that either, all snapshots are reduced in proportion.
      - Absolute sizes are in bytes, or have a unit, for example V(10GiB) (KiB, MiB, GiB, TiB, PiB). Relative sizes are
        V(20%ORIGIN) (as in C(lvcreate)), V(50%USED) of the mounted filesystem, V(30%FREE) of the space that is free in
        the VG when the run starts, and V(10%VG).
      - For existing snapshots, only absolute sizes, C(%ORIGIN) and C(%VG) apply, and they only extend. No snapshot is
        ever reduced.
    type: str
    default: auto
  min_headroom:
    description:
      - Minimum free space in each thick snapshot, absolute or in percent of its size, for example V(40%).
      - With O(state=present), snapshots with less free space are extended.
      - With O(state=merged), snapshots with less free space are extended before the merge is requested. The default is
        then 10% or 256 MiB, whichever is less, because a snapshot whose merge waits for a reboot still fills and
        cannot be extended. V(0) extends none.
    type: str
  reserve:
    description:
      - Space that stays free in each VG, absolute or relative, for example V(5%VG).
      - Has no effect with O(state=merged). A merge frees the whole snapshot in the end, so all free space can be used
        to extend it first.
    type: str
    default: 5%VG
  pool_reserve:
    description:
      - Space that must be free in a thin pool before a snapshot is taken in it, absolute or in percent of the pool.
    type: str
    default: 20%
  accept_loss_of:
    description:
      - Accepts that a merge harms other snapshots. List the names of their snapsets, or C(VG/LV) for snapshots that
        belong to no snapset of this host.
      - A thin merge detaches the other snapshots of the same origin from it, so they can never be merged. A thick merge
        writes into the other snapshots of the same origin, which can overflow. Such a merge is refused unless these
        snapshots are listed here.
      - The name of the snapset itself accepts that some of its own members are lost (missing, detached or overflowed).
        With O(state=merged), the rollback then continues with the other members. What is left of the lost members is
        removed, and the set no longer counts them. This has an effect only when the rollback has already started.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for another run on the same host, at most one week (V(604800)).
    type: int
    default: 60
  package_timeout:
    description:
      - With O(state=present), seconds to wait for dpkg or rpm, at most one week (V(604800)), also in check mode.
      - While one of them installs or removes packages, no snapshot is created of an LV that has C(/), C(/usr), C(/var),
        C(/var/lib), C(/etc), C(/opt) or the package database, because packages in it would be only half installed. This
        is checked before anything is changed, and once more when the snapshots exist; then they are removed again.
      - Their locks are only looked at, never taken.
    type: int
    default: 60
"""
