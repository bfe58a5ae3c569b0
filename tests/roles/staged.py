# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of the collection in which every module is a stub.

A module of the collection is replaced by an action plugin of the same name. `ansible.builtin` cannot be replaced, so
the copy calls `safepoint.stub` wherever the roles call a builtin module. Nothing else of a role or playbook is changed,
and line numbers stay the same.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from rolefiles import CONTROL, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STUB = Path(__file__).with_name("action_stub.py")
_PLUGINS = ROOT / "plugins"
# The modules that the action plugins of the collection call, with every answer that a role may need.
_SNAPSET = """
    from ansible.module_utils.basic import AnsibleModule

    names = ("name", "state", "accept_loss_of", "min_headroom", "lock_timeout", "mountpoints", "volumes", "system")
    more = ("exclude", "ignore_uncovered", "size", "reserve", "pool_reserve", "max_age", "id", "package_timeout")
    module = AnsibleModule(argument_spec={name: {"type": "raw"} for name in names + more}, supports_check_mode=True)
    snapset = {"name": "s", "id": "0", "state": "rolled_back", "rolled_back_at": "then", "age": 1, "members": []}
    lists = ("boot_backups", "boot_entries", "rollback_timers", "foreign", "unmanaged_snapshots", "copies", "coverage")
    lists += ("planned", "boot_to_save", "boot_ignored", "not_rolled_back", "volume_groups", "thin_pools")
    answer = {name: [] for name in lists}
    answer.update(snapset=snapset, snapsets=[snapset], reboot_required=False, poll_after=None, booted_from=None)
    module.exit_json(changed=False, **answer)
"""
_INFO = """
    import json
    import os
    from pathlib import Path

    from ansible.module_utils.basic import AnsibleModule

    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    path = Path(os.environ["SAFEPOINT_STUBS"], os.environ["SAFEPOINT_HOST"] + ".answers")
    answer = json.loads(path.read_text())["Look at the host"]
    module.fail_json(**answer) if answer.get("failed") else module.exit_json(**answer)
"""
_ACTION = re.compile(r"^( *(?:- )?)(ansible\.builtin\.(\w+)):", re.MULTILINE)


def stage(base: Path, real: Sequence[str] = ()) -> None:
    """Make the copy below `base`, for ANSIBLE_COLLECTIONS_PATH; action plugins in `real` are not stubbed."""
    collections = base / "ansible_collections" / "safepoint"
    home = collections / "lvm"
    for name in ("meta", "playbooks", "roles"):
        shutil.copytree(ROOT / name, home / name)
    builtins: set[str] = set()
    for file in home.rglob("*.yml"):
        text = file.read_text(encoding="utf-8")
        builtins |= {match[3] for match in _ACTION.finditer(text) if match[2] not in CONTROL}
        file.write_text(_ACTION.sub(_stubbed, text), encoding="utf-8")
    _write_stubs(home, {path.stem for path in (_PLUGINS / "modules").glob("*.py")} - set(real))
    if real:
        _copy_real(home, real)
        builtins.add("reboot")
    _write_stubs(collections / "stub", builtins)


def _copy_real(home: Path, names: Iterable[str]) -> None:
    """The real action plugins, but with modules that only return an answer, and without a reboot."""
    shutil.copytree(_PLUGINS / "plugin_utils", home / "plugins" / "plugin_utils")
    for name in names:
        text = (_PLUGINS / "action" / f"{name}.py").read_text(encoding="utf-8")
        (home / "plugins" / "action" / f"{name}.py").write_text(
            text.replace("ansible.builtin.reboot", "safepoint.stub.reboot")
        )
    (home / "plugins" / "modules").mkdir()
    modules = {"snapset": _SNAPSET, "snapset_info": _INFO if "host_report" in names else _SNAPSET}
    for name, text in modules.items():
        (home / "plugins" / "modules" / f"{name}.py").write_text(textwrap.dedent(text))


def _stubbed(match: re.Match[str]) -> str:
    return match[0] if match[2] in CONTROL else f"{match[1]}safepoint.stub.{match[3]}:"


def _write_stubs(home: Path, names: Iterable[str]) -> None:
    folder = home / "plugins" / "action"
    folder.mkdir(parents=True)
    for name in names:
        shutil.copyfile(_STUB, folder / f"{name}.py")
