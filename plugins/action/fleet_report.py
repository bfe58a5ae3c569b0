# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the report of a fleet on the controller, from the facts of its hosts. No host is contacted.

The facts are read as they are, not through templates: what a host has sent must never be evaluated, and templates over
the variables of 2,000 hosts would take minutes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.data import document
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.files import CannotWriteError, write_files
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import FAIL_ON, Visit, make_fleet
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.host import LOOK_FACT, OUTCOME_FACT
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.page import page
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.summary import lines
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import Fleet

FORMATS = {"html": page, "json": document, "csv": table}
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
    "mode": {"type": "raw", "default": "0600"},
    "title": {"type": "str", "default": "Safe points of the fleet"},
    "looked": {"type": "str"},
    "fail_on": {"type": "list", "elements": "str", "choices": list(FAIL_ON), "default": ["not_looked"]},
}
_NAME = "safepoint-report"
_OWNER, _MODES = 0o600, 0o777

Result = dict[str, Any]


class ActionModule(ActionBase):
    """The action `safepoint.lvm.fleet_report`, documented in plugins/modules/fleet_report.py."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(ARGUMENTS)
        mode = _parsed_mode(given["mode"])
        if mode is None:
            return _failure(f'mode is {given["mode"]}: use octal digits in quotes, with 6 or 7 first, such as "0640"')
        visits = _visits(task_vars["hostvars"], given["hosts"], given["looked"])
        fleet = make_fleet(given["title"], visits, int(time.time()))
        # Not `absolute` of the loader: for a playbook of a collection that is the directory of the collection.
        directory = Path(given["directory"]).absolute()
        texts = {f"{_NAME}.{name}": FORMATS[name](fleet) for name in given["formats"]}
        if not self._task.check_mode:
            try:
                write_files(directory, texts, mode)
            except CannotWriteError as error:
                return _failure(str(error))
        return _result(fleet, {name: str(directory / f"{_NAME}.{name}") for name in given["formats"]}, given["fail_on"])


def _failure(message: str) -> Result:
    return {"failed": True, "changed": False, "msg": message}


def _parsed_mode(value: Any) -> int | None:
    """Return a mode given as text. The owner must be able to read and write.

    YAML makes 416 of 0640 without quotes, and templates before ansible-core 2.19 make a text of that. The demand for
    the owner finds these.
    """
    digits = value if isinstance(value, str) and len(value) in (3, 4) else ""
    try:
        mode = int(digits, 8)
    except ValueError:
        return None
    return mode if mode & _OWNER == _OWNER and mode <= _MODES else None


def _visits(hostvars: Any, hosts: list[str], looked: str | None) -> Iterator[Visit]:
    """Yield what is known of each host. The variables of a host are not templated."""
    for name in dict.fromkeys(hosts):
        variables = hostvars.raw_get(name) if name in hostvars else {}
        facts = variables.get("ansible_facts") or {}
        result = variables.get(looked) if looked else None
        yield Visit(name, facts.get(LOOK_FACT), facts.get(OUTCOME_FACT), result)


def _result(fleet: Fleet, files: Mapping[str, str], fail_on: list[str]) -> Result:
    return {
        "changed": True,
        "files": dict(files),
        "hosts": len(fleet.rows),
        "outcomes": fleet.outcomes(),
        "levels": fleet.levels(),
        "lines": lines(fleet, files.values()),
        "not_as_wanted": fleet.not_as_wanted(fail_on),
    }
