# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be read off the YAML files of the roles, and whether the tests know all that is there."""

from __future__ import annotations

import pytest
from rolefiles import ROLES, Guarded, guarded_blocks, module_tasks
from test_failures import SCENARIOS

GUARDED = [
    pytest.param(block, id=f"{role}: {block.keywords['name']}") for role in ROLES for block in guarded_blocks(role)
]


@pytest.mark.parametrize("block", GUARDED)
def test_a_failure_elsewhere_leads_to_no_rescue(block: Guarded) -> None:
    assert block.keywords.get("any_errors_fatal") is False


@pytest.mark.parametrize("block", GUARDED)
def test_no_call_of_a_rescue_can_end_it(block: Guarded) -> None:
    assert block.may_fail == ()


@pytest.mark.parametrize("role", ROLES)
def test_every_task_that_calls_a_module_is_made_to_fail(role: str) -> None:
    mine = [scenario for scenario in SCENARIOS if scenario.role == role]
    answered = {task for scenario in mine for task in (*scenario.answers, *scenario.in_rescue)}
    assert {task for task in module_tasks(role) if not any(name.startswith(task) for name in answered)} == set()
