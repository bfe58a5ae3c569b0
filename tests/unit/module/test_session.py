# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module ends."""

from __future__ import annotations

import errno
from typing import Any

import modules
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import SafepointError
from ansible_collections.safepoint.lvm.plugins.module_utils._module.changes import ChangeSession
from ansible_collections.safepoint.lvm.plugins.module_utils._module.session import Session, open_session


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


@pytest.mark.parametrize("kind", [Session, ChangeSession])
def test_a_file_that_cannot_be_read_is_an_error_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, kind: type[Session]
) -> None:
    """In every module, also in those that only read."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(modules.Failed) as caught, open_session(modules.module(), kind):
        raise OSError(errno.EIO, "Input/output error", "/etc/fstab")
    assert caught.value.result["msg"] == "/etc/fstab: Input/output error"
