# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the fact of a host for the report of a fleet: run snapset_info, and keep what the report needs.

This is an action plugin, so that what a host sends is checked and made small on the controller, before it is a fact.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase

from ansible_collections.safepoint.lvm.plugins.plugin_utils._python import without_discovered_python
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.host import LOOK_FACT, condense

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS = {"info": {"type": "dict"}}
_DISCOVERED = "discovered_interpreter"

Result = dict[str, Any]


class ActionModule(ActionBase):
    """The action `safepoint.lvm.host_report`, documented in plugins/modules/host_report.py."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        info = given["info"]
        if info is None:
            variables = without_discovered_python(task_vars or {})
            info = self._execute_module(module_name="safepoint.lvm.snapset_info", module_args={}, task_vars=variables)
        if info.get("failed") or info.get("unreachable") or info.get("skipped"):
            return _not_looked(info)
        return {"changed": False, "ansible_facts": {**_interpreter(info), LOOK_FACT: condense(info, int(time.time()))}}


def _not_looked(info: Mapping[str, Any]) -> Result:
    """Return the failure of the module, without what else a host may have sent."""
    kept = {name: info[name] for name in ("unreachable", "exception", "module_stderr") if info.get(name)}
    return {**kept, "failed": True, "changed": False, "msg": info.get("msg") or "snapset_info returned no result"}


def _interpreter(info: Mapping[str, Any]) -> Result:
    """Return the Python that Ansible has discovered, so that it need not be discovered again."""
    facts = info.get("ansible_facts")
    return {name: facts[name] for name in facts if name.startswith(_DISCOVERED)} if isinstance(facts, dict) else {}
