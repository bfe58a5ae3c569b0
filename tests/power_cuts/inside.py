# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs inside a guest, by its own Python: it writes files, changes them, reads them, looks at the host.

python3 - write DIRECTORY...     writes files and prints what they are
python3 - change DIRECTORY...    changes some of them, and prints each when it is on the disk
python3 - read DIRECTORY...      prints what is there
python3 - look                   prints what LVM and the kernel have
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
# Lines of the kernel that nobody may see after a power cut. Reads that fail are no sign: udev looks into devices that
# LVM takes away just then.
TROUBLE = re.compile(
    r"EXT4-fs error|XFS.*(corrupt|metadata I/O error)|Buffer I/O error.*lost|device-mapper: .*(fail|error|invalid)",
    re.IGNORECASE,
)
SETTLING_SECONDS = 60


def write_file(path: Path, content: bytes) -> str:
    """Write a file in place and wait until it is on the disk; its checksum."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
    return hashlib.sha256(content).hexdigest()


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(directories: list[Path]) -> None:
    """Write the files of before the safe point, and print the checksum of each by its path."""
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
    """Overwrite some files, remove some, add some, and leave half of them alone; a line of JSON when each is done."""
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
    """Print that a file is on the disk, or gone from it."""
    print(json.dumps([str(path), checksum]), flush=True)


def read(directories: list[Path]) -> None:
    """Print the checksum of each file by its path."""
    files = [path for directory in directories for path in sorted(directory.glob("*"))]
    print(json.dumps({str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}))


def look() -> None:
    """Print what LVM and the kernel have, as soon as nothing is suspended and no LVM command runs."""
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
    """What a command prints."""
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def volumes() -> list[dict[str, str]]:
    """LVM's report of every volume."""
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
    """The LVM commands that run, which are not the daemons."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name, line = (process / "comm").read_text().strip(), (process / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if name.startswith(("lvm", "lvcreate", "lvconvert", "lvchange", "lvremove", "vg", "pv")) and name != "lvmpolld":
            found.append(line.replace(b"\0", b" ").decode(errors="replace").strip() or name)
    return found


def main() -> None:
    """Run the command."""
    name, directories = sys.argv[1], [Path(argument) for argument in sys.argv[2:]]
    if name == "look":
        look()
    else:
        {"write": write, "change": change, "read": read}[name](directories)


if __name__ == "__main__":
    main()
