# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host lock, a hostile environment, and the journal."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import storage
from calls import absent, call, merged, ok, present, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = Path("/run/safepoint.lvm/lock")


@contextmanager
def held() -> Iterator[int]:
    """Hold the host lock in another process. Yield its PID."""
    ok("snapset", absent("s"))  # creates the lock file
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        descriptor = os.open(LOCK, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.close(reader)
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_busy_host() -> None:
    with held() as pid:
        for task in (present("s", "thick/c"), merged("s"), absent("s")):
            busy = call("snapset", {**task, "lock_timeout": 1})
            assert busy.get("failed"), busy
            assert f"the host is busy: PID {pid} holds {LOCK}" in busy["msg"]
            assert (busy["changed"], busy["commands"]) == (False, [])
        assert ok("snapset", present("s", "thick/c"), check=True)["changed"]
        assert ok("snapset_info", {})["snapsets"] == []
    assert not ok("snapset", {**absent("s"), "lock_timeout": 0})["changed"]


def test_a_lock_that_is_not_safe() -> None:
    aside = LOCK.with_name("aside")
    LOCK.rename(aside)
    target = storage.BASE / "target"
    try:
        LOCK.symlink_to(target)
        refused("snapset", absent("s"), "cannot use the host lock")
    finally:
        LOCK.unlink()
        aside.rename(LOCK)
    assert not target.exists()
    LOCK.chmod(0o666)
    try:
        refused("snapset", absent("s"), "is not safe")
    finally:
        LOCK.chmod(0o600)


def test_variables_for_paths_and_language_change_nothing() -> None:
    hostile = {
        "LVM_SYSTEM_DIR": "/nonexistent",
        "LVM_VG_NAME": "other",
        "LVM_COMMAND_PROFILE": "nothing",
        "DM_DEV_DIR": "/nonexistent",
        "LC_ALL": "de_DE.UTF-8",
        "LANGUAGE": "de",
        "PATH": "/nonexistent",
    }
    taken = ok("snapset", present("s", "thick/c"), env=hostile)
    assert taken["changed"]
    assert ok("snapset_info", {}, env=hostile)["snapsets"][0]["members"] == taken["snapset"]["members"]


def test_the_configuration_of_reports_changes_nothing() -> None:
    ok("snapset", present("s", "thick/c"))
    plain = ok("snapset_info", {})
    report = 'compact_output=1 prefixes=1 quoted=0 list_item_separator=";" binary_values_as_numeric=1 time_format="%c"'
    with lvm.settings(f'report {{ {report} }}\nglobal {{ suffix=1 units="h" }}'):
        changed = ok("snapset_info", {})
    for one in (*plain["snapsets"], *changed["snapsets"]):
        del one["age"]
    for section in ("snapsets", "volume_groups", "thin_pools", "coverage"):
        assert changed[section] == plain[section]


def test_every_change_is_in_the_journal() -> None:
    taken = ok("snapset", present("journalled", "thick/c"))
    text = lvm.run("journalctl", "--boot", "--no-pager", "--output=cat", "--since=-10min")
    assert f"safepoint.member.id={taken['snapset']['id']}" in text
    assert "safepoint.member.set=journalled" in text
    assert "lvcreate" in text
