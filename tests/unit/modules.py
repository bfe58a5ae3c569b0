# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for AnsibleModule."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible.module_utils.basic import AnsibleModule


class Failed(Exception):
    """The module has failed with ``result``."""

    def __init__(self, **result: Any) -> None:
        super().__init__(result["msg"])
        self.result = result


def _fail(**result: Any) -> NoReturn:
    raise Failed(**result)


def module(params: Mapping[str, Any] | None = None, journal: list[str] | None = None) -> AnsibleModule:
    found = SimpleNamespace(
        params=params or {},
        check_mode=False,
        log=([] if journal is None else journal).append,
        fail_json=_fail,
        get_bin_path=lambda name, **_options: f"/sbin/{name}",
    )
    return cast("AnsibleModule", found)
