# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the module rollback_timer. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._names import name_problem, set_name_problem
from .._rollback_timer.observe import observe, observe_for_arming
from .._rollback_timer.observed import TimerObserved, TimerRequest
from .._rollback_timer.plan import plan_armed, plan_disarmed, refusal, set_timer_view
from .._snapset.context import snapset_context
from .argspec import duration_parameter
from .kept import KeptCase
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._model import HostState
    from .._steps import StepsPlan

_MOST_BOOTS = 99
# The default of spread: this part of after, and at most ten minutes.
_PART = 10
_MOST_SPREAD = 600


class RollbackTimerCase(KeptCase[TimerObserved]):
    """The timer that rolls a host back to one snapset by itself."""

    key = "rollback_timer"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._name, self.state, vg, boots = (params[key] for key in ("name", "state", "vg", "failed_boots"))
        check("name", set_name_problem(self._name))
        check("vg", None if vg is None else name_problem(vg, "a VG"))
        check("failed_boots", None if 0 <= boots <= _MOST_BOOTS else f"{boots} must be 0 to {_MOST_BOOTS}")
        after = _after(params["after"]) if self.state == "armed" else 0
        spread = _spread(params["spread"], after)
        self._request = TimerRequest(
            after=after,
            spread=spread,
            boots=boots,
            vg=vg,
            restart=params["restart"],
            allow_passphrase=params["allow_passphrase"],
        )
        self.title = f"the rollback timer of {self._name}"
        self.refusal = refusal(self._name, self.state)

    def observe(self, host_state: HostState) -> TimerObserved:
        """The snapset, its timers, and if needed what arming depends on. Raises FilesFailed, OSError."""
        seen = observe(snapset_context(host_state, self._name))
        if self.state == "disarmed" or seen.is_current(self._request):
            return seen
        return observe_for_arming(seen)

    def plan(self, observed: TimerObserved) -> StepsPlan:
        """The plan. Raises Refused."""
        if self.state == "disarmed":
            return plan_disarmed(observed)
        return plan_armed(observed, self._request)

    def view(self, observed: TimerObserved) -> dict[str, Any]:
        """The result for what exists now."""
        return set_timer_view(observed)


def _after(text: str | None) -> int:
    return duration_parameter(text or "", "after", least="60s", most="30d").seconds


def _spread(text: str | None, after: int) -> int:
    if text is None:
        return min(after // _PART, _MOST_SPREAD)
    return duration_parameter(text, "spread", least="0s", most="1d").seconds
