# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which the files of a boot filesystem are restored."""

from __future__ import annotations

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import boot_safe_order, is_menu


@pytest.mark.parametrize("path", ["grub/grub.cfg", "grub2/grubenv", "loader/entries/x.conf", "EFI/debian/grub.cfg"])
def test_the_menu_comes_last(path: str) -> None:
    assert is_menu(path)
    assert boot_safe_order([path, "z", "vmlinuz-1"]) == ["vmlinuz-1", "z", path]


def test_grub_cfg_is_the_very_last() -> None:
    assert boot_safe_order(["grub/grub.cfg", "grub/grubenv", "initrd.img-1"]) == [
        "initrd.img-1",
        "grub/grubenv",
        "grub/grub.cfg",
    ]
