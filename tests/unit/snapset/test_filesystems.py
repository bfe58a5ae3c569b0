# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each filesystem lies on, and whether it rolls back."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import builders as b
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, FstabEntry, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.filesystems import (
    Filesystem,
    automount_problem,
    filesystems,
    is_at_or_below,
    stays_behind,
)

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

ROOT, VAR, DATA = b.volume("vg/root"), b.volume("vg/var"), b.volume("data/x")
PLAIN, LOOP, RAID, MIXED = (8, 1), (7, 0), (9, 0), (9, 1)
AUTOMOUNT = Mount("/data", "systemd-1", "autofs")


def host(*mounts: Mount, **more: Any) -> HostState:
    """/ and /var on LVs, and further mounts; beside these LVs a partition, a loop device and two md arrays."""
    one = b.host_state([ROOT, VAR, DATA], mounts={"/": ROOT, "/var": VAR})
    devices = {
        **one.host.devices,
        PLAIN: BlockDevice("sda1"),
        LOOP: BlockDevice("loop0"),
        RAID: BlockDevice("md0", slaves=((253, 1), (253, 2))),
        MIXED: BlockDevice("md1", slaves=((253, 2), PLAIN)),
    }
    return b.mounting(one, *mounts, devices=MappingProxyType(devices), **more)


def last(host_state: HostState) -> Filesystem:
    return filesystems(host_state)[-1]


def names(filesystem: Filesystem) -> list[str]:
    return [volume.full_name for volume in filesystem.volumes]


@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        (Mount("/x", "nas:/x", "nfs4"), "nas:/x is on another host (nfs4)"),
        (Mount("/x", "//nas/x", "cifs"), "//nas/x is on another host (cifs)"),
        (Mount("/x", "me@nas:", "fuse.sshfs"), "me@nas: is on another host (fuse.sshfs)"),
        (Mount("/x", "/dev/sda1", "fuseblk", PLAIN), "/dev/sda1 is provided by a program (fuseblk)"),
        (Mount("/x", "tmpfs", "tmpfs"), "it is in memory (tmpfs)"),
        (Mount("/x", "rpool/x", "zfs"), "rpool/x is zfs, not on LVM"),
        (Mount("/x", "x", "a-type-of-the-future"), "x is a-type-of-the-future, not on LVM"),
        (Mount("/x", "/dev/sda1", "ext4", PLAIN), "/dev/sda1 is not on LVM"),
        (Mount("/x", "/dev/gone", "ext4", (8, 77)), "/dev/gone is not a block device of this host"),
        (Mount("/x", "/dev/md1", "ext4", MIXED), "/dev/md1 is also on /dev/sda1, not only on LVM"),
        (Mount("/x", "overlay", "overlay"), "it is an overlay with its files in directories that are not known"),
        (Mount("/x", "-hosts", "autofs"), "it is an automount, and what it mounts is not mounted now"),
    ],
)
def test_what_lvm_cannot_roll_back(mount: Mount, problem: str) -> None:
    found = last(host(mount))
    assert found.problem == problem
    assert stays_behind(found, [ROOT, VAR, DATA]) == problem
    assert found.mounted is not mount.is_automount


@pytest.mark.parametrize(
    ("mount", "volumes"),
    [
        (Mount("/x", "/dev/mapper/data-x", "ext4", (253, 2)), ["data/x"]),
        (Mount("/x", "/dev/mapper/data-x", "ext4", (253, 2), root="/part"), ["data/x"]),
        (Mount("/x", "/dev/md0", "ext4", RAID), ["vg/var", "data/x"]),
        (Mount("/x", "/dev/mapper/data-x", "xfs", (253, 2), more=((253, 1),)), ["data/x", "vg/var"]),
        (Mount("/x", "overlay", "overlay", carrier="/var/up", layers=("/usr",)), ["vg/var"]),
        (Mount("/x", "overlay", "overlay", layers=("/var/a", "/usr", "/var/b")), ["vg/var", "vg/root"]),
        (Mount("/x", "/dev/loop0", "ext4", LOOP, carrier="/var/image"), ["vg/var"]),
    ],
)
def test_what_rolls_back_with_volumes(mount: Mount, volumes: list[str]) -> None:
    host_state = host(mount)
    found = last(host_state)
    assert (names(found), found.problem) == (volumes, None)
    members = [host_state.volume(*name.split("/")) for name in volumes]
    known = [member for member in members if member is not None]
    assert stays_behind(found, known) is None
    assert stays_behind(found, known[1:]) == f"{volumes[0]} is not in the snapset"


