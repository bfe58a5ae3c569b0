# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the module boot_entry. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._boot_entry.observe import observe
from .._boot_entry.observed import EntryObserved
from .._boot_entry.plan import entry_view, plan_entry_absent, plan_entry_present, refusal
from .._names import set_name_problem
from .._snapset.context import snapset_context
from .kept import KeptCase
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._boot_entry.units import Services
    from .._model import HostState
    from .._steps import StepsPlan


class BootEntryCase(KeptCase[EntryObserved]):
    """The boot menu entry for a preview boot of one snapset."""

    key = "boot_entry"
    reads_boot = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._name, self.state = params["name"], params["state"]
        self._kernel, self._next_boot = params["kernel"], params["next_boot"]
        self._allow_passphrase = params["allow_passphrase"]
        self._services: Services = params["services"]
        check("name", set_name_problem(self._name))
        self.title = f"the boot entry of {self._name}"
        self.refusal = refusal(self._name, self.state)

    def observe(self, host_state: HostState) -> EntryObserved:
        """The snapset, its backup, GRUB and /boot. Raises FilesFailed, Refused, OSError."""
        return observe(
            snapset_context(host_state, self._name), state=self.state, kernel=self._kernel, services=self._services
        )

    def plan(self, observed: EntryObserved) -> StepsPlan:
        """The plan. Raises Refused."""
        if self.state == "absent":
            return plan_entry_absent(observed)
        return plan_entry_present(
            observed,
            kernel=self._kernel,
            services=self._services,
            next_boot=self._next_boot,
            allow_passphrase=self._allow_passphrase,
        )

    def view(self, observed: EntryObserved) -> dict[str, Any]:
        """The result for what exists now."""
        return entry_view(observed)
