# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the result of a comparison as JUnit XML on the controller.

This is an action plugin because it needs neither a connection nor become: a module that is delegated to localhost would
inherit become from the play, and ask for a password there.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible.plugins.action import ActionBase

from ansible_collections.safepoint.lvm.plugins.plugin_utils._junit import junit

ARGUMENTS = {
    "result": {"type": "dict", "required": True},
    "directory": {"type": "path", "required": True},
}
# File systems take no longer name.
_LONGEST_NAME = 200

Result = dict[str, Any]


class ActionModule(ActionBase):
    """The action `safepoint.lvm.health_junit`, documented in plugins/modules/health_junit.py."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        host = str((task_vars or {}).get("inventory_hostname", "host"))
        path = Path(given["directory"]).absolute() / file_name(host)
        try:
            text = _xml(host, given["result"])
            changed = not path.is_file() or path.read_bytes() != text
            if changed and not self._task.check_mode:
                _write(path, text)
        except (KeyError, TypeError, AttributeError) as error:
            problem = f"result is not that of a comparison by safepoint.lvm.health: {error!r}"
            return {"failed": True, "changed": False, "msg": problem}
        except OSError as error:
            return {"failed": True, "changed": False, "msg": f"cannot write {path}: {error.strerror}"}
        return {"changed": changed, "path": str(path)}


def file_name(host: str) -> str:
    """The name of the file for a host. Other characters than letters, digits and `_.-~` are written as %NN."""
    return f"{quote(host, safe='', errors='surrogatepass')[:_LONGEST_NAME]}.xml"


def _xml(host: str, result: Result) -> bytes:
    checks = result["checks"]
    shown = {one["check"] for one in checks}
    other = [
        f"{one['check']} {one['key']}: was {one['before']}, is {one['now']}"
        for one in result["differences"]
        if one["check"] not in shown and one["verdict"] == "failure"
    ]
    return junit(host, f"safepoint.lvm health {result['health']['name']}", checks, other)


def _write(path: Path, text: bytes) -> None:
    """Replace a file at once. It is readable only for its owner: it describes a host. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, new = tempfile.mkstemp(prefix=".health-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        Path(new).replace(path)
    except OSError:
        Path(new).unlink(missing_ok=True)
        raise
