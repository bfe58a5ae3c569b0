# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of mounts, symbolic links on a path, and automounts, without a host that has any of them."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import builders as b
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import links, table
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import (
    BlockDevice,
    FstabEntry,
    Mount,
    MountTable,
)

ROOT = Mount("/", "/dev/mapper/vg-root", "ext4", (254, 0))
DATA = Mount("/data", "/dev/mapper/vg-data", "ext4", (254, 1))
NAS = Mount("/nas", "nas:/", "nfs4")


def of(*mounts: Mount) -> MountTable:
    return MountTable(b.numbered((ROOT, *mounts)))


# Looking up paths


@pytest.mark.parametrize(
    ("path", "mountpoint"),
    [
        ("/", "/"),
        ("/data", "/data"),
        ("/data/db", "/data"),
        ("/database", "/"),
        ("/nas/x/y", "/nas/x"),
        ("/nas/xy", "/nas"),
    ],
)
def test_a_path_lies_on_the_longest_mountpoint(path: str, mountpoint: str) -> None:
    mounts = of(DATA, NAS, replace(DATA, mountpoint="/nas/x"))
    found = mounts.lies_on(path)
    assert found is not None
    assert found.mountpoint == mountpoint


def test_a_mount_that_another_one_hides_is_not_found() -> None:
    """/data/db was mounted before /data was: whoever looks at /data/db looks at /data."""
    hidden, data = replace(DATA, mountpoint="/data/db"), replace(DATA, device=(254, 2))
    mounts = of(hidden, data)
    assert mounts.lies_on("/data/db") == mounts.mounts[2]
    assert mounts.at("/data/db") is None
    assert [mounts.is_seen(mount) for mount in mounts.mounts] == [True, False, True]


def test_a_mount_that_was_moved_is_where_its_parent_says() -> None:
    """Mount --move keeps the number, so the order of the numbers does not tell what lies on what."""
    data = replace(DATA, number=9, parent=50)
    moved = Mount("/data", "tmpfs", "tmpfs", number=50, parent=1)
    assert MountTable((replace(ROOT, number=1), data, moved)).at("/data") == data


def test_a_chroot_without_its_root_in_the_table() -> None:
    mounts = MountTable((replace(DATA, number=5, parent=3),))
    assert mounts.lies_on("/etc") is None
    assert mounts.at("/data") == mounts.mounts[0]
    assert not mounts.is_safe("/etc")


@pytest.mark.parametrize(
    ("mount", "safe"),
    [
        (DATA, True),
        (Mount("/data", "tmpfs", "tmpfs"), True),
        (Mount("/data", "overlay", "overlay"), True),
        (Mount("/data", "rpool/data", "zfs"), True),
        (replace(NAS, mountpoint="/data"), False),
        (Mount("/data", "host:", "fuse.sshfs"), False),
        (Mount("/data", "/dev/sdb1", "fuseblk", (8, 17)), False),
        (Mount("/data", "x", "a-type-of-the-future"), False),
    ],
)
def test_only_local_filesystems_are_looked_at(mount: Mount, safe: bool) -> None:  # noqa: FBT001
    below = Mount("/data/below", "/dev/mapper/vg-data", "ext4", (254, 1))
    assert of(mount).is_safe("/data/x") is safe
    # The way to a local filesystem leads through what it is mounted on.
    assert of(mount, below).is_safe("/data/below/x") is safe


def test_the_way_through_an_automount_is_free_once_it_has_mounted() -> None:
    automount = Mount("/data", "systemd-1", "autofs")
    assert not of(automount).is_safe("/data/x")
    assert of(automount, DATA).is_safe("/data/x")
    assert not of(automount, replace(NAS, mountpoint="/data")).is_safe("/data/x")


# Links


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """/top with links of all kinds."""
    for name in ("real/inner", "var/lib", "data/mysql"):
        (tmp_path / name).mkdir(parents=True)
    for name, target in {
        "relative": "real/inner",
        "up": "real/../data",
        "absolute": f"{tmp_path}/data",
        "chain": "absolute/mysql",
        "loop": "loop",
        "dangling": "nowhere/else",
        "var/lib/mysql": f"{tmp_path}/data/mysql",
        "var/lib/own": "../lib",
    }.items():
        (tmp_path / name).symlink_to(target)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("real", "real"),
        ("relative", "real/inner"),
        ("relative/x", "real/inner/x"),
        ("up", "data"),
        ("absolute/.", "data"),
        ("chain/x/../y", "data/mysql/y"),
        ("loop", "loop"),
        ("dangling", "nowhere/else"),
        ("nothing//at/all/", "nothing/at/all"),
        ("var/lib/mysql", "data/mysql"),
    ],
)
def test_links_are_followed(tree: Path, path: str, target: str) -> None:
    assert links.resolve(of(), f"{tree}/{path}") == f"{tree}/{target}"


