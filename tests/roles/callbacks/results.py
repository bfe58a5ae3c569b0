# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records each result that is not skipped, with the role of its task; an executed include is one too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task succeeded."""
        self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """A task failed."""
        del ignore_errors
        self._note(result)

    def _note(self, result: Any) -> None:
        # Without underscores since ansible-core 2.19.
        host, task = (getattr(result, name, None) or getattr(result, f"_{name}") for name in ("host", "task"))
        role = task._role.get_name().rpartition(".")[2] if task._role else ""
        with Path(os.environ["SAFEPOINT_STUBS"], f"{host.get_name()}.results").open("a") as file:
            file.write(json.dumps([role, task.name]) + "\n")
