# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program in the tree of another Debian: `inside.py TREE UID:GID DIRECTORY... -- PROGRAM ARGUMENT...`.

The directories have the same paths there. The first one is the working directory. Needs root, and its own namespaces
for mounts and processes, which remove all mounts when they end. The program runs as the given user.
"""

from __future__ import annotations

import os
import subprocess
import sys

# Empty in the tree, and removed with the program.
SCRATCH = ("run", "tmp", "var/tmp")
# Shared with this machine.
SHARED = ("dev", "sys")


def main() -> int:
    """Mount, change the root, become the user, run the program. Return its exit code."""
    tree, owner, *rest = sys.argv[1:]
    end = rest.index("--")
    directories, argv = rest[:end], rest[end + 1 :]
    mount("--types", "proc", "proc", f"{tree}/proc")
    for name in SHARED:
        mount("--rbind", f"/{name}", f"{tree}/{name}")
    for name in SCRATCH:
        mount("--types", "tmpfs", "--options", "mode=1777", "tmpfs", f"{tree}/{name}")
    for path in directories:
        mount("--bind", path, f"{tree}{path}")
    os.chroot(tree)
    os.chdir(directories[0])
    uid, gid = map(int, owner.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    return subprocess.run(argv, check=False).returncode


def mount(*arguments: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
