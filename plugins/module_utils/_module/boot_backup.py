# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the module boot_backup. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._boot_backup.observe import observe
from .._boot_backup.observed import BackupRequest, BootObserved
from .._boot_backup.plan import backup_view, plan_backup, refusal
from .._boot_entry.installed import complete_entries
from .._names import name_problem, set_name_problem
from .._snapset.context import snapset_context
from .argspec import mountpoints_parameter
from .kept import KeptCase
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._model import HostState
    from .._steps import StepsPlan


class BootBackupCase(KeptCase[BootObserved]):
    """The backup of what boots the host, for one snapset."""

    key = "boot_backup"
    reads_boot = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._name, self.state, self._vg = params["name"], params["state"], params["vg"]
        check("name", set_name_problem(self._name))
        check("vg", None if self._vg is None else name_problem(self._vg, "a VG"))
        self._request = BackupRequest(
            ignore=mountpoints_parameter(params, "ignore_uncovered"),
            allow_unencrypted=params["allow_unencrypted"],
            only_undo=params["only_undo"],
        )
        self.title = f"the backup of /boot for {self._name}"
        self.refusal = refusal(self._name, self.state)

    def observe(self, host_state: HostState) -> BootObserved:
        """The snapset, its backups, and the boot filesystems. Raises FilesFailed, Refused, OSError."""
        entries = [entry.name for entry in complete_entries()] if self.state == "present" else []
        return observe(snapset_context(host_state, self._name), entries, state=self.state, request=self._request)

    def plan(self, observed: BootObserved) -> StepsPlan:
        """The plan. Raises Refused."""
        return plan_backup(observed, state=self.state, vg=self._vg)

    def view(self, observed: BootObserved) -> dict[str, Any]:
        """The result for what exists now."""
        return backup_view(observed)
