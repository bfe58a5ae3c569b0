# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systemd unit of a rollback timer: its text, starting and stopping it. Private to this collection."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .._errors import FilesFailed
from .._host.files import write_atomically
from .._host.process import run_tool
from .._paths import PREVIEW_MARK, RUN_DIRECTORY
from .._settings import FILESYSTEM
from .running import UNITS, WANTED_BY
from .timers import iso_date, running_mark, unit_name

MOUNTPOINT = f"{RUN_DIRECTORY}/timer"
"""Where the filesystem of the timer is mounted, in a private mount namespace of the program."""

# In seconds. On a slow host it takes long to verify all files.
_START_TIMEOUT = 300


def unit(set_name: str, deadline: int, device: str) -> str:
    """Return the text of the unit. It waits for nothing else, so a host whose boot hangs is rolled back too."""
    # Without any $, because systemd would expand it.
    stub = (
        f"(umask 077; mkdir -p {MOUNTPOINT}); "
        f"until mount -t {FILESYSTEM} -o nosuid,nodev {device} {MOUNTPOINT}; do sleep 5; done; "
        f"exec {MOUNTPOINT}/lib/ld --library-path {MOUNTPOINT}/lib "
        f"{MOUNTPOINT}/bin/sh {MOUNTPOINT}/go-back {MOUNTPOINT}"
    )
    return f"""\
# Made by safepoint.lvm.rollback_timer, which also removes it.
[Unit]
Description=Roll back to the snapset {set_name} at {iso_date(deadline)} unless the change is confirmed
DefaultDependencies=no
# Do not run in a preview boot of a snapset that was taken while this timer was armed.
ConditionPathExists=!{PREVIEW_MARK}

[Service]
PrivateMounts=yes
ExecStart=/bin/sh -c '{stub}'
Restart=on-failure
RestartSec=30
# Rollback is impossible.
RestartPreventExitStatus=3
OOMScoreAdjust=-900

[Install]
WantedBy=sysinit.target
"""


def start(name: str, deadline: int, device: str) -> None:
    """Make systemd run the program on ``device`` now and at every boot, and wait until the program is watching.

    Raises FilesFailed, OSError.
    """
    Path(running_mark(name)).unlink(missing_ok=True)
    write_atomically(UNITS / unit_name(name), unit(name, deadline, device))
    run_tool("systemctl", "daemon-reload")
    run_tool("systemctl", "enable", "--now", unit_name(name))
    end = time.monotonic() + _START_TIMEOUT
    while not Path(running_mark(name)).exists():
        if time.monotonic() > end:
            raise FilesFailed(
                f"{unit_name(name)} did not start watching within {_START_TIMEOUT} s: "
                f"see journalctl -u {unit_name(name)}"
            )
        time.sleep(0.5)
    os.sync()


def stop(name: str) -> None:
    """Stop the program and remove its unit, if they exist. Raises FilesFailed, OSError."""
    # systemctl disable would fail if somebody has removed the file of the running unit.
    run_tool("systemctl", "stop", unit_name(name))
    for place in (UNITS / WANTED_BY, UNITS):
        (place / unit_name(name)).unlink(missing_ok=True)
    Path(running_mark(name)).unlink(missing_ok=True)
    run_tool("systemctl", "daemon-reload")
    os.sync()
