# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of systemd that runs a rollback timer: what is in it, started, stopped. Private to this collection."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .._errors import FilesFailed
from .._host.files import write_atomically
from .._host.process import run_tool
from .._paths import LOOK_MARK, RUN_DIRECTORY
from .._settings import FILESYSTEM
from .running import UNITS, WANTED_BY
from .timers import iso_date, running_mark, unit_name

PLACE = f"{RUN_DIRECTORY}/timer"
"""Where the program sees the filesystem of the timer, in a mount namespace of its own."""

# For the program to verify all of its files, on a slow host.
_PATIENCE = 300


def unit(set_name: str, deadline: int, device: str) -> str:
    """The unit of systemd. It waits for nothing: a host whose boot stands still goes back as well."""
    # systemd would replace a single $ itself.
    stub = (
        f"(umask 077; mkdir -p {PLACE}); "
        f"until mount -t {FILESYSTEM} -o nosuid,nodev {device} {PLACE}; do sleep 5; done; "
        f"exec {PLACE}/lib/ld --library-path {PLACE}/lib {PLACE}/bin/sh {PLACE}/go-back {PLACE}"
    )
    return f"""\
# Made by safepoint.lvm.rollback_timer, which also removes it.
[Unit]
Description=Go back to the safe point {set_name} at {iso_date(deadline)} unless the change is confirmed
DefaultDependencies=no
# Not in a safe point that was taken while this was armed, and is looked at.
ConditionPathExists=!{LOOK_MARK}

[Service]
PrivateMounts=yes
ExecStart=/bin/sh -c '{stub}'
Restart=on-failure
RestartSec=30
# There is no way back.
RestartPreventExitStatus=3
OOMScoreAdjust=-900

[Install]
WantedBy=sysinit.target
"""


def start(name: str, deadline: int, device: str) -> None:
    """Have systemd run the program on ``device`` now and at every boot, and wait until it says that it watches.

    Raises FilesFailed, OSError.
    """
    Path(running_mark(name)).unlink(missing_ok=True)
    write_atomically(UNITS / unit_name(name), unit(name, deadline, device))
    run_tool("systemctl", "daemon-reload")
    run_tool("systemctl", "enable", "--now", unit_name(name))
    end = time.monotonic() + _PATIENCE
    while not Path(running_mark(name)).exists():
        if time.monotonic() > end:
            raise FilesFailed(f"{unit_name(name)} does not begin to watch: journalctl -u {unit_name(name)}")
        time.sleep(0.5)
    os.sync()


def stop(name: str) -> None:
    """End the program and remove its unit, as far as they are there. Raises FilesFailed, OSError."""
    # Not by disable, which fails where somebody has removed the file of a unit that runs.
    run_tool("systemctl", "stop", unit_name(name))
    for place in (UNITS / WANTED_BY, UNITS):
        (place / unit_name(name)).unlink(missing_ok=True)
    Path(running_mark(name)).unlink(missing_ok=True)
    run_tool("systemctl", "daemon-reload")
    os.sync()
