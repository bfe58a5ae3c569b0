# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing mountinfo, swaps, fstab and the kernel's command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import mounts
from ansible_collections.safepoint.lvm.plugins.module_utils._model import FstabEntry, Mount

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import DeviceNumber


ROOT, SRV, SWAP = (254, 1), (254, 2), (254, 3)
PATHS: dict[str, DeviceNumber] = {
    "/dev/mapper/vg-srv": SRV,
    "/dev/mapper/vg-swap": SWAP,
    "/dev/disk/by-uuid/1-2": ROOT,
    "/dev/disk/by-label/my root": ROOT,
    "/dev/disk/by-partuuid/9": SRV,
    "/dev/disk/by-partlabel/data": SRV,
}


@pytest.fixture(autouse=True)
def _device_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_device_number", PATHS.get)


def test_mountinfo() -> None:
    lines = [
        "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw",
        "23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw",
        "24 22 254:2 /sub /srv/my\\040data rw shared:2 master:3 - xfs /dev/mapper/vg-srv rw,attr2",
        "25 22 0:44 / /pool rw - btrfs /dev/mapper/vg-srv rw,subvol=/",
        "26 22 0:45 / /net rw - nfs4 server:/export rw",
        "27 22 0:46 / /empty rw - tmpfs  rw",
        "28 22 8:1 / /boot rw - ext4 /dev/sda1 rw",
    ]
    assert list(mounts.parse_mountinfo(lines, [ROOT, SRV])) == [
        Mount("/", "/dev/mapper/vg-root", "ext4", ROOT),
        Mount("/srv/my data", "/dev/mapper/vg-srv", "xfs", SRV),
        Mount("/pool", "/dev/mapper/vg-srv", "btrfs", SRV),
    ]


def test_swaps() -> None:
    lines = [
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority",
        "/dev/mapper/vg-swap                     partition\t524284\t\t0\t\t-2",
        "/var/swap\\040file                      file\t\t1024\t\t0\t\t-3",
        "/dev/gone                               partition\t1024\t\t0\t\t-4",
    ]
    assert list(mounts.parse_swaps(lines)) == [Mount("[SWAP]", "/dev/mapper/vg-swap", "swap", SWAP)]


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("/dev/mapper/vg-srv /srv ext4 defaults 0 2", FstabEntry("/dev/mapper/vg-srv", "/srv", SRV)),
        ("UUID=1-2 / ext4 defaults", FstabEntry("UUID=1-2", "/", ROOT)),
        ("UUID=3-4 /old ext4 defaults", FstabEntry("UUID=3-4", "/old", None)),
        ('LABEL="my\\040root" / ext4 defaults', FstabEntry('LABEL="my root"', "/", ROOT)),
        ("PARTUUID=9 /srv ext4 defaults", FstabEntry("PARTUUID=9", "/srv", SRV)),
        ("PARTLABEL=data /srv ext4 defaults", FstabEntry("PARTLABEL=data", "/srv", SRV)),
        ("/dev/mapper/vg-swap none swap sw 0 0", FstabEntry("/dev/mapper/vg-swap", "[SWAP]", SWAP)),
        ("\ttmpfs /tmp tmpfs", FstabEntry("tmpfs", "/tmp", None)),
        ("x#y /srv/a\\040b ext4", FstabEntry("x#y", "/srv/a b", None)),
        ("# UUID=1-2 / ext4 defaults", None),
        ("   # comment", None),
        ("", None),
        ("/dev/sda1 /boot", None),
    ],
)
def test_fstab(line: str, entry: FstabEntry | None) -> None:
    assert list(mounts.parse_fstab([line])) == ([] if entry is None else [entry])


@pytest.mark.parametrize(
    ("cmdline", "root"),
    [
        ("BOOT_IMAGE=/vmlinuz root=/dev/mapper/vg-root ro quiet", "/dev/mapper/vg-root"),
        ("root=UUID=1-2 root=LABEL=x", "LABEL=x"),
        ("nfsroot=server:/x rootflags=subvol=@ ro", ""),
        ("", ""),
    ],
)
def test_root_argument(cmdline: str, root: str) -> None:
    assert mounts.root_argument(cmdline) == root


def test_a_device_has_a_name_by_what_is_on_it_and_one_by_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("by-uuid", "by-id"):
        (tmp_path / place).mkdir()
    device = tmp_path / "sda1"
    device.touch()
    monkeypatch.setattr(mounts, "_BY_UUID", tmp_path / "by-uuid")
    monkeypatch.setattr(mounts, "_BY_ID", tmp_path / "by-id")
    assert mounts.persistent_names(str(device)) == (str(device), "")
    # A copy of the disk has the same of these.
    for name in ("by-uuid/1-2", "by-id/dm-uuid-x", "by-id/lvm-pv-uuid-y"):
        (tmp_path / name).symlink_to(device)
    assert mounts.persistent_names(str(device)) == (f"{tmp_path}/by-uuid/1-2", "")
    (tmp_path / "by-id" / "wwn-0x1-part1").symlink_to(device)
    assert mounts.persistent_names(str(device)) == (f"{tmp_path}/by-uuid/1-2", f"{tmp_path}/by-id/wwn-0x1-part1")
