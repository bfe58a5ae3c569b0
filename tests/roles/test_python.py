# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python that Ansible discovered on a host may be gone after a rollback; it is then discovered again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import of_pre_upgrade
import of_rollback
import pytest
from plays import Controller
from scenarios import CHANGED

if TYPE_CHECKING:
    from plays import Seen

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


# What an earlier play has left in the fact cache, and what is in it now.
EARLIER = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {discovered_interpreter_python: /gone/python3.99, of_the_user: kept, cacheable: true}
    - ansible.builtin.debug: {msg: ""}
"""
LATER = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ ansible_facts.discovered_interpreter_python }} {{ ansible_facts.of_the_user }}"
"""
_ENDED: dict[str, Any] = of_rollback.WHOLE.answers[of_rollback.WAIT]
ANSWERS = {
    "Check whether the rollback is possible": _ENDED,
    of_rollback.WAIT: _ENDED,
    of_pre_upgrade.PREPARE: CHANGED,
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A controller with the real action plugins of the modules with which roles and playbooks begin."""
    return Controller(tmp_path_factory.mktemp("first"), real=["snapset", "snapset_info"])


def after_an_earlier_play(controller: Controller, cache: Path, playbook: str, **variables: Any) -> list[Seen]:
    """Run a playbook on a host whose Python, according to the fact cache, is gone; then look into the cache."""
    settings = {
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache),
        "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).with_name("connections")),
    }
    reached = {"ansible_connection": "far", "ansible_interpreter_python_fallback": [sys.executable], "snapset": "s"}
    plays = (EARLIER, f"safepoint.lvm.{playbook}", LATER)
    return [controller.run(one, {"host": ANSWERS}, {**reached, **variables}, **settings)["host"] for one in plays]


@pytest.mark.parametrize("playbook", ["pre_upgrade", "rollback", "commit", "status"])
def test_a_python_of_an_earlier_play_is_not_believed(first: Controller, playbook: str, tmp_path: Path) -> None:
    _earlier, seen, later = after_an_earlier_play(first, tmp_path, playbook)
    assert seen.last == ""
    interpreter, kept = later.shown[-1].message.split()
    assert Path(interpreter).exists()
    assert kept == "kept"


def test_an_interpreter_of_the_user_is_used_whatever_was_discovered(first: Controller, tmp_path: Path) -> None:
    _earlier, seen, later = after_an_earlier_play(first, tmp_path, "status", ansible_python_interpreter=sys.executable)
    assert seen.last == ""
    assert later.shown[-1].message == f"{GONE} kept"
    _earlier, seen, _later = after_an_earlier_play(first, tmp_path, "status", ansible_python_interpreter=GONE)
    assert "interpreter" in seen.last
