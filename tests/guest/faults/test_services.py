# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of the host that do not run or hang, and settings and variables that change nothing."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import processes
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, start, states
from host_checks import ORIGINS, failed, host_is_consistent, whole_lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager


@contextmanager
def without(*units: str) -> Iterator[None]:
    """Stop these systemd units temporarily, so that they cannot be started."""
    lvm.run("systemctl", "mask", "--runtime", "--now", *units)
    try:
        yield
    finally:
        lvm.run("systemctl", "unmask", "--runtime", *units)
        lvm.run("systemctl", "start", *(unit for unit in units if unit.endswith(".socket")))


@contextmanager
def other_thin_check(executable: str) -> Iterator[None]:
    """Replace LVM's program that checks the metadata of pools temporarily. The merge will activate the pool."""
    with lvm.settings(f'global {{ thin_check_executable="{executable}" }}'):
        lvm.run("lvchange", "-an", "thin/t1")
        yield


HARMLESS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "no dmeventd": lambda: without("dm-event.socket", "dm-event.service"),
    "no lvmpolld": lambda: without("lvm2-lvmpolld.socket", "lvm2-lvmpolld.service"),
    "issue_discards": lambda: lvm.settings("devices { issue_discards=1 }"),
    "auto_activation_volume_list": lambda: lvm.settings("activation { auto_activation_volume_list=[] }"),
    "no thin_check": lambda: other_thin_check("/nonexistent/thin_check"),
    "thin_check switched off": lambda: other_thin_check(""),
}


@pytest.mark.parametrize("fault", HARMLESS)
def test_everything_works(fault: str) -> None:
    taken = storage.checksums(*ORIGINS)
    with HARMLESS[fault]():
        changed = whole_lifecycle()
        assert processes.suspended_for_good() == []
    assert storage.visible() == set(storage.VOLUMES)
    assert storage.checksums(*ORIGINS) == changed
    assert taken != changed
    assert host_is_consistent()


def test_variables_for_dmeventd_udev_and_numbers_change_nothing() -> None:
    hostile = {
        "LVM_SYSTEM_DIR": "/nonexistent",
        "LVM_COMMAND_PROFILE": "nothing",
        "LVM_RUN_BY_DMEVENTD": "1",
        "LVM_EXPECTED_EXIT_STATUS": ">0",
        "LVM_LOG_FILE_MAX_LINES": "1",
        "DM_DISABLE_UDEV": "1",
        "DM_UDEV_COOKIE": "1",
        "DM_DEFAULT_NAME_MANGLING_MODE": "hex",
        "LC_NUMERIC": "de_DE.UTF-8",
        "TMPDIR": "/nonexistent",
        "HOME": "/nonexistent",
    }
    changed = whole_lifecycle(hostile)
    assert storage.visible() == set(storage.VOLUMES)
    assert storage.checksums(*ORIGINS) == changed


def test_udev_is_stopped() -> None:
    """LVM waits for udev forever. Other tasks report who holds the lock. When udev continues, so does everything."""
    lvm.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "systemd-udevd")
    try:
        running = start("snapset", present("s", *ORIGINS))
        command, _supervisor = processes.wait_for_child_of_child(running.pid)
        time.sleep(8)
        assert processes.is_running(command)
        failed(
            call("snapset", {**absent("s"), "lock_timeout": 1}),
            f"the host is busy: snapset s, state present (PID {running.pid})",
        )
        assert processes.suspended() == []
    finally:
        lvm.run("systemctl", "kill", "--signal=SIGCONT", "systemd-udevd")
    assert states(running.result()) == ("active", ["active"] * 2)
    assert ok("snapset", absent("s"))["changed"]
    assert storage.visible() == set(storage.VOLUMES)


def test_udev_does_not_run() -> None:
    """Nothing is started, because LVM would wait for udev forever."""
    task = present("s", *ORIGINS)
    service = "systemd-udevd.service"
    ok("snapset", task)
    with without(service, "systemd-udevd-control.socket", "systemd-udevd-kernel.socket"):
        for one in (merged("s"), absent("s"), present("t", *ORIGINS)):
            refused("snapset", one, "udev does not run .*systemctl start systemd-udevd")
        assert not ok("snapset", task)["changed"]
        assert "udev does not run" in str(ok("snapset_info", {})["warnings"])
    lvm.run("systemctl", "start", service)
    assert not ok("snapset", task)["changed"]
    assert ok("snapset", absent("s"))["changed"]
    assert storage.visible() == set(storage.VOLUMES)
