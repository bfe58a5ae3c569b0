# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python that Ansible has found on a host may be gone after a rollback; the role looks for one again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rolefiles import task_files

if TYPE_CHECKING:
    from plays import Controller

TASK = "Look for Python again, which may have gone with the change"
GONE = "/gone/python3.99"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {discovered_interpreter_python: /gone/python3.99, of_the_user: kept, cacheable: true}
    - name: A module before
      ansible.builtin.ping:
      ignore_errors: true
"""
AFTER: list[dict[str, Any]] = [
    {"name": "A module after", "ansible.builtin.ping": None},
    {
        "ansible.builtin.debug": {
            "msg": "{{ ansible_facts.discovered_interpreter_python }} {{ ansible_facts.of_the_user }}"
        }
    },
]


def said(controller: Controller, **variables: Any) -> dict[str, str]:
    """What a play says that comes to the task of the role with a fact that is no longer true, by task."""
    (task,) = [
        task for file in task_files("rollback") for task in yaml.safe_load(file.read_text()) if task["name"] == TASK
    ]
    (play,) = yaml.safe_load(PLAY)
    play["tasks"] += [task, *AFTER]
    rolled_back = {"_rollback_request": {"reboot_required": True}, "rollback_reboot": True}
    reached = {"ansible_connection": "far", "ansible_interpreter_python_fallback": [sys.executable]}
    seen = controller.run(
        yaml.safe_dump([play]) + "\n",
        {"host": {}},
        {**rolled_back, **reached, **variables},
        ANSIBLE_CONNECTION_PLUGINS=str(Path(__file__).with_name("connections")),
    )
    return {one.task: one.message for one in seen["host"].shown}


def test_an_interpreter_that_is_gone_is_forgotten_and_other_facts_are_kept(controller: Controller) -> None:
    messages = said(controller)
    assert "interpreter" in messages.pop("A module before")
    ((_task, message),) = messages.items()
    interpreter, kept = message.split()
    assert Path(interpreter).exists()
    assert kept == "kept"


def test_an_interpreter_that_the_user_has_set_is_used(controller: Controller) -> None:
    messages = said(controller, ansible_python_interpreter=sys.executable)
    assert list(messages.values()) == [f"{GONE} kept"]
