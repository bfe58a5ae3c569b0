# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many files of the collection Ansible sends to a host for each module, at every call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils import _model

# If a number grows, give the reason in the commit.
FILES = {
    "boot_backup": 71,
    "boot_entry": 65,
    "health": 23,
    "initramfs_hook": 51,
    "rollback_timer": 85,
    "snapset": 77,
    "snapset_info": 39,
    "snapshot": 66,
}
# Only needed to change something: snapset_info must not send these.
ONLY_WRITES = ("_lvm/modify.py", "_lvm/supervisor.py", "_host/lock.py", "_host/files.py", "_module/apply.py", "/plan/")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Any:
    plugins = Path(_model.__file__).parents[1]
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(plugins.parents[3]),
        "ANSIBLE_HOME": str(tmp_path_factory.mktemp("ansible")),
    }
    program = [sys.executable, str(Path(__file__).with_name("shipped.py")), str(plugins / "modules")]
    return json.loads(subprocess.run(program, env=env, stdout=subprocess.PIPE, check=True, timeout=300).stdout)


def test_how_many_files_are_sent(shipped: Any) -> None:
    assert {module: len(sent["files"]) for module, sent in shipped.items()} == FILES


def test_snapset_info_sends_nothing_that_only_writes(shipped: Any) -> None:
    sent = shipped["snapset_info"]["files"]
    assert [name for name in sent if any(part in name for part in ONLY_WRITES)] == []
