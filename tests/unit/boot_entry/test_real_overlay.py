# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of a preview boot with real overlays, in a mount namespace. Directories stand for snapshots."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import builders as b
import pytest
from cpio import members

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.image import preview_image

if TYPE_CHECKING:
    from pathlib import Path

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
# Prints mode, owner and label of each directory.
LOOK = """\
set -e
cd "$1"
mount -t tmpfs tmpfs new
$2 ./safepoint-look show "$1/new" >&2
if mountpoint -q new/run; then exit 3; fi
shift 2
for directory; do
    stat -c '%a %u:%g' "new$directory"
    touch "new$directory/written"
done
cd new
exec python3 -c '
import os, sys
for path in sys.argv[1:]:
    print([os.getxattr(f".{path}", name).decode() for name in os.listxattr(f".{path}")])
' "$@"
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


def shown(place: Path, shell: str) -> list[str]:
    """Run the preview; return mode and owner of every directory, and then the extended attributes of every one."""
    script = ["sh", "-c", LOOK, "sh", str(place), shell, *MEMBERS]
    env = {**os.environ, "SAFEPOINT_LOOK": str(place)}
    done = subprocess.run(["unshare", "--mount", *script], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


RIGHT = [f"{mode:o} {owner}:{owner}" for mode, owner in MEMBERS.values()]


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_a_member_has_the_owner_mode_and_label_of_its_snapshot(shell: str, place: Path) -> None:
    assert shown(place, shell) == [*RIGHT, *(f"['label{number}']" for number in range(len(MEMBERS)))]
    assert list(place.glob("snapshot*/**/written")) == []


def test_without_tar_only_labels_are_lost(place: Path) -> None:
    for program in (place / "snapshot0").rglob("tar"):
        program.unlink()
    assert shown(place, "sh") == [*RIGHT, *["[]"] * len(MEMBERS)]
