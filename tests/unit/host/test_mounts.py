# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing mountinfo, swaps and fstab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import mounts
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import FstabEntry, Mount

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import DeviceNumber


ROOT, SRV, SWAP = (254, 1), (254, 2), (254, 3)
PATHS: dict[str, DeviceNumber] = {
    "/dev/mapper/vg-srv": SRV,
    "/dev/mapper/vg-swap": SWAP,
    "/dev/vg/log": ROOT,
    "/dev/disk/by-uuid/1-2": ROOT,
    "/dev/disk/by-label/my root": ROOT,
    "/dev/disk/by-partuuid/9": SRV,
    "/dev/disk/by-partlabel/data": SRV,
}


@pytest.fixture(autouse=True)
def _device_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "device_number", PATHS.get)


def test_mountinfo() -> None:
    lines = [
        "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw",
        "24 22 254:2 /sub /srv/my\\040data rw shared:2 master:3 - xfs /dev/mapper/vg-srv ro,attr2",
        "25 22 0:44 / /pool ro - btrfs /dev/mapper/vg-srv rw,subvol=/",
        "26 22 0:45 / /net rw - nfs4 server:/export rw",
        "27 22 0:46 / /empty rw - tmpfs  rw",
        "28 22 8:1 / /boot rw - ext4 /dev/sda1 rw",
        "29 22 0:47 / /boot/efi rw - autofs systemd-1 rw,fd=52,pgrp=1,timeout=5,direct",
    ]
    assert list(mounts.parse_mountinfo(lines, [ROOT, SRV])) == [
        Mount("/", "/dev/mapper/vg-root", "ext4", ROOT, number=22, parent=1),
        Mount("/srv/my data", "/dev/mapper/vg-srv", "xfs", SRV, root="/sub", number=24, parent=22, read_only=True),
        Mount("/pool", "/dev/mapper/vg-srv", "btrfs", SRV, number=25, parent=22),
        Mount("/net", "server:/export", "nfs4", number=26, parent=22),
        Mount("/empty", "", "tmpfs", number=27, parent=22),
        Mount("/boot", "/dev/sda1", "ext4", number=28, parent=22),
        Mount("/boot/efi", "systemd-1", "autofs", number=29, parent=22),
    ]


@pytest.mark.parametrize(
    ("line", "carrier", "layers"),
    [
        ("overlay overlay rw,lowerdir=/a:/b,upperdir=/up,workdir=/w", "/up", ("/a", "/b")),
        ("overlay overlay ro,lowerdir=/a\\134:b:/c", "", ("/a:b", "/c")),
        ("overlay composefs ro,lowerdir+=/a,datadir+=/sysroot/objects", "", ("/a", "/sysroot/objects")),
        ("overlay overlay rw,lowerdir=/a\\040b,upperdir=/up\\054x", "/up,x", ("/a b",)),
        ("ext4 /dev/sda1 rw,upperdir=/up", "", ()),
    ],
)
def test_the_directories_of_an_overlay(line: str, carrier: str, layers: tuple[str, ...]) -> None:
    (mount,) = mounts.parse_mountinfo([f"30 22 0:50 / / rw - {line}"], [])
    assert (mount.carrier, mount.layers) == (carrier, layers)


@pytest.mark.parametrize(
    ("line", "devices"),
    [
        ("254:2 / /srv rw - xfs /dev/mapper/vg-srv rw,logdev=/dev/vg/log,noquota", (SRV, ROOT)),
        ("254:2 / /srv rw - xfs /dev/mapper/vg-srv rw,logdev=/dev/gone", (SRV,)),
        ("0:50 / /srv rw - bcachefs /dev/mapper/vg-srv:/dev/vg/log rw", (SRV, ROOT)),
        ("0:50 / /srv rw - fuseblk /dev/mapper/vg-srv rw", (SRV,)),
        ("0:50 / /srv rw - cifs //nas/share rw", ()),
    ],
)
def test_all_devices_of_a_filesystem(line: str, devices: tuple[DeviceNumber, ...]) -> None:
    (mount,) = mounts.parse_mountinfo([f"30 22 {line}"], [SRV, ROOT])
    assert mount.devices == devices


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
        (
            "/dev/mapper/vg-srv /srv ext4 noauto,x-systemd.automount 0 2",
            FstabEntry("/dev/mapper/vg-srv", "/srv", SRV, "ext4", ("noauto", "x-systemd.automount")),
        ),
        ("UUID=1-2 / ext4 defaults", FstabEntry("UUID=1-2", "/", ROOT, "ext4", ("defaults",))),
        ("UUID=3-4 /old/ ext4", FstabEntry("UUID=3-4", "/old", None, "ext4")),
        ('LABEL="my\\040root" / ext4', FstabEntry('LABEL="my root"', "/", ROOT, "ext4")),
        ("PARTUUID=9 /srv ext4", FstabEntry("PARTUUID=9", "/srv", SRV, "ext4")),
        ("PARTLABEL=data /srv ext4", FstabEntry("PARTLABEL=data", "/srv", SRV, "ext4")),
        ("/dev/mapper/vg-swap none swap sw 0 0", FstabEntry("/dev/mapper/vg-swap", "[SWAP]", SWAP, "swap", ("sw",))),
        ("\ttmpfs /tmp tmpfs", FstabEntry("tmpfs", "/tmp", None, "tmpfs")),
        ("x#y /srv/a\\040b ext4", FstabEntry("x#y", "/srv/a b", None, "ext4")),
        ("# UUID=1-2 / ext4 defaults", None),
        ("   # comment", None),
        ("", None),
        ("/dev/sda1 /boot", None),
    ],
)
def test_fstab(line: str, entry: FstabEntry | None) -> None:
    assert list(mounts.parse_fstab([line])) == ([] if entry is None else [entry])


@pytest.mark.parametrize("path", ["//nas/share", "/data/x", "nas:/x", "none"])
def test_only_paths_in_dev_are_looked_at(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of //nas/share may be dead, and the kernel would look for it at /nas/share."""
    monkeypatch.undo()
    monkeypatch.setattr(Path, "stat", lambda _path: pytest.fail("looked"))
    assert mounts.device_number(path) is None


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
