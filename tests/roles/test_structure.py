# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the YAML files of the roles, and that the tests know every task in them."""

from __future__ import annotations

import pytest
import yaml
from rolefiles import ROLES, ROOT, Guarded, guarded_blocks, module_tasks, task_files
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


def test_the_tasks_that_a_rescue_asks_for_exist() -> None:
    variables = yaml.safe_load((ROOT / "roles/pre_upgrade/vars/main.yml").read_text())
    own = [task for block in guarded_blocks("pre_upgrade") for task in block.block]
    assert variables["_pre_upgrade_own_tasks"] == own


@pytest.mark.parametrize("role", ROLES)
def test_no_role_includes_tasks_of_its_own(role: str) -> None:
    """An include is an extra result, and hides its tasks from --list-tasks."""
    included = [line for file in task_files(role) for line in file.read_text().splitlines() if "include_" in line]
    of_the_user = [
        f'ansible.builtin.include_tasks: "{{{{ _pre_upgrade_{when}_file }}}}"' for when in ("before", "after")
    ]
    assert [line.strip() for line in included] == (of_the_user if role == "pre_upgrade" else [])


@pytest.mark.parametrize("role", ROLES)
def test_every_task_that_calls_a_module_is_made_to_fail(role: str) -> None:
    mine = [scenario for scenario in SCENARIOS if scenario.role == role]
    answered = {task for scenario in mine for task in (*scenario.answers, *scenario.in_rescue)}
    assert {task for task in module_tasks(role) if not any(name.startswith(task) for name in answered)} == set()


@pytest.mark.parametrize("role", ROLES)
def test_no_task_runs_on_the_controller(role: str) -> None:
    """With -e, the interpreter and become of the hosts would hold for the controller too."""
    texts = [file.read_text() for file in task_files(role)]
    assert [word for word in ("delegate_to", "local_action", "connection:") if word in "".join(texts)] == []
