# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a backup of /boot."""

from __future__ import annotations

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.firmware import Firmware
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.manifest import load
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Manifest, Tree, dump
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused


def test_a_manifest_comes_back_as_it_was() -> None:
    entries = {
        ".": Entry(kind="directory", mode=0o755, uid=1, gid=2, mtime=1_600_000_000_123_456_789),
        "vmlinuz": Entry(kind="link", target="vmlinuz-1"),
        "vmlinuz-1": Entry(kind="file", mode=0o600, size=9, sha256="5" * 64),
        "efi": Entry(kind="mountpoint"),
        "\udcff": Entry(kind="file", xattrs={"user.x": "AA=="}),
    }
    trees = (Tree("/boot", "ext4", entries), Tree("/boot/efi", "vfat", {".": Entry(kind="directory")}))
    firmware = Firmware({"BootOrder-x": b"\7\0\0\0\1\0"})
    assert load(dump(trees, firmware)) == Manifest(trees, firmware)


def test_a_manifest_of_the_first_version_has_no_firmware() -> None:
    assert load('{"format": 1, "trees": []}') == Manifest()


def test_a_manifest_of_another_format_is_refused() -> None:
    with pytest.raises(Refused, match="its format is 2 and must be 1"):
        load('{"format": 2, "trees": []}')
