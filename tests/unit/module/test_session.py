# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import modules

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import SafepointError
from ansible_collections.safepoint.lvm.plugins.module_utils._module.session import Session, open_session

if TYPE_CHECKING:
    import pytest


def test_what_is_no_text_is_told_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible lets a task fail whose result it cannot encode, when all is done; a warning it cannot even log."""
    told: list[dict[str, Any]] = []
    module = modules.module()
    for name in ("exit_json", "fail_json"):
        monkeypatch.setattr(module, name, lambda **result: told.append(result), raising=False)
    monkeypatch.setattr(module, "warn", lambda text: told.append({"warning": text}), raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with open_session(module, Session) as session:
        session.warn("dev/\udcff")
        session.end(changed=True, members=({"mountpoints": ["/ä/\udcff"], "size": 1},))
    with open_session(module, Session):
        raise SafepointError("dev/\udcff", stderr="\udcff")
    ended = {"changed": True, "members": [{"mountpoints": [r"/ä/\xff"], "size": 1}]}
    failed = {"changed": False, "commands": [], "reads": 0, "msg": r"dev/\xff", "stderr": r"\xff"}
    assert told == [{"warning": r"dev/\xff"}, ended, failed]
