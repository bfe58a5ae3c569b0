# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the module rollback_timer. Private to this collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._names import name_problem, set_name_problem
from .._rollback_timer.observe import observe, observe_for_arming
from .._rollback_timer.observed import TimerObserved
from .._rollback_timer.plan import plan_armed, plan_disarmed, timer_shown
from .._snapset.context import situation
from .kept import KeptCase
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._snapset.steps import StepsPlan
    from .changes import ChangeSession

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST, _LONGEST = 60, 30 * 86400
_MOST_BOOTS = 99


class RollbackTimerCase(KeptCase[TimerObserved]):
    """The timer that brings a host back to one set by itself."""

    key = "rollback_timer"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._name, self.state, self._vg, boots = (params[key] for key in ("name", "state", "vg", "failed_boots"))
        check("name", set_name_problem(self._name))
        check("vg", None if self._vg is None else name_problem(self._vg, "a VG"))
        check("failed_boots", None if 1 <= boots <= _MOST_BOOTS else f"out of range: expected 1 to {_MOST_BOOTS}")
        self._after = _duration(params["after"]) if self.state == "armed" else 0
        self._boots = boots if params["also_on_failed_boot"] else 0
        self.title = f"the rollback timer of {self._name}"

    def observe(self, session: ChangeSession) -> TimerObserved:
        """The set and its timers; what arming depends on only where one is to be armed. Raises FilesFailed, OSError."""
        seen = observe(situation(session.observe(), self._name))
        if self.state == "disarmed" or seen.is_wanted(self._after, self._boots):
            return seen
        return observe_for_arming(seen)

    def plan(self, observed: TimerObserved) -> StepsPlan:
        """The steps; pure. Raises Refused."""
        if self.state == "disarmed":
            return plan_disarmed(observed)
        return plan_armed(observed, after=self._after, boots=self._boots, vg=self._vg)

    def view(self, observed: TimerObserved) -> dict[str, Any]:
        """It as it is."""
        return timer_shown(observed)


def _duration(text: str | None) -> int:
    match = _DURATION.fullmatch(text or "")
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        check("after", f"{text!r} is not a valid duration: expected 60s to 30d, for example 90s, 30m, 12h or 7d")
    return seconds
