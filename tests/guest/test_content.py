# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is on an origin: filesystems on several LVs, and UUIDs by which the host finds it when it boots."""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import mounts
import pytest
import storage
from calls import merged, ok, present, refused, rolled_back
from test_filesystems import coverage
from test_selection import by_mountpoint, selected

if TYPE_CHECKING:
    from collections.abc import Iterator

BTRFS = ("big/b1", "big/b2")
POINT = storage.BASE / "mnt" / "several"


@pytest.fixture
def big() -> Iterator[None]:
    """A VG with two thin and two thick LVs that are large enough for btrfs and for XFS with a log of its own."""
    disk = storage.new_disk("big", 1800)
    storage.new_group("big", disk)
    pool = (
        "lvcreate",
        "-y",
        "-q",
        "--type",
        "thin-pool",
        "-L",
        "600m",
        "--poolmetadatasize",
        "4m",
        "-n",
        "pool",
        "big",
    )
    lvm.run(*pool)
    for name in ("b1", "b2"):
        lvm.run("lvcreate", "-y", "-q", "-V", "200m", "--thinpool", "big/pool", "-n", name)
    for name, size in {"data": "320m", "log": "100m"}.items():
        lvm.run("lvcreate", "-y", "-q", "-L", size, "-n", name, "big")
    yield
    let_udev_look()
    lvm.run("vgremove", "-q", "-ff", "-y", "big")
    storage.remove_disks(disk)


@contextmanager
def mounted(device: str, *options: str) -> Iterator[Path]:
    let_udev_look()
    with mounts.mount(*options, f"/dev/{device}", str(POINT)) as point:
        yield point


def content(point: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in point.iterdir() if path.is_file()}


def fill(point: Path, seed: int) -> None:
    for number in range(6):
        (point / f"file{number}").write_bytes(bytes([seed + number]) * storage.MIB * 4)
    lvm.run("sync", "-f", str(point))


def let_udev_look() -> None:
    """Otherwise udev looks at what was written a moment later, and settle does not wait for that."""
    lvm.run("udevadm", "trigger", "--settle", "--subsystem-match=block")


def make_btrfs(*names: str, profile: str = "raid0") -> None:
    lvm.run("mkfs.btrfs", "-q", "-f", "-d", profile, "-m", profile, *(f"/dev/{name}" for name in names))


@pytest.mark.usefixtures("big")
def test_btrfs_on_several_volumes_that_is_in_use() -> None:
    make_btrfs(*BTRFS)
    with mounted(BTRFS[0]) as point:
        reason = f"the btrfs filesystem at {point} is on big/b1, big/b2, whose snapshots would be of different moments"
        for task in (by_mountpoint(point), present("s", "big/b1"), present("s", "big/b2"), present("s", *BTRFS)):
            refused("snapset", task, reason)
        refused("snapshot", {"vg": "big", "lv": "b2", "snapshot": "x"}, reason)
        found = coverage()[str(point)]
        assert (found["lv"], found["protectable"]) == ("b1", False)
        assert found["reason"].startswith(reason)


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("used", ["ro", "not mounted"])
def test_btrfs_on_several_volumes_rolls_back(used: str) -> None:
    """It can be mounted after the merge, and everything is as it was."""
    make_btrfs(*BTRFS)
    with mounted(BTRFS[0]) as point:
        fill(point, 1)
        before = content(point)
        if used == "ro":
            lvm.run("mount", "-o", "remount,ro", str(point))
            refused("snapset", present("s", "big/b2"), f"at {point} is on big/b1, big/b2: protect also big/b1, or none")
            taken = ok("snapset", by_mountpoint(point))
            assert selected(taken) == [*BTRFS]
            lvm.run("mount", "-o", "remount,rw", str(point))
            fill(point, 100)
    if used == "not mounted":
        let_udev_look()
        for one, other in (BTRFS, BTRFS[::-1]):
            refused("snapset", present("s", one), f"the btrfs filesystem on {one} is also on {other}: protect all")
        ok("snapset", present("s", *BTRFS))
        with mounted(BTRFS[0]) as point:
            fill(point, 100)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    lvm.run("btrfs", "device", "scan")
    with mounted(BTRFS[0]) as point:
        assert content(point) == before


@pytest.mark.usefixtures("big")
def test_btrfs_on_a_thick_volume_or_beside_lvm() -> None:
    make_btrfs("big/data", "big/b1")
    with mounted("big/b1"):
        refused("snapset", present("s", "big/data"), "big/data has btrfs at", "is on big/b1, big/data")
    let_udev_look()
    refused("snapset", present("s", "big/data"), "big/data has btrfs, and a thick snapshot would show the kernel")
    disk = storage.new_disk("plain", 200)
    try:
        lvm.run("mkfs.btrfs", "-q", "-f", "-d", "raid0", "-m", "raid0", "/dev/big/b1", disk)
        with mounted("big/b1") as point:
            refused("snapset", present("s", "big/b1"), f"LVM cannot roll back {disk}: leave out big/b1")
            refused("snapset", by_mountpoint(point), f"is also on {disk}, not only on LVM")
    finally:
        lvm.run("wipefs", "-q", "-a", disk)
        storage.remove_disks(disk)


def _make_xfs() -> tuple[str, ...]:
    lvm.run("mkfs.xfs", "-q", "-f", "-l", "logdev=/dev/big/log,size=64m", "/dev/big/data")
    return ("-o", "logdev=/dev/big/log")