@pytest.mark.parametrize(
    ("mounts", "problem"),
    [
        (
            [Mount("/mem", "tmpfs", "tmpfs"), Mount("/x", "overlay", "overlay", carrier="/mem/up")],
            "it is an overlay with its files in /mem/up: it is in memory (tmpfs)",
        ),
        (
            [Mount("/nas", "nas:/", "nfs4"), Mount("/x", "/dev/loop0", "ext4", LOOP, carrier="/nas/image")],
            "/dev/loop0 is not on LVM, it is the file /nas/image: nas:/ is on another host (nfs4)",
        ),
        (
            [Mount("/x", "overlay", "overlay", carrier="/x/up")],
            "it is an overlay with its files in /x/up, and another mount hides that",
        ),
        (
            [Mount("/y", "o", "overlay", carrier="/x/up"), Mount("/x", "o", "overlay", carrier="/y/up")],
            "it is an overlay with its files in /y/up: it is an overlay with its files in /x/up, and another",
        ),
    ],
)
def test_what_holds_it_may_not_roll_back(mounts: list[Mount], problem: str) -> None:
    found = last(host(*mounts))
    assert found.problem is not None
    assert found.problem.startswith(problem)


@pytest.mark.parametrize(
    ("mount", "shown"),
    [
        (Mount("/proc", "proc", "proc"), False),
        (Mount("/run", "tmpfs", "tmpfs"), False),
        (Mount("/run/user/0", "tmpfs", "tmpfs"), False),
        (Mount("/run/media/disk", "/dev/sda1", "ext4", PLAIN), True),
        (Mount("/tmp", "tmpfs", "tmpfs"), True),
        (Mount("/running", "tmpfs", "tmpfs"), True),
        (Mount("/var/lib/nfs/rpc_pipefs", "sunrpc", "rpc_pipefs"), False),
        (Mount("/proc/sys/fs/binfmt_misc", "systemd-1", "autofs"), False),
        (Mount("/net", "-hosts", "autofs"), True),
    ],
)
def test_what_holds_no_files_of_anybody_is_not_shown(mount: Mount, shown: bool) -> None:  # noqa: FBT001
    paths = [one.mountpoint for one in filesystems(host(mount))]
    assert paths == ["/", "/var", *([mount.mountpoint] * shown)]


@pytest.mark.parametrize(
    ("fstype", "lasts"), [("tmpfs", False), ("squashfs", False), ("iso9660", False), ("ext4", True), ("nfs4", True)]
)
def test_where_an_upgrade_can_leave_something(fstype: str, lasts: bool) -> None:  # noqa: FBT001
    assert last(host(Mount("/x", "x", fstype))).lasts is lasts


# fstab and automounts


@pytest.mark.parametrize(
    ("entry", "volumes", "problem"),
    [
        (FstabEntry("/dev/data/x", "/data", (253, 2), "ext4"), ["data/x"], None),
        (FstabEntry("UUID=1", "/data", PLAIN, "ext4"), [], "UUID=1 is in /etc/fstab, but not mounted"),
        (FstabEntry("nas:/x", "/data", None, "nfs"), [], "nas:/x is in /etc/fstab, but not mounted"),
    ],
)
@pytest.mark.parametrize("mounts", [[], [AUTOMOUNT]])
def test_what_is_not_mounted(entry: FstabEntry, volumes: list[str], problem: str | None, mounts: list[Mount]) -> None:
    found = last(host(*mounts, fstab=(entry,)))
    assert (found.mountpoint, found.source, found.fstype, found.mounted) == ("/data", entry.spec, entry.fstype, False)
    assert (names(found), found.problem) == (volumes, problem)


def test_what_fstab_has_and_is_mounted_is_shown_once() -> None:
    entry = FstabEntry("/dev/vg/var", "/var", (253, 1), "ext4")
    assert [one.mountpoint for one in filesystems(host(fstab=(entry,)))] == ["/", "/var"]
    mounted = Mount("/data", "/dev/mapper/data-x", "ext4", (253, 2))
    woken = host(AUTOMOUNT, mounted, fstab=(replace(entry, mountpoint="/data"),))
    assert [one.fstype for one in filesystems(woken) if one.mountpoint == "/data"] == ["ext4"]


@pytest.mark.parametrize(
    "entry",
    [
        FstabEntry("/dev/vg/swap", "[SWAP]", None, "swap"),
        FstabEntry("tmpfs", "/tmp", None, "tmpfs"),
        FstabEntry("proc", "/proc", None, "proc"),
        FstabEntry("x", "none", None, "ext4"),
    ],
)
def test_lines_of_fstab_of_no_importance(entry: FstabEntry) -> None:
    assert len(filesystems(host(fstab=(entry,)))) == 2


def test_an_automount_that_waits() -> None:
    assert automount_problem(host().host, "/data") is None
    problem = automount_problem(host(AUTOMOUNT).host, "/data/below")
    assert problem is not None
    assert problem.startswith("/data/below is an automount and could not be mounted within 30 s")
    mounted = Mount("/data", "/dev/sda1", "ext4", PLAIN)
    assert automount_problem(host(AUTOMOUNT, mounted).host, "/data") is None


def test_paths() -> None:
    assert is_at_or_below("/var", "/var")
    assert is_at_or_below("/var/lib", "/var")
    assert is_at_or_below("/var", "/")
    assert not is_at_or_below("/variable", "/var")


def test_a_filesystem_on_lvm_names_what_is_missing() -> None:
    both: tuple[Volume, ...] = (ROOT, VAR)
    found = Filesystem("/x", "x", "btrfs", mounted=True, volumes=both)
    assert stays_behind(found, []) == "vg/root, vg/var is not in the snapset"
