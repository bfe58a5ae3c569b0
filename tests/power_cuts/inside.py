# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs inside a guest with its Python: writes, changes and reads files, and observes the host.

python3 - write DIRECTORY...     writes files and prints their checksums
python3 - change DIRECTORY...    changes some of them, and prints each when it is on the disk
python3 - read DIRECTORY...      prints the checksums of the files
python3 - observe                prints the state of LVM and of the kernel
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

FILES = 24
SIZE = 1024 * 1024
# Kernel messages that must not appear after a power cut. Failed reads are not a problem: udev reads devices that LVM
# removes at the same time.
TROUBLE = re.compile(
    r"EXT4-fs error|XFS.*(corrupt|metadata I/O error)|Buffer I/O error.*lost|device-mapper: .*(fail|error|invalid)",
    re.IGNORECASE,
)
SETTLING_SECONDS = 60


def write_file(path: Path, content: bytes) -> str:
    """Write a file in place and wait until it is on the disk. Return its checksum."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
    return hashlib.sha256(content).hexdigest()


def sync_directory(path: Path) -> None:
    """Wait until the entries of a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(directories: list[Path]) -> None:
    """Write the first content of the files, and print the checksum of each by its path."""
    sums = {}
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        sync_directory(directory.parent)
        for number in range(FILES):
            path = directory / f"{number:02}"
            sums[str(path)] = write_file(path, os.urandom(SIZE))
    print(json.dumps(sums))


def change(directories: list[Path]) -> None:
    """Overwrite some files, remove some, add some, keep half of them. Print a line of JSON after each change."""
    for number in range(1, FILES, 2):
        for directory in directories:
            old, new = directory / f"{number:02}", directory / f"new-{number:02}"
            if number % 4 == 1:
                say_done(old, write_file(old, os.urandom(SIZE)))
            else:
                old.unlink()
                sync_directory(directory)
                say_done(old, None)
            say_done(new, write_file(new, os.urandom(SIZE)))


def say_done(path: Path, checksum: str | None) -> None:
    """Print that a file is on the disk, or that it is removed from it."""
    print(json.dumps([str(path), checksum]), flush=True)


def read(directories: list[Path]) -> None:
    """Print the checksum of each file by its path."""
    files = [path for directory in directories for path in sorted(directory.glob("*"))]
    print(json.dumps({str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}))


def observe() -> None:
    """Print the state of LVM and of the kernel, as soon as no device is suspended and no LVM command runs."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while (suspended() or commands()) and time.monotonic() < deadline:
        time.sleep(1)
    print(
        json.dumps(
            {
                "volumes": volumes(),
                "devices": sorted(devices()),
                "suspended": suspended(),
                "commands": commands(),
                "trouble": [line for line in output("dmesg").splitlines() if TROUBLE.search(line)],
                "failed": output("systemctl", "--failed", "--plain", "--no-legend").splitlines(),
            }
        )
    )


def output(*argv: str) -> str:
    """Run a command. Return its output."""
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def volumes() -> list[dict[str, str]]:
    """The report of LVM about all volumes."""
    fields = "vg_name,lv_name,origin,lv_attr,lv_tags"
    report = json.loads(output("lvs", "--all", "--reportformat", "json", "--options", fields))
    found: list[dict[str, str]] = report["report"][0]["lv"]
    return found


def devices() -> dict[str, bool]:
    """Whether each device of device-mapper is suspended, by its name."""
    places = Path("/sys/block").glob("dm-*/dm")
    return {(dm / "name").read_text().strip(): (dm / "suspended").read_text().strip() == "1" for dm in places}


def suspended() -> list[str]:
    """The names of the suspended devices."""
    return [name for name, stopped in devices().items() if stopped]


def commands() -> list[str]:
    """The LVM commands that are running, without the daemons."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name, line = (process / "comm").read_text().strip(), (process / "cmdline").read_bytes()
        except OSError:  # it has ended in the meantime
            continue
        if name.startswith(("lvm", "lvcreate", "lvconvert", "lvchange", "lvremove", "vg", "pv")) and name != "lvmpolld":
            found.append(line.replace(b"\0", b" ").decode(errors="replace").strip() or name)
    return found


def main() -> None:
    """Run the command."""
    name, directories = sys.argv[1], [Path(argument) for argument in sys.argv[2:]]
    if name == "observe":
        observe()
    else:
        {"write": write, "change": change, "read": read}[name](directories)


if __name__ == "__main__":
    main()
