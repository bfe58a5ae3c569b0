# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many results the roles have, and how many modules they run on a host: each is a round trip per host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import of_commit
import of_health
import of_pre_upgrade
import of_rollback
import pytest

if TYPE_CHECKING:
    from plays import Controller, Seen
    from scenarios import Scenario

# The maximum of results that are not skipped, including the validation of the arguments. If you raise a number, give
# the reason in the commit.
RESULTS = [
    (of_pre_upgrade.UNDISTURBED, 7),
    (of_pre_upgrade.DONE, 7),
    # One more for the warning that /efi is not saved.
    (of_pre_upgrade.LEFT_OUT, 8),
    (of_rollback.UNUSED, 8),
    (of_commit.UNDISTURBED, 5),
    (of_health.RECORDED, 3),
    (of_health.COMPARED, 4),
]
# Ansible runs this task before the tasks of a role with an argument spec.
VALIDATION = "Validating arguments against arg spec 'main'"


def run(scenario: Scenario, controller: Controller) -> Seen:
    hosts = {"one": scenario.answers_with(())}
    return controller.run(f"safepoint.lvm.{scenario.role}", hosts, {"snapset": "s", **scenario.variables})["one"]


@pytest.mark.parametrize(("scenario", "most"), RESULTS, ids=[scenario.title for scenario, _most in RESULTS])
def test_a_role_has_few_results(scenario: Scenario, most: int, controller: Controller) -> None:
    seen = run(scenario, controller)
    tasks = [task for role, task in seen.results if role == scenario.role]
    assert tasks[0].startswith(VALIDATION)
    assert set(seen.tasks) <= set(tasks)
    assert seen.last == ""
    assert len(tasks) <= most, tasks


def test_pre_upgrade_runs_few_modules_where_all_is_done(controller: Controller) -> None:
    seen = run(of_pre_upgrade.DONE, controller)
    assert len(seen.calls) <= 5, seen.tasks


def test_results_of_all_kinds_are_counted(controller: Controller) -> None:
    """Otherwise the limits would check nothing."""
    play = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: safepoint.lvm.commit}
      vars: {commit_name: s}
    - ansible.builtin.debug: {msg: skipped}
      when: false
    - ansible.builtin.fail: {msg: counted}
      ignore_errors: true
"""
    seen = controller.run(play, {"one": of_commit.UNDISTURBED.answers}, {})["one"]
    assert [role for role, _task in seen.results] == ["", *["commit"] * 5, ""]
