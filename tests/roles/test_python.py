# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python that Ansible discovered on a host may be gone after a rollback; rollback_wait discovers it again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from plays import Controller

GONE = "/gone/python3.99"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {discovered_interpreter_python: /gone/python3.99, of_the_user: kept, cacheable: true}
    - name: A module before
      ansible.builtin.ping:
      ignore_errors: true
    - name: Wait
      safepoint.lvm.rollback_wait: {name: s, reboot: true}
    - name: A module after
      ansible.builtin.ping:
    - ansible.builtin.debug:
        msg: "{{ ansible_facts.discovered_interpreter_python }} {{ ansible_facts.of_the_user }}"
"""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(tmp_path_factory.mktemp("waiting"), real=["rollback_wait"])


def said(controller: Controller, **variables: Any) -> dict[str, str]:
    """The messages, by task, of a play that waits for a host with an outdated fact."""
    reached = {"ansible_connection": "far", "ansible_interpreter_python_fallback": [sys.executable]}
    seen = controller.run(
        PLAY,
        {"host": {"Wait": {"rebooted": True}}},
        {**reached, **variables},
        ANSIBLE_CONNECTION_PLUGINS=str(Path(__file__).with_name("connections")),
    )
    assert [call.action for call in seen["host"].calls] == ["safepoint.stub.reboot"]
    return {one.task: one.message for one in seen["host"].shown}


def test_an_interpreter_that_is_gone_is_forgotten_and_other_facts_are_kept(waiting: Controller) -> None:
    messages = said(waiting)
    assert "interpreter" in messages.pop("A module before")
    ((_task, message),) = messages.items()
    interpreter, kept = message.split()
    assert Path(interpreter).exists()
    assert kept == "kept"


def test_an_interpreter_that_the_user_has_set_is_used(waiting: Controller) -> None:
    messages = said(waiting, ansible_python_interpreter=sys.executable)
    assert list(messages.values()) == [f"{GONE} kept"]
