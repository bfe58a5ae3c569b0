# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replaces any module: records the call and returns the answer that the test has prepared for the task.

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
    """The action plugin."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the answer; from a list the next one each time, and the last one again after that."""
        del tmp
        folder, host = Path(os.environ["SAFEPOINT_STUBS"]), task_vars["inventory_hostname"]
        answers = json.loads((folder / f"{host}.answers").read_text())
        earlier = _write_down(folder / f"{host}.calls", self._task)
        with (folder / "order").open("a") as file:
            file.write(json.dumps([host, self._task.name]) + "\n")
        # A task that the test does not know must not pass by accident.
        answer = answers.get(self._task.name, {"failed": True, "msg": f"no answer for the task {self._task.name!r}"})
        if isinstance(answer, list):
            answer = answer[min(earlier, len(answer) - 1)]
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(answer["msg"])
        result: dict[str, Any] = answer
        return result


def _write_down(path: Path, task: Any) -> int:
    """Append the call; return how many earlier calls of the same task there were."""
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
