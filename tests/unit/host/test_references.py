# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""With which UUIDs and labels a host finds its devices at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import references
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import FstabEntry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Reference


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directories of a host that has nothing of its own."""
    units = tuple(tmp_path / name for name in ("etc", "run", "usr"))
    for directory in units:
        directory.mkdir()
    monkeypatch.setattr(references, "_CRYPTTAB", str(tmp_path / "crypttab"))
    monkeypatch.setattr(references, "_RESUME", tmp_path / "initramfs-tools")
    monkeypatch.setattr(references, "_UNIT_DIRECTORIES", units)
    return tmp_path


def found(words: Iterable[str] = (), fstab: Iterable[FstabEntry] = ()) -> list[Reference]:
    return list(references.read_references(fstab, words))


def contents(*words: str) -> list[tuple[str, str]]:
    return [(one.uuid, one.label) for one in found(words)]


@pytest.mark.parametrize(
    ("line", "uuid", "label"),
    [
        ("data UUID=1-2 /key luks", "1-2", ""),
        ("\tdata\t/dev/disk/by-uuid/1-2", "1-2", ""),
        ('data LABEL="x" none', "", "x"),
        ("data /dev/disk/by-label/my\\x20disk none luks", "", "my disk"),
    ],
)
def test_crypttab(host: Path, line: str, uuid: str, label: str) -> None:
    (host / "crypttab").write_text(f"# a comment\n\n{line}\nother /dev/mapper/vg-b none\nthird PARTUUID=1\n")
    (one,) = found()
    assert one.text == f"/etc/crypttab opens data by {line.split()[1]}".replace("/etc/crypttab", str(host / "crypttab"))
    assert (one.uuid, one.label, one.mountpoint) == (uuid, label, "")


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["root=/dev/mapper/vg-root", "ro"], []),
        (["root=UUID=1"], [("1", "")]),
        (["root=UUID=1", "root=LABEL=x"], [("", "x")]),
        (["root=PARTUUID=1", "usr=LABEL=u"], [("", "u")]),
        (["resume=/dev/disk/by-uuid/7"], [("7", "")]),
        (["rd.luks.uuid=luks-1-2"], [("1-2", "")]),
        (["luks.uuid=1-2", "rd.luks.name=3-4=data"], [("1-2", ""), ("3-4", "")]),
        (["rd.luks.options=discard", "rd.luks.key=/k:UUID=9"], []),
        (["cryptdevice=UUID=1:root", "cryptopts=target=x,source=UUID=2,key=none"], [("1", ""), ("2", "")]),
        (["systemd.mount-extra=UUID=5:/srv:ext4"], [("5", "")]),
    ],
)
def test_arguments_of_the_kernel(words: list[str], expected: list[tuple[str, str]]) -> None:
    assert contents(*words) == expected


@pytest.mark.usefixtures("host")
def test_what_to_do_about_an_argument() -> None:
    root, resume, luks = found(["root=UUID=1", "resume=UUID=2", "rd.luks.uuid=3"])
    assert (root.mountpoint, root.cure) == ("/", "boot with root={path} instead")
    assert (resume.mountpoint, resume.cure) == ("", "boot with resume={path} instead")
    assert luks.cure == "remove it there, and use {path} in /etc/crypttab"


def test_words_of_a_command_line() -> None:
    words = references.words_of('BOOT_IMAGE=/vmlinuz root="LABEL=my root" rd.lvm.lv=vg/root rd.lvm.lv=vg/swap\n')
    assert words == ["BOOT_IMAGE=/vmlinuz", "root=LABEL=my root", "rd.lvm.lv=vg/root", "rd.lvm.lv=vg/swap"]
    assert references.early_volumes(words) == ("vg/root", "vg/swap")


@pytest.mark.usefixtures("host")
def test_fstab() -> None:
    entries = [
        FstabEntry("UUID=1", "/srv", (8, 1)),
        FstabEntry("LABEL=swap", "[SWAP]"),
        FstabEntry("/dev/mapper/vg-a", "/a"),
    ]
    srv, swap = found(fstab=entries)
    assert (srv.text, srv.uuid, srv.device, srv.mountpoint) == ("/etc/fstab mounts /srv by UUID=1", "1", (8, 1), "/srv")
    assert (swap.label, swap.mountpoint) == ("swap", "")


def test_units(host: Path) -> None:
    (host / "usr" / "srv-x.mount").write_text("[Mount]\nWhat=/dev/disk/by-uuid/1\nWhere=/srv/x\n")
    (host / "usr" / "a.swap").write_text("[Swap]\nWhat = UUID=2\n")
    (host / "usr" / "b.mount").write_text("[Mount]\nWhat=/dev/vg/b\nWhere=/b\n")
    (host / "usr" / "tmp.mount").symlink_to("/dev/null")
    assert [(one.text, one.uuid, one.mountpoint) for one in found()] == [
        ("the unit a.swap uses UUID=2", "2", ""),
        ("the unit srv-x.mount uses /dev/disk/by-uuid/1", "1", "/srv/x"),
    ]


def test_the_first_unit_of_a_name_counts_and_its_drop_ins(host: Path) -> None:
    (host / "usr" / "srv.mount").write_text("[Mount]\nWhat=UUID=1\nWhere=/srv\n")
    (host / "etc" / "srv.mount").write_text("[Mount]\nWhat=/dev/vg/srv\nWhere=/srv\n")
    assert found() == []
    (host / "run" / "srv.mount.d").mkdir()
    (host / "run" / "srv.mount.d" / "x.conf").write_text("[Mount]\nWhat=LABEL=srv\n")
    assert [one.label for one in found()] == ["srv"]


def test_the_resume_device_of_initramfs_tools(host: Path) -> None:
    (host / "initramfs-tools" / "conf.d" / "directory").mkdir(parents=True)
    (host / "initramfs-tools" / "conf.d" / "resume").write_text("# RESUME=UUID=0\nRESUME=UUID=1\n")
    (one,) = found()
    assert one.uuid == "1"
    assert one.text == f"{host}/initramfs-tools/conf.d/resume has RESUME=UUID=1"
