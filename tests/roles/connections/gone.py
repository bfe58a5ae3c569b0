# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connects to a host that is not there."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    """The connection."""

    transport = "gone"

    def exec_command(self, *_arguments: Any, **_options: Any) -> Any:
        """Fail like ssh."""
        raise AnsibleConnectionFailure("Failed to connect to the host via ssh: No route to host")