def test_nothing_below_a_network_filesystem_is_looked_at(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    readlink = Path.readlink

    def watched(path: Path) -> Path:
        looked.append(path)
        return readlink(path)

    monkeypatch.setattr(Path, "readlink", watched)
    mounts = of(Mount(str(tree / "var"), "nas:/", "nfs4"), Mount(str(tree / "var/lib"), "/dev/sdb", "ext4", (8, 16)))
    assert links.resolve(mounts, f"{tree}/var/lib/mysql") == f"{tree}/var/lib/mysql"
    assert [path for path in looked if path.is_relative_to(tree / "var")] == []
    assert [*links.links_out_of(mounts, [f"{tree}/var", f"{tree}/var/lib"])] == []


def test_a_mountpoint_is_no_link(tree: Path) -> None:
    """The table says what is there, so nothing is asked of it."""
    mounts = of(Mount(f"{tree}/absolute", "nas:/", "nfs4"))
    assert links.resolve(mounts, f"{tree}/absolute/x") == f"{tree}/absolute/x"


def test_links_to_other_filesystems(tree: Path) -> None:
    mounts = of(replace(DATA, mountpoint=str(tree / "data")))
    found = dict(links.links_out_of(mounts, [f"{tree}/var/lib", f"{tree}/nothing"]))
    assert found == {f"{tree}/var/lib/mysql": f"{tree}/data/mysql"}
    assert dict(links.links_out_of(of(), [f"{tree}/var/lib"])) == {}


def test_fstab_is_compared_as_the_kernel_names_its_mountpoints(tree: Path) -> None:
    found = table.with_paths([FstabEntry("UUID=1", f"{tree}/absolute/db"), FstabEntry("UUID=2", "[SWAP]")], of())
    assert [entry.mountpoint for entry in found] == [f"{tree}/data/db", "[SWAP]"]


# What mountinfo does not say


def test_further_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _read(path: str | Path) -> str:
        return {"/sys/fs/ext4/dm-0/journal_task": "42\n", "/proc/42/comm": "jbd2/dm-1\n"}.get(str(path), "")

    for name in ("dm-0", "dm-2"):
        (tmp_path / "fsid" / "devices" / name).mkdir(parents=True)
    monkeypatch.setattr(table, "_BTRFS", tmp_path)
    monkeypatch.setattr(table, "read", _read)
    devices = {(254, number): BlockDevice(f"dm-{number}") for number in range(3)}
    numbers = {device.name: number for number, device in devices.items()}

    def _devices(fstype: str, number: int = 0) -> tuple[tuple[int, int], ...]:
        mount = Mount("/x", "/dev/dm", fstype, (254, number))
        return table._with_devices(mount, devices, numbers).devices

    assert _devices("ext4") == ((254, 0), (254, 1))
    assert _devices("ext4", 2) == ((254, 2),)
    assert _devices("btrfs") == ((254, 0), (254, 2))
    assert _devices("btrfs", 1) == ((254, 1),)


def test_the_journal_of_ext4_in_the_filesystem_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for comm in ("jbd2/dm-0-8", "jbd2/nvme0n1p12"):  # the kernel cuts names after 15 characters
        monkeypatch.setattr(table, "read", lambda path, comm=comm: "42" if "journal_task" in str(path) else f"{comm}\n")
        name = "dm-0" if "dm" in comm else "nvme0n1p12"
        found = table._with_devices(Mount("/x", "", "ext4", (1, 1)), {(1, 1): BlockDevice(name)}, {name: (1, 1)})
        assert found.more == ()


def test_used_space_is_asked_where_that_cannot_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def statvfs(path: str) -> os.statvfs_result:
        asked.append(path)
        return os.statvfs_result((1, 1, 9, 4, 0, 0, 0, 0, 0, 0))

    monkeypatch.setattr(os, "statvfs", statvfs)
    below = Mount("/nas/disk", "/dev/sdb", "ext4", (8, 16))
    mounts = of(replace(DATA, device=(254, 7)), DATA, NAS, below, Mount("/tmp", "tmpfs", "tmpfs"))
    used = {mount.number: table._with_used(mounts, mount).used for mount in mounts.mounts}
    assert asked == ["/", "/data"]
    assert used == {1: 5, 2: None, 3: 5, 4: None, 5: None, 6: None}


# Automounts


class Automounter:
    """/boot as an automount, which mounts its filesystem when a process looks; ``mounts`` is false if it cannot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, mounts: bool = True) -> None:
        self.looked: list[str] = []
        self.kept: list[str] = []
        self.reads = 0
        self._mounts = mounts
        self._mounted: list[Mount] = []
        monkeypatch.setattr(table, "_look", self._look)
        monkeypatch.setattr(table, "_keep_mounted", self.kept.append)

    def _look(self, path: str) -> subprocess.Popen[bytes]:
        self.looked.append(path)
        if self._mounts:
            self._mounted = [Mount("/boot", "/dev/sda1", "ext4", (8, 1))]
        return subprocess.Popen(["true"] if self._mounts else ["sleep", "60"])

    def read(self) -> MountTable:
        self.reads += 1
        return of(Mount("/boot", "systemd-1", "autofs"), *self._mounted)


def test_an_automount_is_woken_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = Automounter(monkeypatch)
    mounts = table.wake_all(["/", "/opt", "/boot"], [], boot.read)
    assert (boot.looked, boot.kept, boot.reads) == (["/boot"], ["/boot"], 2)
    found = mounts.at("/boot")
    assert found is not None
    assert found.fstype == "ext4"
    assert mounts.is_safe("/boot/grub")


def test_an_automount_that_cannot_mount_costs_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_PATIENCE", 0.3)
    boot = Automounter(monkeypatch, mounts=False)
    start = time.monotonic()
    mounts = table.wake_all(["/boot", "/boot/efi"], [], boot.read)
    assert time.monotonic() - start < 10
    assert (boot.looked, boot.kept, boot.reads) == (["/boot", "/boot/efi"], [], 2)
    found = mounts.at("/boot")
    assert found is not None
    assert found.is_automount


def test_an_automount_of_a_network_filesystem_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = Automounter(monkeypatch)
    table.wake_all(["/boot"], ["/boot"], boot.read)
    assert boot.looked == []


def _open_places() -> dict[int, Path]:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {int(link.name): link.readlink() for link in links}


def test_what_is_kept_has_an_open_directory(tmp_path: Path) -> None:
    table._keep_mounted(str(tmp_path))
    (descriptor,) = (number for number, place in _open_places().items() if place == tmp_path)
    os.close(descriptor)
    table._keep_mounted(str(tmp_path / "gone"))