def _make_ext4() -> tuple[str, ...]:
    lvm.run("mke2fs", "-q", "-F", "-b", "4096", "-O", "journal_dev", "/dev/big/log")
    lvm.run("mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "device=/dev/big/log", "/dev/big/data")
    return ()


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("make", [_make_xfs, _make_ext4], ids=["xfs", "ext4"])
def test_a_filesystem_with_its_log_on_another_volume(make: type) -> None:
    options = make()
    with mounted("big/data", *options) as point:
        for name in ("big/data", "big/log"):
            refused("snapset", present("s", name), f"at {point} is on big/data, big/log, whose snapshots would be of")
        fill(point, 1)
        before = content(point)
        lvm.run("mount", "-o", "remount,ro", str(point))
        refused("snapset", present("s", "big/data"), "protect also big/log, or none of these")
        assert selected(ok("snapset", by_mountpoint(point))) == ["big/data", "big/log"]
        lvm.run("mount", "-o", "remount,rw", str(point))
        fill(point, 100)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    with mounted("big/data", *options) as point:
        assert content(point) == before


# What the host finds by a UUID


@pytest.fixture
def uuid() -> Iterator[str]:
    """The UUID of LUKS on thick/a, which is open as `secret` and has a filesystem."""
    key = storage.BASE / "key"
    key.write_bytes(b"x" * 64)
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    with ExitStack() as stack:
        former = Path("/dev/thick/a").read_bytes()
        stack.callback(let_udev_look)
        stack.callback(Path("/dev/thick/a").write_bytes, former)
        lvm.run("cryptsetup", "luksFormat", "-q", *quick, "/dev/thick/a", str(key))
        lvm.run("cryptsetup", "open", "--key-file", str(key), "/dev/thick/a", "secret")
        stack.callback(lvm.run, "cryptsetup", "close", "secret")
        lvm.run("mkfs.ext4", "-q", "/dev/mapper/secret")
        let_udev_look()
        yield lvm.run("cryptsetup", "luksUUID", "/dev/thick/a").strip()


@contextmanager
def file(path: str, text: str) -> Iterator[None]:
    place = Path(path)
    former = place.read_text() if place.exists() else None
    place.write_text(text)
    try:
        yield
    finally:
        place.unlink() if former is None else place.write_text(former)


@pytest.mark.parametrize("spec", ["UUID={}", "/dev/disk/by-uuid/{}"])
def test_crypttab_finds_an_origin_by_its_uuid(uuid: str, spec: str) -> None:
    line = f"secret {spec.format(uuid)} none luks\n"
    with file("/etc/crypttab", line):
        message = (
            f"/etc/crypttab opens secret by {re.escape(spec.format(uuid))}, which a thick snapshot of thick/a would"
        )
        refused("snapset", present("s", "thick/a"), f"{message} have too: use /dev/mapper/thick-a there instead")
        assert ok("snapset", present("s", "thin/t1"), check=True)["changed"]


def test_crypttab_and_fstab_of_an_encrypted_origin(uuid: str) -> None:
    """The UUID of what is inside is only in the origin: nobody decrypts the snapshot."""
    inside = lvm.run("blkid", "-s", "UUID", "-o", "value", "/dev/mapper/secret").strip()
    assert inside != uuid
    with ExitStack() as stack:
        stack.enter_context(file("/etc/crypttab", "secret /dev/mapper/thick-a none luks\n"))
        point = stack.enter_context(storage.mounted("mapper/secret"))
        stack.enter_context(mounts.fstab(f"UUID={inside} {point} ext4 defaults 0 0"))
        assert ok("snapset", present("s", "thick/a"))["changed"]
        assert coverage()[str(point)]["snapsets"] == ["s"]


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        (
            "/etc/systemd/system/srv-x.mount",
            "[Mount]\nWhat=/dev/disk/by-uuid/{}\nWhere=/srv/x\n",
            "the unit srv-x.mount uses /dev/disk/by-uuid/{}",
        ),
        ("/etc/systemd/system/x.swap", "[Swap]\nWhat=UUID={}\n", "the unit x.swap uses UUID={}"),
        (
            "/etc/initramfs-tools/conf.d/resume",
            "RESUME=UUID={}\n",
            "/etc/initramfs-tools/conf.d/resume has RESUME=UUID={}",
        ),
    ],
)
def test_other_settings_find_an_origin_by_its_uuid(path: str, text: str, reason: str) -> None:
    value = lvm.run("blkid", "-s", "UUID", "-o", "value", "/dev/thick/a").strip()
    assert ok("snapset", present("s", "thick/a"), check=True)["changed"]
    with file(path, text.format(value)):
        refused("snapset", present("s", "thick/a"), f"{re.escape(reason.format(value))}, which a thick snapshot of")


def test_a_part_of_something_larger() -> None:
    """With a thick snapshot there would be two parts of one identity. A thin one is not active."""
    with ExitStack() as stack:
        for name in ("thick/c", "thin/t2"):
            device = Path("/dev", name)
            stack.callback(lvm.run, "wipefs", "-q", "-a", str(device))
            with device.open("r+b") as file_of_device:
                file_of_device.write(b"bluestore block device\n")
        let_udev_look()
        refused("snapset", present("s", "thick/c"), r"thick/c is a part of Ceph \(ceph_bluestore\)")
        assert ok("snapset", present("s", "thin/t2"), check=True)["changed"]
    let_udev_look()
    assert ok("snapset", present("s", "thick/c"), check=True)["changed"]
