# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a compromised host sends stays data on the controller: no template, lookup or shell evaluates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import of_commit
import of_pre_upgrade
import of_rollback
import pytest
from rolefiles import guarded_blocks
from scenarios import backup, info, snapset

if TYPE_CHECKING:
    from pathlib import Path

    from plays import Answers, Controller, Seen
    from scenarios import Scenario

# Words by which a role decides. A host can choose among them; all other text is replaced.
DECIDES = frozenset(
    (
        *("s", "active", "rolled_back", "merge_pending", "merging", "present", "restored", "armed", "fired"),
        *("create", "seal", "extend", "create_backup", "thick", "thin", "estimate"),
    )
)
HOSTILE = """\
{{ lookup('ansible.builtin.pipe', 'touch MARK') }}
{% for x in lookup('ansible.builtin.pipe', 'touch MARK') %}{% endfor %}
!unsafe $(touch MARK) `touch MARK` '$(touch MARK)' "; touch MARK; '; touch MARK; # {# %}}} \x1b[2J\x07\x00\r ../../ """
SCENARIOS = (
    of_pre_upgrade.FRESH,
    of_pre_upgrade.LEFT_OUT,
    of_rollback.WHOLE,
    of_rollback.UNUSED,
    of_commit.ROLLED_BACK,
)
STATUS = {
    **info(
        snapset("active", rolled_back_at="then"),
        boot_backups=[backup(size=1)],
        boot_entries=[{"name": "s", "kernel": "6.1", "next_boot": True}],
        rollback_timers=[
            {
                "name": "s",
                "state": "armed",
                "phase": "p",
                "reason": "r",
                "running": False,
                "fired_at": "",
                "deadline": "d",
            }
        ],
        foreign=[{"name": "s", "id": "i", "host": "h", "vgs": ["v"], "volumes": []}],
    ),
    "booted_from": {"name": "n", "id": "i"},
    "host_id": "h",
    "unmanaged_snapshots": [
        {"vg": "v", "snapshot": "n", "origin": "o", "kind": "thick", "state": "active", "used_percent": 1.0}
    ],
    "copies": [{"vg": "v", "original": "o", "snapsets": ["s"]}],
    "coverage": [{"mountpoint": "/x", "reason": "r", "vg": "v", "lv": "l", "snapsets": []}],
    "volume_groups": [{"name": "v", "free": 1, "size": 2, "partial": True}],
    "thin_pools": [{"vg": "v", "pool": "p", "data_percent": 1.0, "metadata_percent": 1.0}],
}
STATUS["snapsets"][0]["members"][0].update(used_percent=1.0, merge_percent=None, auto_basis="estimate")


def hostile(answer: Any, mark: Path) -> Any:
    """The answer with hostile text in all its strings, except those by which roles decide."""
    if isinstance(answer, dict):
        return {key: hostile(value, mark) for key, value in answer.items()}
    if isinstance(answer, list):
        return [hostile(one, mark) for one in answer]
    if not isinstance(answer, str) or answer in DECIDES:
        return answer
    return HOSTILE.replace("MARK", str(mark)) + answer


def from_hostile_host(answers: Answers, mark: Path) -> Answers:
    """All answers of such a host. It also sends facts, among them variables of the roles."""
    facts = {"rollback_name": "x", "discovered_interpreter_python": "x", "ansible_connection": "x", "fact": "x"}
    return {task: {**hostile(one, mark), "ansible_facts": hostile(facts, mark)} for task, one in answers.items()}


def run(playbook: str, answers: list[Answers], mark: Path, controller: Controller, **variables: Any) -> list[Seen]:
    """Run the playbook on hosts with these answers; nothing may be evaluated."""
    hosts = {f"host{number}": one for number, one in enumerate(answers)}
    seen = controller.run(f"safepoint.lvm.{playbook}", hosts, {"confirm_hosts": len(hosts), **variables})
    assert not mark.exists()
    return list(seen.values())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.title)
def test_what_a_host_answers_stays_data(scenario: Scenario, controller: Controller, tmp_path: Path) -> None:
    mark, place = tmp_path / "mark", tmp_path / "evidence"
    blocks = guarded_blocks(scenario.role)
    in_blocks = [task for one in blocks for task in one.block if task in scenario.answers]
    plain = [scenario.answers_with(faults) for faults in ((), *((task,) for task in in_blocks))]
    answers = [*plain, *(from_hostile_host(one, mark) for one in plain)]
    variables = {**scenario.variables, "snapset": "s", "rollback_fetch_dest": str(place)}
    seen = run(scenario.role, answers, mark, controller, **variables)
    for honest, other in zip(seen, seen[len(plain) :]):
        assert other.tasks == honest.tasks
    shown = "".join(one.message for other in seen[len(plain) :] for one in other.shown)
    assert "{{ lookup('ansible.builtin.pipe'" in shown
    assert [path for path in tmp_path.rglob("*") if path.parent not in (tmp_path, place)] == []


@pytest.mark.parametrize("variables", [{}, {"snapset": "s"}, {"snapset": "none"}], ids=str)
def test_the_status_of_a_host_stays_data(variables: dict[str, Any], controller: Controller, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (seen,) = run("status", [from_hostile_host({of_commit.LOOK: STATUS}, mark)], mark, controller, **variables)
    assert seen.tasks == [of_commit.LOOK]
    assert ("none" in seen.last) is ("none" in variables.values())
    if "none" not in variables.values():
        assert "{{ lookup('ansible.builtin.pipe'" in seen.shown[-1].message
