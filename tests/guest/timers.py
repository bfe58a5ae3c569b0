# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollback timer whose program runs on real LVM, on a host whose clocks, boots and reboots are files.

The module runs in a forked child of this process, so what is changed here is what it writes for the program.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import storage
from calls import Result, merged, ok, present, rolled_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

script: Any = importlib.import_module("ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.script")
VOLUME = "other/safepoint_timer_s"
UNIT = "safepoint-lvm-timer-s.service"
STATUS = Path("/run/safepoint.lvm/timer-s")
MOTD = Path("/run/motd.d/safepoint-lvm-s")
ARM = {"name": "s", "after": "2h", "vg": "other"}
DISARM = {"name": "s", "state": "disarmed"}
_PATIENCE = 180


class SimulatedHost:
    """The files that the program of a timer takes for its host."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
        self.place = storage.BASE / "host"
        self.place.mkdir()
        self.set(uptime="500.00 1.00", boot_id="b1", machine="m1", sysrq="")
        stub = self.place / "systemctl"
        # After a reboot was asked for, the program waits for it, with the lock.
        stub.write_text(f'#!/bin/sh\n[ "$1" != --no-block ] || echo "$*" >>{self.place}/asked\n')
        stub.chmod(0o755)
        for name in ("UPTIME", "BOOT_ID", "MACHINE", "SYSRQ", "SYSTEMCTL"):
            monkeypatch.setitem(script.PLACES, name, str(self.place / name.lower()))
        for name, value in {"TICK": 1, "RETRY": 0, **limits}.items():
            monkeypatch.setitem(script.LIMITS, name, value)

    def set(self, **files: str) -> None:
        """Write files of the host."""
        for name, text in files.items():
            new = self.place / f"{name}.new"
            new.write_text(f"{text}\n")
            new.replace(self.place / name)

    def let_time_pass(self) -> None:
        """Set the uptime to after every deadline."""
        self.set(uptime="100000.00 1.00")

    @property
    def reboots(self) -> int:
        """How often a reboot was asked for."""
        asked = self.place / "asked"
        return len(asked.read_text().splitlines()) if asked.exists() else 0

    def reboot(self, boot_id: str) -> None:
        """End the program as a reboot would, and start it in another boot."""
        subprocess.run(["systemctl", "kill", "--signal=KILL", UNIT], check=False)
        subprocess.run(["systemctl", "stop", UNIT], check=True)
        STATUS.unlink(missing_ok=True)
        self.set(uptime="20.00 1.00", boot_id=boot_id)
        subprocess.run(["systemctl", "reset-failed", UNIT], check=False)
        subprocess.run(["systemctl", "start", UNIT], check=True)


def phase() -> str:
    """The phase that the program shows; empty if it has not started."""
    return STATUS.read_text().split(" ")[1] if STATUS.exists() else ""


def reason() -> str:
    """The reason that the program shows."""
    return STATUS.read_text().partition("\n")[2].strip()


def is_active() -> bool:
    """Whether the unit is active."""
    return subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode == 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            status = ["systemctl", "status", "--no-pager", "--full", UNIT]
            raise AssertionError(subprocess.run(status, capture_output=True, text=True, check=False).stdout)
        time.sleep(0.5)


def wait_for_phase(expected: str, *, because: str = "") -> None:
    """Wait until the program is in a phase, for a reason."""
    wait_until(lambda: phase() == expected and because in reason())


def log() -> list[str]:
    """The messages in the log of the program, without the times."""
    with storage.mounted(VOLUME) as place:
        return [line.split(" ", 1)[1] for line in (place / "log").read_text().splitlines()]


def shown() -> dict[str, Any]:
    """The timer as snapset_info shows it."""
    (timer,) = ok("snapset_info", {})["rollback_timers"]
    found: dict[str, Any] = timer
    return found


def remove() -> None:
    """Remove the timer, whatever its program does."""
    subprocess.run(["systemctl", "kill", "--signal=KILL", UNIT], check=False, capture_output=True)
    ok("rollback_timer", {**DISARM, "lock_timeout": 60})


@contextmanager
def lock_held() -> Iterator[int]:
    """Hold the host lock in another process. Yield its PID."""
    ok("snapset", {"name": "nothing", "state": "absent"})  # creates the lock file
    argv = ["flock", "/run/safepoint.lvm/lock", "sh", "-c", "echo locked; exec sleep 600"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield holder.pid
        finally:
            os.killpg(holder.pid, signal.SIGKILL)


def armed(*origins: str, vg: str = "other") -> list[str]:
    """Take a set of the origins, arm the timer, then change the origins. Return the former checksums."""
    before = storage.checksums(*origins)
    ok("snapset", present("s", *origins))
    ok("rollback_timer", {**ARM, "vg": vg})
    for origin in origins:
        storage.write(origin, 1, at=3)
    assert storage.checksums(*origins) != before
    return before


def wait_for_reboot(simulated: SimulatedHost) -> None:
    """Wait until the program has asked for a reboot."""
    wait_until(lambda: simulated.reboots == 1)


def rolled_back_after_reboot(simulated: SimulatedHost) -> Result:
    """Let the host boot, in which the program ends without another reboot. Then complete the rollback."""
    simulated.reboot("b2")
    wait_for_phase("fired")
    wait_until(lambda: not is_active())
    assert simulated.reboots == 1
    return rolled_back("snapset", merged("s"))
