# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of a preview boot with real overlays, in a mount namespace of its own. Directories stand for snapshots."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import builders as b
import pytest
from cpio import members

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.image import preview_image

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
# Tools that the program uses from the snapset.
TOOLS = ("sh", "chown", "chmod", "stat", "tar")
SHELLS = {"sh": "sh", "busybox": "busybox sh"}
# Mountpoint, mode, owner.
MEMBERS = {
    "/": (0o755, 0),
    "/tmp": (0o1777, 0),
    "/var": (0o755, 0),
    "/var/db": (0o700, 999),
    "/srv/a 'b' $(c)": (0o2770, 998),
}
LOOK = """\
set -e
cd "$1"
# In the namespace of the host there is one already.
mount -t tmpfs tmpfs new
$2 ./safepoint-look show "$1/new" >&2
stat -c '%a %u:%g' "$1/new$3"
python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "security.selinux").decode())' "$1/new$3"
if mountpoint -q new/run; then exit 3; fi
touch "$1/new$3/written"
"""


def libraries(program: str) -> set[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"(/\S+) \(0x", listed))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the initramfs, and the snapshots: the one of / has the tools."""
    image = preview_image("dracut", "hooks", preview_mounts=[], name="s", set_id=b.SET_ID, services="none")
    for name, (_mode, text) in members(image).items():
        if text and "/" not in name:
            (tmp_path / name).write_text(text)
    lines = []
    for number, (mountpoint, (mode, owner)) in enumerate(MEMBERS.items()):
        snapshot = tmp_path / f"snapshot{number}"
        snapshot.mkdir()
        os.chown(snapshot, owner, owner)
        snapshot.chmod(mode)
        os.setxattr(snapshot, "security.selinux", f"label{number}".encode())
        lines.append(f"{mountpoint}\t{snapshot}\tnone\tbind\tvg/o\tvg/s\n")
    (tmp_path / "safepoint-look.list").write_text("".join(lines))
    root = tmp_path / "snapshot0"
    for path in ("run", "tmp", "etc", "new", "srv/a 'b' $(c)", "var", "usr/lib/systemd"):
        (root / path).mkdir(parents=True)
    (tmp_path / "snapshot2" / "db").mkdir()
    (root / "usr/lib/systemd/systemd").touch()
    (root / "etc/fstab").touch()
    for tool in TOOLS:
        program = shutil.which(tool)
        assert program is not None
        for path in (program, *libraries(program)):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (tmp_path / "new").mkdir()
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("mountpoint", MEMBERS)
def test_a_member_has_the_owner_mode_and_label_of_its_snapshot(mountpoint: str, shell: str, place: Path) -> None:
    script = ["sh", "-c", LOOK, "sh", str(place), SHELLS[shell], mountpoint]
    env = {**os.environ, "SAFEPOINT_LOOK": str(place)}
    done = subprocess.run(["unshare", "--mount", *script], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    mode, owner = MEMBERS[mountpoint]
    number = list(MEMBERS).index(mountpoint)
    assert done.stdout.splitlines() == [f"{mode:o} {owner}:{owner}", f"label{number}"]
    assert not (place / f"snapshot{number}" / "written").exists()
