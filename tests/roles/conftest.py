# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One controller for all tests; each scenario runs only once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import pytest
from plays import Controller

if TYPE_CHECKING:
    from plays import Seen
    from scenarios import Faults, Scenario


@pytest.fixture(scope="session")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="session")
def seen_in(controller: Controller) -> Callable[[Scenario], dict[Faults, Seen]]:
    """Return what was recorded on the hosts of a scenario, by the tasks that failed there."""
    known: dict[str, dict[Faults, Seen]] = {}

    def seen(scenario: Scenario) -> dict[Faults, Seen]:
        if scenario.title not in known:
            known[scenario.title] = scenario.run(controller)
        return known[scenario.title]

    return seen
