# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes every task of every role fail, and in blocks with a rescue also each task of the rescue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import of_commit
import of_health
import of_pre_upgrade
import of_rollback
import pytest
from rolefiles import guarded_blocks
from scenarios import SILENTLY

if TYPE_CHECKING:
    from plays import Seen
    from scenarios import Faults, Scenario

SCENARIOS: list[Scenario] = [
    *of_pre_upgrade.SCENARIOS,
    *of_rollback.SCENARIOS,
    *of_commit.SCENARIOS,
    *of_health.SCENARIOS,
]
SeenIn = Callable[["Scenario"], "dict[Faults, Seen]"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_all_goes_well(scenario: Scenario, seen_in: SeenIn) -> None:
    seen = seen_in(scenario)[()]
    assert list(dict.fromkeys(seen.tasks)) == list(scenario.answers)
    assert seen.last == ""
    # The elapsed seconds come after it.
    assert seen.shown[-1].message.startswith(scenario.says)


@pytest.mark.parametrize(
    ("scenario", "faults"),
    [
        pytest.param(scenario, faults, id=f"{scenario.title}: {' + '.join(faults)}")
        for scenario in SCENARIOS
        for faults in scenario.ways_to_fail()
    ],
)
def test_a_task_fails(scenario: Scenario, faults: Faults, seen_in: SeenIn) -> None:
    seen = seen_in(scenario)[faults]
    expected = scenario.expects(faults)
    assert seen.after(faults[0]) == list(expected.calls)
    # In pre_upgrade the tasks that undo something come after the blocks.
    undoing = {task for block in guarded_blocks(scenario.role) for task in block.rescue} or set(scenario.in_rescue)
    if len(faults) == 1 and not scenario.blocks_alone:
        assert {(*faults, task) for task in undoing & set(seen.tasks)} <= set(scenario.expected)
    if SILENTLY in faults:
        # Newer ansible-core has its own message for this.
        assert seen.last in (
            f"the task {faults[0]} failed without a message",
            "Task failed: Action failed: Unknown error.",
        )
    else:
        assert seen.last == expected.last
