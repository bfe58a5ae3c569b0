# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out and undoing the steps of a boot entry, on a directory that stands for /boot."""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import builders as b
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry import grub, installed, steps
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.entries import Kernel
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.grub import Grub, entry_id
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.menu import custom_part
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Manifest, Tree

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._steps import Runner

OTHERS = "menuentry mine {\n}\n"
NOBODY = cast("Runner", None)
"""These steps run no LVM command."""


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (grub, installed, steps):
        for name, value in (
            ("BOOT", tmp_path),
            ("HOME", tmp_path / "safepoint.lvm"),
        ):
            monkeypatch.setattr(module, name, value, raising=False)
    monkeypatch.setattr(steps, "mounted", lambda _device: nullcontext(tmp_path))
    monkeypatch.setattr(steps, "read_manifest", lambda *_where: Manifest((Tree(str(tmp_path), "ext4", {}),)))
    monkeypatch.setattr(steps, "copies_of", lambda place, _tree: place)
    (tmp_path / "loader" / "entries").mkdir(parents=True)
    (tmp_path / "vmlinuz-6").write_text("kernel")
    (tmp_path / "initrd.img-6").write_text("initramfs")
    (tmp_path / "custom.cfg").write_text(OTHERS)
    return tmp_path


def write() -> steps.WriteEntry:
    kernel = Kernel("6", "vmlinuz-6", "initrd.img-6")
    return steps.WriteEntry(b.SET_ID, "s", "/dev/backup", "sum", kernel, b"image", "shown")


def test_the_directory_of_an_entry(boot: Path) -> None:
    write().carry_out(NOBODY)
    (found,) = installed.entries()
    assert (found.name, found.set_id, found.kernel, found.digest) == ("s", b.SET_ID, "6", "shown")
    assert installed.is_intact(found)
    chosen = Grub("/boot/grub", "", {"next_entry": entry_id(b.SET_ID)})
    assert found.to_result(chosen)["next_boot"] is True
    assert found.to_result(None)["next_boot"] is False
    (found.place / "look.img").write_text("damaged")
    assert not installed.is_intact(found)
    (found.place / "look.img").unlink()
    assert not installed.is_intact(found)
    steps.RemoveEntry(found.place).carry_out(NOBODY)
    assert installed.entries() == []
    assert not (boot / "safepoint.lvm").exists()


def test_what_an_interrupted_run_has_left(boot: Path) -> None:
    write().carry_out(NOBODY)
    (found,) = installed.entries()
    (found.place / grub.RECORD).write_text('{"format": 1')
    (half,) = installed.entries()
    assert (half.name, half.set_id, half.sums) == ("", b.SET_ID, None)
    assert write().undo(NOBODY) is True
    assert write().undo(NOBODY) is False
    assert not (boot / "safepoint.lvm").exists()


def test_the_diff_shows_nothing_of_kernel_and_initramfs(boot: Path) -> None:
    assert boot.is_dir()
    diffs = [file.to_diff() for file in write().changed_files()]
    assert [one["after"] for one in diffs[:2]] == ["copy of vmlinuz-6\n", "copy of initrd.img-6\n"]
    assert diffs[2]["after"].startswith("5 bytes, sha256 ")


def test_an_entry_in_the_menu_and_out_of_it(boot: Path) -> None:
    part = custom_part(
        Grub(str(boot), 'set default="0"', {}, custom=OTHERS), b.SET_ID, "menuentry 'Preview of snapset s' { true }\n"
    )
    add = steps.AddToMenu(b.SET_ID, boot / "custom.cfg", part)
    add.carry_out(NOBODY)
    add.carry_out(NOBODY)
    custom = (boot / "custom.cfg").read_text()
    assert custom.startswith(OTHERS)
    assert custom.count("set fallback=") == 1
    # Other parts of the menu may contain secrets.
    assert OTHERS not in "".join(file.after for file in add.changed_files())
    assert add.undo(NOBODY) is True
    assert (boot / "custom.cfg").read_text() == OTHERS
    assert add.undo(NOBODY) is False


@pytest.mark.parametrize("link", [False, True])
def test_a_menu_with_passwords_stays_as_secret_as_it_was(boot: Path, *, link: bool) -> None:
    """GRUB's superusers and password hashes are kept there, and it may be a link of a configuration management."""
    custom, file = boot / "custom.cfg", boot / ("managed" if link else "custom.cfg")
    if link:
        custom.rename(file)
        custom.symlink_to("managed")
    file.chmod(0o640)
    os.chown(file, 0, 12)
    os.setxattr(file, "user.label", b"secret")
    part = custom_part(Grub(str(boot), "", {}), b.SET_ID, "")
    steps.AddToMenu(b.SET_ID, custom, part).carry_out(NOBODY)
    assert custom.read_text() == f"{OTHERS}{part}"
    _check_secret(custom, file, link=link)
    steps.TakeFromMenu(b.SET_ID, custom).carry_out(NOBODY)
    assert custom.read_text() == OTHERS
    _check_secret(custom, file, link=link)


def _check_secret(custom: Path, file: Path, *, link: bool) -> None:
    found = file.stat()
    assert (custom.is_symlink(), stat.S_IMODE(found.st_mode), found.st_gid) == (link, 0o640, 12)
    assert os.getxattr(file, "user.label") == b"secret"


def test_what_is_new_is_readable_only_for_root(boot: Path) -> None:
    (boot / "custom.cfg").unlink()
    steps.AddToMenu(b.SET_ID, boot / "custom.cfg", "part").carry_out(NOBODY)
    write().carry_out(NOBODY)
    modes = [stat.S_IMODE((boot / name).stat().st_mode) for name in ("custom.cfg", "safepoint.lvm")]
    assert modes == [0o600, 0o700]


def test_a_menu_of_nobody_else_goes_with_the_entry(boot: Path) -> None:
    (boot / "custom.cfg").unlink()
    part = custom_part(Grub(str(boot), "", {}), b.SET_ID, "")
    steps.AddToMenu(b.SET_ID, boot / "custom.cfg", part).carry_out(NOBODY)
    steps.TakeFromMenu(b.SET_ID, boot / "custom.cfg").carry_out(NOBODY)
    assert not (boot / "custom.cfg").exists()


@pytest.mark.parametrize(
    ("unset", "words", "name"),
    [
        (False, ("set", "next_entry=e"), "choose_for_next_boot"),
        (True, ("unset", "next_entry"), "take_back_choice"),
    ],
)
def test_the_choice_of_the_next_boot(
    boot: Path, monkeypatch: pytest.MonkeyPatch, *, unset: bool, words: tuple[str, ...], name: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(steps, "run_tool", lambda *argv: asked.append(argv))
    step = steps.ChooseNextBoot("grub-editenv", str(boot / "grubenv"), "e", unset)
    step.carry_out(NOBODY)
    assert asked == [("grub-editenv", str(boot / "grubenv"), *words)]
    assert step.render() == {"step": name, "entry": "e"}
