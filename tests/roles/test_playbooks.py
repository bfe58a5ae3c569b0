# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbooks and roles refuse before any module is called, and uses of a role that follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import of_pre_upgrade
import pytest
from scenarios import ID, info, reason, snapset

if TYPE_CHECKING:
    from plays import Controller

USE = """
    - block:
        - ansible.builtin.include_role: {name: safepoint.lvm.pre_upgrade}
          vars: {pre_upgrade_name: s}
      rescue:
        - name: The reason
          ansible.builtin.debug: {msg: "{{ ansible_failed_result.msg }}"}
"""
TWICE = f"""
- hosts: all
  gather_facts: false
  tasks:{USE}{USE}
"""
HOSTS: dict[str, dict[str, Any]] = {"one": {}, "two": {}}


@pytest.mark.parametrize(
    ("playbook", "variables", "says"),
    [
        ("pre_upgrade", {}, "which name shall the safe point have? Say it with -e snapset=NAME"),
        ("commit", {"snapset": ""}, "which safe point? Say it with -e snapset=NAME"),
        ("rollback", {"snapset": "s"}, "This would roll back 2 hosts: one, two."),
        ("rollback", {"snapset": "s", "confirm_hosts": 2, "rollback_timeout": -1}, "rollback_timeout (-1)"),
    ],
)
def test_nothing_is_called_when_it_is_not_clear_what_is_meant(
    playbook: str, variables: dict[str, Any], says: str, controller: Controller
) -> None:
    seen = controller.run(f"safepoint.lvm.{playbook}", HOSTS, variables)
    assert [one.calls for one in seen.values()] == [[], []]
    assert says in seen["one"].last


def test_a_safe_point_is_refused_of_a_host_that_shows_another_or_has_an_old_one(controller: Controller) -> None:
    hosts = {
        "shows": {of_pre_upgrade.LOOK: info(booted_from={"name": "other", "id": ID})},
        "old": {of_pre_upgrade.LOOK: info({**snapset("active"), "age": 90000})},
    }
    seen = controller.run("safepoint.lvm.pre_upgrade", hosts, {"snapset": "s"})
    assert [one.tasks for one in seen.values()] == [[of_pre_upgrade.LOOK]] * 2
    assert "was booted from the safe point other (boot_entry)" in seen["shows"].last
    assert "It is 25 h 0 min old, more than pre_upgrade_max_age (24h) allows" in seen["old"].last


def test_what_an_earlier_use_of_the_role_has_found_counts_no_more(controller: Controller) -> None:
    """The first is not armed, so it is removed; the second has no backup, so there is nothing to be removed."""
    save, arm = of_pre_upgrade.SAVE, of_pre_upgrade.ARM
    answers = of_pre_upgrade.FRESH.answers_with((save, arm))
    answers[save] = [of_pre_upgrade.FRESH.answers[save], answers[save]]
    seen = controller.run(TWICE, {"one": answers}, of_pre_upgrade.FRESH.variables)["one"]
    assert [one.message for one in seen.shown if one.task == "The reason"] == [reason(arm), reason(save)]
    assert [call.text for call in seen.calls].count("snapset s absent") == 1
    assert seen.tasks[-1] == save


def test_the_status_names_what_there_is(controller: Controller) -> None:
    host = {"one": {"Look at the host": info(snapset("active"))}}
    seen = controller.run("safepoint.lvm.status", host, {"snapset": "none"})["one"]
    assert seen.last == "there is no snapset none on one; these exist: s"
