# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading /proc, /sys and /etc, where files can disappear at any moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_udev_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket, process = tmp_path / "control", tmp_path / "42"
    process.mkdir()
    (process / "comm").write_text("udevadm\n")
    monkeypatch.setattr(facts, "_UDEV", str(socket))
    monkeypatch.setattr(facts, "_PROC", tmp_path)
    assert facts.read_host().udev_runs, "without the socket of udev, LVM does not wait for udev"
    socket.touch()
    assert not facts.read_host().udev_runs
    (process / "comm").write_text("systemd-udevd\n")
    assert facts.read_host().udev_runs


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
    status = os.statvfs_result((512, 4096, 9999, free, 0, files, free_files, 0, flags, 255))
    monkeypatch.setattr(os, "statvfs", _only({place: status}))
    assert facts._can_archive() is expected


def _only(places: dict[str, os.statvfs_result]) -> Callable[[Path], os.statvfs_result]:
    def statvfs(path: Path) -> os.statvfs_result:
        if str(path) not in places:
            raise FileNotFoundError
        return places[str(path)]

    return statvfs


def test_lvm_makes_its_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", _only({}))
    assert facts._can_archive()


def test_lvm_cannot_archive_on_a_filesystem_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    assert not facts._can_archive()


def test_block_devices(tmp_path: Path) -> None:
    def add(name: str, files: dict[str, str]) -> None:
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    add("dm-0", {"dev": "254:0\n", "dm/name": "vg-root\n", "dm/uuid": "LVM-xyz\n", "slaves/sda3/dev": "8:3\n"})
    add("sda3", {"dev": "8:3\n", "holders/dm-0/dev": "254:0\n"})
    add("odd", {"size": "0\n"})
    found = dict(facts._block_devices(tmp_path))
    assert set(found) == {(254, 0), (8, 3)}
    assert (found[254, 0].dm_name, found[254, 0].dm_uuid, found[254, 0].slaves) == ("vg-root", "LVM-xyz", ((8, 3),))
    assert (found[8, 3].dm_uuid, found[8, 3].holders, found[8, 3].slaves) == ("", ("dm-0",), ())


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL])
def test_a_device_that_is_removed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    _device(tmp_path)
    _break(monkeypatch, "dev", code)
    assert list(facts._block_devices(tmp_path)) == []


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL, errno.EIO])
@pytest.mark.parametrize("attribute", ["name", "uuid"])
def test_a_device_of_device_mapper_that_is_removed_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, code: int
) -> None:
    """There device-mapper returns EIO (dm_attr_name_show, drivers/md/dm-sysfs.c)."""
    _device(tmp_path)
    _break(monkeypatch, attribute, code)
    ((_number, found),) = facts._block_devices(tmp_path)
    assert {"name": found.dm_name, "uuid": found.dm_uuid} == {"name": "vg-a", "uuid": "LVM-x", attribute: ""}


@pytest.mark.parametrize(("attribute", "code"), [("dev", errno.EIO), ("dev", errno.EACCES), ("name", errno.EACCES)])
def test_any_other_error_is_raised_with_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, code: int
) -> None:
    _device(tmp_path)
    _break(monkeypatch, attribute, code)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        list(facts._block_devices(tmp_path))
    assert str(caught.value.filename).endswith(f"/{attribute}")


def _device(top: Path) -> None:
    for name, text in {"dev": "254:0\n", "dm/name": "vg-a\n", "dm/uuid": "LVM-x\n"}.items():
        file = top / "dm-0" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _break(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Reading a file called ``name`` fails. It can be opened, so that the error does not say which file it is."""
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == name:
            raise OSError(code, os.strerror(code))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)


def test_a_directory_that_is_removed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slaves").mkdir()

    def gone(path: Path) -> Iterator[Path]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", gone)
    assert facts._entries(tmp_path / "slaves") == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # systemd-id128 machine-id --app-specific=f834d514fd884a08b63c96e48d1595c0, systemd 252, prints
        # 5cc98959658b4035a50e3b29e0850631.
        ("00112233445566778899aabbccddeeff\n", "5cc98959658b4035"),
        ("00112233445566778899aabbccddeeff", "5cc98959658b4035"),
        ("uninitialized\n", ""),
        ("", ""),
        ("\n", ""),
        ("00000000000000000000000000000000\n", ""),
        ("00112233445566778899AABBCCDDEEFF\n", ""),
        ("00112233445566778899aabbccddeef\n", ""),
        ("00112233445566778899aabbccddeeff0\n", ""),
        ("00112233-4455-6677-8899-aabbccddeeff\n", ""),
        ("00112233445566778899aabbccddeeff\n\n", ""),
    ],
)
def test_the_host_id(content: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "machine-id").write_text(content)
    monkeypatch.setattr(facts, "_MACHINE_ID", str(tmp_path / "machine-id"))
    assert facts.read_host().host_id == expected


def test_a_machine_id_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing", tmp_path):
        monkeypatch.setattr(facts, "_MACHINE_ID", str(path))
        assert facts.read_host().host_id == ""


@pytest.mark.parametrize(
    ("main", "more", "expected"),
    [
        ("", "", False),
        ("GRUB_DISABLE_OS_PROBER=false\n", "", True),
        ('  export GRUB_DISABLE_OS_PROBER="false"\n', "", True),
        ("#GRUB_DISABLE_OS_PROBER=false\n", "", False),
        ("GRUB_DISABLE_OS_PROBER=false\n", "GRUB_DISABLE_OS_PROBER=true\n", False),
        ("GRUB_DISABLE_OS_PROBER=true\n", "GRUB_TIMEOUT=0\nGRUB_DISABLE_OS_PROBER='false'\n", True),
    ],
)
def test_whether_grub_looks_for_other_systems(
    main: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, expected: bool
) -> None:
    monkeypatch.setattr(facts, "_GRUB", tmp_path / "grub")
    monkeypatch.setattr(facts, "find_tool", lambda name: f"/usr/bin/{name}")
    (tmp_path / "grub").write_text(main)
    (tmp_path / "grub.d").mkdir()
    (tmp_path / "grub.d" / "a.cfg").write_text(more)
    assert facts._runs_os_prober() is expected
    monkeypatch.setattr(facts, "find_tool", lambda _name: None)
    assert facts._runs_os_prober() is False
