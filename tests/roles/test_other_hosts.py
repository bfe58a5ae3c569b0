# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failure of one host must not run the rescue on another one, whatever any_errors_fatal says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import of_pre_upgrade
import of_rollback
import pytest
from rolefiles import ROLES, guarded_blocks

if TYPE_CHECKING:
    from plays import Controller, Seen
    from scenarios import Scenario

# The rollback without the evidence, which does not matter here.
SCENARIOS = (of_pre_upgrade.FRESH, of_pre_upgrade.WITH_TASKS, replace(of_rollback.WHOLE, variables={}))
# Where any_errors_fatal is set.
SAID_BY: dict[str, tuple[str, dict[str, str]]] = {
    "play": ("any_errors_fatal: true", {}),
    "settings": ("", {"ANSIBLE_ANY_ERRORS_FATAL": "1"}),
}
NEXT = "The next task of the play"
PLAY = """
- hosts: all
  gather_facts: false
  {keyword}
  tasks:
    - ansible.builtin.include_role: {{name: safepoint.lvm.{role}}}
      vars: {{{role}_name: s}}
    - ansible.builtin.debug: {{msg: {next}}}
"""


class Run(NamedTuple):
    """A run, with the tasks of those blocks of the role that have a rescue."""

    scenario: Scenario
    in_blocks: list[str]
    seen: dict[str, Seen]


@pytest.fixture(
    scope="module",
    params=[pytest.param((one, way), id=f"{one.title}, {way}") for one in SCENARIOS for way in SAID_BY],
)
def run(request: pytest.FixtureRequest, controller: Controller) -> Run:
    """One host for each task of such a block, where it fails; one that becomes unreachable there; and a healthy one."""
    scenario, said_by = request.param
    in_blocks = [task for block in guarded_blocks(scenario.role) for task in block.block]
    in_blocks += [task for task in (of_pre_upgrade.STOP, of_pre_upgrade.START) if task in scenario.answers]
    hosts = {f"fails{number}": scenario.answers_with((task,)) for number, task in enumerate(in_blocks)}
    hosts["gone"] = {**scenario.answers_with(()), in_blocks[0]: {"unreachable": True, "msg": "no route to host"}}
    hosts["healthy"] = scenario.answers_with(())
    keyword, settings = SAID_BY[said_by]
    play = PLAY.format(keyword=keyword, role=scenario.role, next=NEXT)
    # The play is not in the directory of the collection's playbooks.
    files = controller.home / "collections/ansible_collections/safepoint/lvm/playbooks"
    variables = {
        name: str(files / value) if str(value).endswith(".yml") else value for name, value in scenario.variables.items()
    }
    seen = controller.run(play, hosts, variables, **settings)
    return Run(scenario, in_blocks, seen)


def test_a_healthy_host_does_not_call_its_rescue(run: Run) -> None:
    tasks = run.seen["healthy"].tasks
    assert not set(run.scenario.in_rescue) & set(tasks)
    assert tasks[-1] == list(run.scenario.answers)[-1]


def test_hosts_that_fail_call_their_own_rescue_once(run: Run) -> None:
    for number, task in enumerate(run.in_blocks):
        seen = run.seen[f"fails{number}"]
        assert seen.after(task) == list(run.scenario.expects((task,)).calls)
        assert seen.last == run.scenario.expects((task,)).last
    assert run.seen["gone"].tasks[-1] == run.in_blocks[0]
    assert run.seen["gone"].last.endswith("no route to host")


def test_no_host_is_changed_when_one_has_no_snapset(run: Run) -> None:
    went_on = NEXT in [one.message for one in run.seen["healthy"].shown]
    # A host that rolls back must finish, and must not stop halfway.
    assert went_on == (run.scenario.role == "rollback")


def test_every_role_that_has_a_rescue_is_tried() -> None:
    assert {scenario.role for scenario in SCENARIOS} == {role for role in ROLES if guarded_blocks(role)}
