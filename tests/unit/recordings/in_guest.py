# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The half of record.py that runs in the guest: print what a host looks like. The arguments are those of `lvm`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _first(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _device(entry: Path) -> dict[str, Any]:
    return {
        "name": entry.name,
        "dev": _first(entry / "dev"),
        "dm_name": _first(entry / "dm" / "name"),
        "dm_uuid": _first(entry / "dm" / "uuid"),
        "slaves": sorted(_first(slave / "dev") for slave in (entry / "slaves").glob("*")),
    }


def main() -> None:
    """Print one JSON object."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(["lvm", *sys.argv[1:]], capture_output=True, text=True, env=environment, check=False)
    release = dict(line.split("=", 1) for line in _lines("/etc/os-release") if "=" in line)
    recording = {
        "system": release["PRETTY_NAME"].strip('"'),
        "kernel": os.uname().release,
        "rc": done.returncode,
        "stderr": done.stderr.splitlines(),
        "report": done.stdout.splitlines(),
        "boot_id": _first(Path("/proc/sys/kernel/random/boot_id")),
        "mountinfo": _lines("/proc/self/mountinfo"),
        "swaps": _lines("/proc/swaps"),
        "fstab": _lines("/etc/fstab"),
        "cmdline": _first(Path("/proc/cmdline")),
        "devices": [_device(entry) for entry in sorted(Path("/sys/class/block").iterdir()) if _first(entry / "dev")],
    }
    json.dump(recording, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
