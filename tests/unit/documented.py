# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of the collection as their documentation and their argument specs describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pytest

from ansible_collections.safepoint.lvm.plugins.action import fleet_report as fleet_report_action
from ansible_collections.safepoint.lvm.plugins.action import health_junit as health_junit_action
from ansible_collections.safepoint.lvm.plugins.action import host_report as host_report_action
from ansible_collections.safepoint.lvm.plugins.action import rollback_wait as rollback_wait_action
from ansible_collections.safepoint.lvm.plugins.modules import (
    boot_backup,
    boot_entry,
    fleet_report,
    health,
    health_junit,
    host_report,
    initramfs_hook,
    rollback_timer,
    rollback_wait,
    snapset,
    snapset_info,
    snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES: dict[str, Any] = {
    "boot_backup": boot_backup,
    "boot_entry": boot_entry,
    "health": health,
    "health_junit": health_junit,
    "fleet_report": fleet_report,
    "host_report": host_report,
    "initramfs_hook": initramfs_hook,
    "rollback_timer": rollback_timer,
    "rollback_wait": rollback_wait,
    "snapset": snapset,
    "snapshot": snapshot,
    "snapset_info": snapset_info,
}
# These modules are only the documentation of an action plugin.
ACTIONS: dict[str, Any] = {
    "fleet_report": fleet_report_action,
    "health_junit": health_junit_action,
    "host_report": host_report_action,
    "rollback_wait": rollback_wait_action,
}
# These have an action plugin that runs them.
RUNNERS = ("snapset", "snapset_info")


class _Started(Exception):
    pass


def argument_spec(name: str) -> Mapping[str, Any]:
    """The argument spec of a module, or of the action plugin that it documents."""
    if name in ACTIONS:
        return cast("Mapping[str, Any]", ACTIONS[name].ARGUMENTS)
    with mock.patch.object(MODULES[name], "AnsibleModule", side_effect=_Started) as started, pytest.raises(_Started):
        MODULES[name].main()
    return cast("Mapping[str, Any]", started.call_args.kwargs["argument_spec"])
