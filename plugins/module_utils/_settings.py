# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection has chosen, for several packages. Values only; private to this collection."""

from __future__ import annotations

POLL_SECONDS = 2
"""How often LVM looks at a merge that this collection asked for; its own default is 15 (lvm.conf(5))."""

FILESYSTEM = "ext4"
"""The type of filesystem that is made on each auxiliary LV."""
