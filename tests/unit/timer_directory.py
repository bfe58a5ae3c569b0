# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of a rollback timer, on which the functions of its shell program are called.

They run in the shell of this machine, with its own tools instead of a toolbox, and with a fake `lvm`.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
from backups import backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.program import FUNCTIONS
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Tree

TAGS = _tags.TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=1800, boots=2)
# Called like the loader: with its own options, then the path of a program and its arguments.
LOADER = """\
#!/bin/sh
name=${3##*/}
shift 3
[ ! -x "$0.$name" ] || exec "$0.$name" "$@"
PATH=/usr/bin:/bin exec "$name" "$@"
"""


def sh(text: str) -> list[str]:
    """Run shell code. Return the lines that it printed."""
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def place_timer(top: Path, **values: str) -> Path:
    """Fill the directory of a timer, with the tools of this machine."""
    (top / "lib").mkdir()
    (top / "bin").mkdir()
    executable(top / "lib" / "ld", LOADER)
    for name in ("mount", "umount", "lvm"):
        executable(top / "lib" / f"ld.{name}", "#!/bin/sh\n")
    (top / "failed").write_text(f"0 {b.BOOT}\n")
    (top / "deadline").write_text(f"{TAGS.deadline}\n")
    (top / "menus").write_text("")
    (top / "filesystems").write_text("")
    armed_on = host(taken(), backup())
    facts = script.facts(TAGS, "vg/t", driver.rollback_script_of(armed_on), replace(armed_on.host, uptime=500))
    more = "".join(f"{name}='{value}'\n" for name, value in {**_paths_in(top), **values}.items())
    (top / "facts").write_text(facts + more)
    return top


def _paths_in(top: Path) -> dict[str, str]:
    return {"KERNEL_LOG": str(top / "kernel"), "EFIVARS": str(top / "efivars")}


def list_boot(top: Path, *trees: Tree) -> None:
    """Write the files from which the program restores ``trees``, whose filesystems are mounted."""
    mounts = [Mount(tree.mountpoint, "/dev/x", tree.fstype, (254, place)) for place, tree in enumerate(trees)]
    devices = {mount.mountpoint: mount.source for mount in mounts}
    (top / "boot").write_text(script.boot_list(trees))
    (top / "menus").write_text(script.menus(trees))
    (top / "filesystems").write_text(script.filesystems(devices, mounts, trees))


def executable(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text)
    path.chmod(0o755)


def call(top: Path, command: str) -> list[str]:
    """Run shell code with the functions of the program, in the directory of a timer. Return what it printed."""
    return sh(f"set -- '{top}'\n{FUNCTIONS}\n{command}")
