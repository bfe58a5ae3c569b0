# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forget which Python Ansible has discovered on a host. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.plugins.action.normal import ActionModule as NormalAction

if TYPE_CHECKING:
    from collections.abc import Mapping


def without_discovered_python(task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a task without the Python that was discovered on the host.

    It may have come with the change and be gone since a rollback. Ansible keeps it for the play, and with a fact cache
    for every later play. Without it, Ansible discovers Python again, unless the user has set
    ``ansible_python_interpreter``. The new one is in the ``ansible_facts`` of the result, so that the next tasks of the
    play use it.
    """
    facts = task_vars.get("ansible_facts") or {}
    kept = {name: value for name, value in facts.items() if not name.startswith("discovered_interpreter")}
    return {**task_vars, "ansible_facts": kept}


class FirstAction(NormalAction):
    """Runs the module of the task like Ansible does, but with a Python that is discovered now.

    For modules with which a role or a playbook begins: the host may have rolled back since the last play.
    """

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Run the task."""
        result: dict[str, Any] = super().run(tmp, without_discovered_python(task_vars or {}))
        return result
