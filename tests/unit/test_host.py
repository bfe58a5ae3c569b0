# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading /proc, /sys and /etc."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils import _host
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import clean_environment
from ansible_collections.safepoint.lvm.plugins.module_utils._model import FstabEntry, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    monkeypatch.setattr(_host, "_device_number", PATHS.get)


def test_udev_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket, process = tmp_path / "control", tmp_path / "42"
    process.mkdir()
    (process / "comm").write_text("udevadm\n")
    monkeypatch.setattr(_host, "_UDEV", str(socket))
    monkeypatch.setattr(_host, "_PROC", tmp_path)
    assert _host.read_host().udev_runs, "where there is no udev, LVM waits for nobody"
    socket.touch()
    assert not _host.read_host().udev_runs
    (process / "comm").write_text("systemd-udevd\n")
    assert _host.read_host().udev_runs


@pytest.mark.parametrize(
    ("free", "files", "free_files", "flags", "expected"),
    [
        (8192, 9, 1, 0, True),
        (8191, 9, 1, 0, False),
        (8192, 9, 0, 0, False),
        (8192, 0, 0, 0, True),
        (8192, 9, 1, os.ST_RDONLY, False),
    ],
    ids=["just enough room", "too little", "no more files", "files without a limit", "read-only"],
)
@pytest.mark.parametrize("place", ["/etc/lvm/archive", "/etc/lvm"])
def test_lvm_can_archive(
    place: str,
    free: int,
    files: int,
    free_files: int,
    flags: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    expected: bool,
) -> None:
    numbers = os.statvfs_result((512, 4096, 9999, free, 0, files, free_files, 0, flags, 255))
    monkeypatch.setattr(os, "statvfs", _only({place: numbers}))
    assert _host._can_archive() is expected


def _only(places: dict[str, os.statvfs_result]) -> Callable[[Path], os.statvfs_result]:
    def statvfs(path: Path) -> os.statvfs_result:
        if str(path) not in places:
            raise FileNotFoundError
        return places[str(path)]

    return statvfs


def test_lvm_makes_its_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", _only({}))
    assert _host._can_archive()


def test_lvm_cannot_archive_on_a_filesystem_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    assert not _host._can_archive()


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
    assert list(_host.parse_mountinfo(lines, [ROOT, SRV])) == [
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
    assert list(_host.parse_swaps(lines)) == [Mount("[SWAP]", "/dev/mapper/vg-swap", "swap", SWAP)]


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
    assert list(_host.parse_fstab([line])) == ([] if entry is None else [entry])


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
    assert _host.root_argument(cmdline) == root


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("usr/lib/modules/6.12/kernel/drivers/md/dm-snapshot.ko.xz", {"dm_snapshot"}),
        ("kernel/drivers/md/dm-thin-pool.ko", {"dm_thin_pool"}),
        ("-rw-r--r-- 1 root root 9 Jan 1 2026 usr/lib/modules/6/dm-mod.ko.zst", {"dm_mod"}),
        ("usr/share/doc/dm-snapshot.ko.xz.txt/README", set()),
        ("usr/bin/kodi", set()),
        ("", set()),
    ],
)
def test_modules_in_an_initramfs(line: str, modules: set[str]) -> None:
    assert _host.modules_in([line]) == modules


UDEV_STOPS, POLLERS_END = "scripts/init-bottom/udev", "scripts/local-bottom/safepoint-lvm"


@pytest.mark.parametrize(
    ("lines", "leaves"),
    [
        ([UDEV_STOPS], True),
        ([POLLERS_END, UDEV_STOPS], False),
        (["-rwxr-xr-x 1 root root 400 Jan 1 2026 usr/lib/dracut/hooks/cmdline/30-parse-lvm.sh"], False),
    ],
)
def test_pollers_in_an_initramfs(lines: list[str], *, leaves: bool) -> None:
    assert _host.leaves_pollers(lines) is leaves


def test_block_devices(tmp_path: Path) -> None:
    def add(name: str, files: dict[str, str]) -> None:
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    add("dm-0", {"dev": "254:0\n", "dm/name": "vg-root\n", "dm/uuid": "LVM-xyz\n", "slaves/sda3/dev": "8:3\n"})
    add("sda3", {"dev": "8:3\n", "holders/dm-0/dev": "254:0\n"})
    add("odd", {"size": "0\n"})
    found = dict(_host._block_devices(tmp_path))
    assert set(found) == {(254, 0), (8, 3)}
    assert (found[254, 0].dm_name, found[254, 0].dm_uuid, found[254, 0].slaves) == ("vg-root", "LVM-xyz", ((8, 3),))
    assert (found[8, 3].dm_uuid, found[8, 3].holders, found[8, 3].slaves) == ("", ("dm-0",), ())


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL, errno.EIO])
def test_a_device_that_ends_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (tmp_path / "dm-0" / "slaves").mkdir(parents=True)
    (tmp_path / "dm-0" / "dev").write_text("254:0\n")

    def gone(*_arguments: object, **_options: object) -> str:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("pathlib.Path.read_bytes", gone)
    if code == errno.EIO:
        # Anything else is no sign of an end, and is not hidden.
        with pytest.raises(OSError, match=os.strerror(code)):
            list(_host._block_devices(tmp_path))
    else:
        assert list(_host._block_devices(tmp_path)) == []


def test_a_directory_that_ends_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slaves").mkdir()

    def gone(path: Path) -> Iterator[Path]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", gone)
    assert _host._entries(tmp_path / "slaves") == []


def test_environment_of_lvm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LVM_SYSTEM_DIR", "LVM_SUPPRESS_LOCKING_FAILURE_MESSAGES", "DM_DEV_DIR", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PATH", "/usr/sbin")
    environment = clean_environment()
    odd = {key for key in environment if key.startswith(("LVM_", "DM_", "LC_", "LANG"))}
    assert odd == {"LC_ALL", "LVM_SUPPRESS_FD_WARNINGS"}
    assert environment["LC_ALL"] == "C"
    assert environment["PATH"] == "/usr/sbin"
