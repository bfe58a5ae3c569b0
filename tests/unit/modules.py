# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for AnsibleModule."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible.module_utils.basic import AnsibleModule


def module(params: Mapping[str, Any] | None = None, journal: list[str] | None = None) -> AnsibleModule:
    found = SimpleNamespace(
        params=params or {},
        check_mode=False,
        log=([] if journal is None else journal).append,
        get_bin_path=lambda name, **_options: f"/sbin/{name}",
    )
    return cast("AnsibleModule", found)
