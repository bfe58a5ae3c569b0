# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start and stop the systemd unit of a rollback timer. Private to this collection."""

from __future__ import annotations

import time
from pathlib import Path

from .._errors import FilesFailed
from .._host.files import sync_directory, write_atomically
from .._host.process import run_tool
from .running import UNITS, WANTED_BY, read_status
from .timers import motd_path, status_path, unit_name

# In seconds. On a slow host it takes long to verify all files.
_START_TIMEOUT = 300


def start(name: str, text: str, term: str) -> None:
    """Make systemd run the unit with this ``text`` now and at every boot. Wait until its program counts ``term``.

    Raises FilesFailed, OSError.
    """
    Path(status_path(name)).unlink(missing_ok=True)
    write_atomically(UNITS / unit_name(name), text)
    run_tool("systemctl", "daemon-reload")
    run_tool("systemctl", "enable", "--now", unit_name(name))
    wait_for(name, term)
    sync_directory(UNITS / WANTED_BY)


def wait_for(name: str, term: str) -> None:
    """Wait until the program counts the time of ``term``. Raises FilesFailed."""
    end = time.monotonic() + _START_TIMEOUT
    while (status := read_status(name)) is None or status.term != term:
        if time.monotonic() > end:
            raise FilesFailed(
                f"{unit_name(name)} did not start watching within {_START_TIMEOUT} s: "
                f"see journalctl -u {unit_name(name)}"
            )
        time.sleep(0.5)


def stop(name: str) -> None:
    """Stop the program and remove its unit, if they exist. Raises FilesFailed, OSError."""
    # systemctl disable would fail if somebody has removed the file of the running unit.
    run_tool("systemctl", "stop", unit_name(name))
    for place in (UNITS / WANTED_BY, UNITS):
        (place / unit_name(name)).unlink(missing_ok=True)
        if place.is_dir():
            sync_directory(place)
    for path in (status_path(name), motd_path(name)):
        Path(path).unlink(missing_ok=True)
    run_tool("systemctl", "daemon-reload")
