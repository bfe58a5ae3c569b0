# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of the module snapset_info: it believes no Python that was discovered before."""

from __future__ import annotations

from ansible_collections.safepoint.lvm.plugins.plugin_utils._python import FirstAction


class ActionModule(FirstAction):
    """The action `safepoint.lvm.snapset_info`, documented in plugins/modules/snapset_info.py."""
