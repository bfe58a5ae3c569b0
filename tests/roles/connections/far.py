# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connects to this machine as if it were remote: Ansible then discovers a Python instead of using its own."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    """The connection."""

    transport = "far"
    _remote_is_local = False
