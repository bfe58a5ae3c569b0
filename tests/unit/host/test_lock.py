# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says while somebody else holds the host lock. The guest tests check who may hold it."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import HostBusy
from ansible_collections.safepoint.lvm.plugins.module_utils._host import lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Like the program of a rollback timer: flock(1) takes the lock of a descriptor and ends, and the shell holds it.
HOLDER = """
exec 9>>"$1/lock"
flock 9
printf "$2" "(PID $$)" >"$1/lock"
echo locked
read -r _
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "RUN_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(lock, "LOCK_PATH", f"{tmp_path}/lock")
    monkeypatch.setattr(lock, "_check_owner", lambda *_arguments: None)
    return tmp_path


@contextmanager
def held(directory: Path, text: str) -> Iterator[None]:
    """Let a shell hold the lock, with ``text`` in the file; %s is how it names itself."""
    argv = ["sh", "-c", HOLDER, "sh", str(directory), text]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        yield
        shell.communicate(b"\n")


def busy(timeout: int = 0) -> str:
    """The message of a run that does not get the lock."""
    with pytest.raises(HostBusy) as caught, lock.host_lock("me", timeout=timeout):
        pass
    return caught.value.message


def test_the_holder_that_has_written_its_name_is_named(directory: Path) -> None:
    with held(directory, "the rollback timer of s %s"):
        message = busy()
    assert message.startswith("the host is busy: the rollback timer of s (PID ")
    assert message.endswith("Waited 0 s: try again later or raise lock_timeout")


def test_a_holder_that_has_not_is_named_by_its_pid(directory: Path) -> None:
    with held(directory, "somebody else (PID 1)%.0s"):
        assert busy().startswith("the host is busy: PID ")


def test_it_is_useless_to_wait_for_a_rollback_that_has_begun(directory: Path) -> None:
    """The host will reboot. The message is the second line, and comes at once."""
    begun = time.monotonic()
    with held(directory, "the rollback timer of s %s\\nthe host is rolling back\\n"):
        assert busy(timeout=300) == "the host is rolling back"
    assert time.monotonic() - begun < 100


def test_what_an_earlier_holder_expected_means_nothing(directory: Path) -> None:
    with held(directory, "the rollback timer of s (PID 1)\\nthe host is rolling back\\n%.0s"):
        assert busy().startswith("the host is busy: PID ")
    with lock.host_lock("me", timeout=0):
        assert (directory / "lock").read_text().startswith("me (PID ")
