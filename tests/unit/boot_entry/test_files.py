# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A boot entry written, found, and removed again, on a directory that stands for /boot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import pytest
from backups import ROOT, backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry import files, installed
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.entries import Kernel
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.grub import Grub, entry_id
from ansible_collections.safepoint.lvm.plugins.module_utils._model import Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import situation

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Picture

OTHERS = "menuentry mine {\n}\n"


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (files, installed):
        monkeypatch.setattr(module, "BOOT", tmp_path)
        monkeypatch.setattr(module, "HOME", tmp_path / "safepoint.lvm")
        monkeypatch.setattr(module, "BLS", tmp_path / "loader" / "entries")
    monkeypatch.setattr(files, "lasting_name", lambda _source: "/dev/disk/by-uuid/12-34")
    (tmp_path / "loader" / "entries").mkdir(parents=True)
    (tmp_path / "vmlinuz-6").write_text("kernel")
    (tmp_path / "custom.cfg").write_text(OTHERS)
    return tmp_path


def picture_of(boot: Path) -> Picture:
    picture = host(taken(), backup(), boot=())
    mount = Mount(str(boot), "/dev/vda2", "ext4", (254, 2))
    return replace(picture, host=replace(picture.host, mounts=(*picture.host.mounts, mount)))


def new_entry(picture: Picture, boot: Path) -> files.NewEntry:
    taking = situation(picture, "s").taking
    assert taking is not None
    kernel = Kernel("6", "vmlinuz-6", "initrd.img-6")
    return files.NewEntry(taking, kernel, "dracut", {"vmlinuz": boot / "vmlinuz-6", "look.img": b"image"})


def test_the_directory_of_an_entry(boot: Path) -> None:
    picture = picture_of(boot)
    new = new_entry(picture, boot)
    assert new.size == len("kernelimage")
    files.write_files(picture, new)
    (found,) = installed.entries()
    assert (found.name, found.set_id, found.kernel) == ("s", b.SET_ID, "6")
    assert files.is_intact(found)
    chosen = Grub("/boot/grub", "", {"next_entry": entry_id(b.SET_ID)})
    assert found.to_result(chosen)["next_boot"] is True
    assert found.to_result(None)["next_boot"] is False
    (found.place / "look.img").write_text("damaged")
    assert not files.is_intact(found)
    (found.place / "look.img").unlink()
    assert not files.is_intact(found)
    files.remove_files(found.place)
    assert installed.entries() == []
    assert not (boot / "safepoint.lvm").exists()


def test_what_an_interrupted_run_has_left(boot: Path) -> None:
    files.write_files(picture_of(boot), new_entry(picture_of(boot), boot))
    (found,) = installed.entries()
    (found.place / installed.RECORD).write_text('{"format": 1')
    (half,) = installed.entries()
    assert (half.name, half.set_id, half.sums) == ("", b.SET_ID, None)


@pytest.mark.parametrize("bls", [None, ()])
def test_an_entry_in_the_menu_and_out_of_it(boot: Path, bls: tuple[str, ...] | None) -> None:
    picture = picture_of(boot)
    grub = Grub(str(boot), 'set default="0"', {}, custom=OTHERS, entries=bls)
    files.add_to_menu(picture, new_entry(picture, boot), grub)
    files.add_to_menu(picture, new_entry(picture, boot), grub)
    custom = (boot / "custom.cfg").read_text()
    assert custom.startswith(OTHERS)
    assert custom.count("set fallback=") == 1
    assert ("menuentry 'Safe point s" in custom) == (bls is None)
    assert files.bls_path(b.SET_ID).exists() == (bls is not None)
    assert f"/dev/mapper/{ROOT.vg}-root_s" in (custom if bls is None else files.bls_path(b.SET_ID).read_text())
    assert files.menu_path(grub, b.SET_ID) == str(boot / "custom.cfg" if bls is None else files.bls_path(b.SET_ID))
    files.take_from_custom(boot / "custom.cfg", b.SET_ID)
    assert (boot / "custom.cfg").read_text() == OTHERS
    (boot / "custom.cfg").write_text("")
    files.take_from_custom(boot / "custom.cfg", b.SET_ID)
    assert not (boot / "custom.cfg").exists()
