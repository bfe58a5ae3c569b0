# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of use cases for what a host keeps beside snapshots: a backup, a boot entry, a timer, a hook. Private."""

from __future__ import annotations

from typing import Any, TypeVar

from .._steps import StepsPlan
from .run import UseCase

Observed = TypeVar("Observed")


class KeptCase(UseCase[Observed, StepsPlan]):
    """``key`` is the name of the object in the result."""

    key: str

    def view(self, observed: Observed) -> dict[str, Any]:
        """The object as it is now."""
        raise NotImplementedError

    def predicted(self, plan: StepsPlan, _before: Observed) -> dict[str, Any]:
        """The object after ``plan``."""
        return {self.key: dict(plan.after)}

    def shown(self, observed: Observed) -> dict[str, Any]:
        """The object as it is now."""
        return {self.key: self.view(observed)}

    def expected(self, plan: StepsPlan) -> dict[str, Any]:
        """The object after ``plan``."""
        return dict(plan.after)

    def compared(self, observed: Observed) -> dict[str, Any]:
        """The object as it is now."""
        return self.view(observed)
