# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of this collection that several packages use. Values only; private to this collection."""

from __future__ import annotations

POLL_SECONDS = 2
"""How often LVM polls a merge that this collection requested, in seconds. LVM's default is 15 (lvm.conf(5))."""

NO_HIBERNATION_TEXT = """\
# Made by safepoint.lvm: LVM merges snapshots at the next boot or now, and hibernation would destroy their filesystems.
[Sleep]
AllowHibernation=no
AllowHybridSleep=no
AllowSuspendThenHibernate=no
"""
"""The settings of sleep.conf.d(5), since systemd 239, that forbid to write the memory to disk."""

FILESYSTEM = "ext4"
"""The filesystem type of every auxiliary LV."""
