# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of the collection in which every module is a stub.

Those of the collection by an action plugin of the same name, which is how a collection takes a module's place. Nothing
may take the place of `ansible.builtin`, so the copy calls `safepoint.stub` wherever the roles call a builtin module;
nothing else of a role or playbook is changed, and lines keep their numbers.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rolefiles import CONTROL, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

_STUB = Path(__file__).with_name("action_stub.py")
_ACTION = re.compile(r"^( *(?:- )?)(ansible\.builtin\.(\w+)):", re.MULTILINE)


def stage(base: Path) -> None:
    """Make the copy below `base`, a directory for ANSIBLE_COLLECTIONS_PATH."""
    collections = base / "ansible_collections" / "safepoint"
    home = collections / "lvm"
    for name in ("meta", "playbooks", "roles"):
        shutil.copytree(ROOT / name, home / name)
    builtins: set[str] = set()
    for file in home.rglob("*.yml"):
        text = file.read_text(encoding="utf-8")
        builtins |= {match[3] for match in _ACTION.finditer(text) if match[2] not in CONTROL}
        file.write_text(_ACTION.sub(_stubbed, text), encoding="utf-8")
    _write_stubs(home, (path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")))
    _write_stubs(collections / "stub", builtins)


def _stubbed(match: re.Match[str]) -> str:
    return match[0] if match[2] in CONTROL else f"{match[1]}safepoint.stub.{match[3]}:"


def _write_stubs(home: Path, names: Iterable[str]) -> None:
    folder = home / "plugins" / "action"
    folder.mkdir(parents=True)
    for name in names:
        shutil.copyfile(_STUB, folder / f"{name}.py")
