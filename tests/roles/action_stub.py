# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for any module: writes its call down and gives the answer that the test has prepared for the task.

It is an action plugin, so that Ansible runs it on the controller instead of the module.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The action."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the answer: the same each time, or of a list the next, the last again and again."""
        del tmp
        folder, host = Path(os.environ["SAFEPOINT_STUBS"]), task_vars["inventory_hostname"]
        answers = json.loads((folder / f"{host}.answers").read_text())
        earlier = _write_down(folder / f"{host}.calls", self._task)
        # A task that the test does not know must not pass by chance.
        answer = answers.get(self._task.name, {"failed": True, "msg": f"no answer for the task {self._task.name!r}"})
        if isinstance(answer, list):
            answer = answer[min(earlier, len(answer) - 1)]
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(answer["msg"])
        result: dict[str, Any] = answer
        return result


def _write_down(path: Path, task: Any) -> int:
    """Append the call; return how many calls of the same task came before it."""
    lines = path.read_text().splitlines() if path.exists() else []
    call = {
        "task": task.name,
        "action": task.action,
        "arguments": task.args,
        "check": bool(task.check_mode),
        "delegate_to": task.delegate_to,
    }
    with path.open("a") as file:
        file.write(json.dumps(call) + "\n")
    return [json.loads(line)["task"] for line in lines].count(task.name)
