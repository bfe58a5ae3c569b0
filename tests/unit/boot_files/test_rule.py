# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule for boot files. That module and timer follow it is in rollback_timer/test_same_rule.py."""

from __future__ import annotations

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import Difference, compare
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.rule import (
    FIRMWARE,
    boot_safe_order,
    is_indispensable,
    is_menu,
    part_of,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree


@pytest.mark.parametrize(
    "path",
    [
        "grub/grub.cfg",
        "grub2/grubenv",
        "loader/entries/x.conf",
        "EFI/debian/grub.cfg",
        "EFI/Linux/a.efi",
        "efi/LINUX/A.EFI",
    ],
)
def test_the_menu_comes_last(path: str) -> None:
    assert is_menu(path)
    assert boot_safe_order([path, "z", "vmlinuz-1"]) == ["vmlinuz-1", "z", path]


def test_grub_cfg_is_the_very_last() -> None:
    assert boot_safe_order(["grub/grub.cfg", "grub/grubenv", "initrd.img-1"]) == [
        "initrd.img-1",
        "grub/grubenv",
        "grub/grub.cfg",
    ]


@pytest.mark.parametrize(
    "path", ["loader/random-seed", "grub/fonts/x.cfg", "EFI/x/shim.efi", "loader/.tmp.conf", "grub/.cfg", "vmlinuz"]
)
def test_other_files_are_no_menu(path: str) -> None:
    assert not is_menu(path)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("grub2/i386-pc/normal.mod", "grub2/i386-pc/core.img"),
        ("grub/powerpc-ieee1275/core.elf", "grub/powerpc-ieee1275/core.elf"),
        ("extlinux/menu.c32", "extlinux/ldlinux.sys"),
        ("ldlinux.sys", "ldlinux.sys"),
        ("grub/arm64-efi/normal.mod", FIRMWARE),
        ("EFI/BOOT/BOOTX64.EFI", FIRMWARE),
        ("EFI/Linux/a.efi", ""),
        ("grub/grub.cfg", ""),
        ("grub/i386-pc", ""),
        ("extlinux/extlinux.conf", ""),
    ],
)
def test_what_a_file_belongs_to(path: str, part: str) -> None:
    assert part_of(path) == part


@pytest.mark.parametrize(
    ("mountpoint", "path", "expected"),
    [
        ("/boot", "x", True),
        ("/boot/efi", "EFI/x/shim.efi", False),
        ("/efi", "EFI/Linux/a.efi", True),
        ("/boot/efi", "0123/6.1/linux", True),
        ("/boot/firmware", "kernel8.img", True),
        ("/boot/efi", "debian/vmlinuz-6.1", True),
    ],
)
def test_what_the_host_cannot_roll_back_without(mountpoint: str, path: str, expected: object) -> None:
    assert is_indispensable(Tree(mountpoint, "vfat", {path: Entry("file")})) is expected


def _esp(*paths: str, text: str = "1", fstype: str = "vfat") -> Tree:
    parents = {path.rpartition("/")[0] for path in paths} - {""}
    files = {path: Entry("file", sha256=text) for path in paths}
    return Tree("/boot/efi", fstype, {**{parent: Entry("directory") for parent in parents}, **files})


def test_on_vfat_a_name_in_another_case_is_the_same_name() -> None:
    was, now = _esp("EFI/Boot/bootx64.efi"), _esp("EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/new", text="2")
    assert compare(was, now) == Difference(changed=("EFI/Boot/bootx64.efi",), extra=("EFI/Boot/new",))
    assert compare(was, _esp("EFI/BOOT/BOOTX64.EFI")) == Difference()
    ext4 = compare(_esp("a", fstype="ext4"), _esp("A", fstype="ext4"))
    assert (ext4.missing, ext4.extra) == (("a",), ("A",))


def test_a_directory_with_a_file_that_stays_stays_too() -> None:
    was, now = _esp("a"), Tree("/boot/efi", "vfat", {**_esp("a").entries, "loader": Entry("directory")})
    assert compare(was, now).extra == ("loader",)
    now = Tree("/boot/efi", "vfat", {**now.entries, "loader/random-seed": Entry("left_out")})
    assert compare(was, now).is_empty
    assert compare(now, was) == Difference(missing=("loader",))
