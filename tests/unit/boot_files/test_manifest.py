# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a backup of /boot."""

from __future__ import annotations

import json
from typing import Any

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


FILE = {"kind": "file", "size": 1}
TOP = {".": {"kind": "directory"}}


def written(mountpoint: str, entries: dict[str, Any]) -> str:
    return json.dumps({"format": 1, "trees": [{"mountpoint": mountpoint, "fstype": "ext4", "entries": entries}]})


@pytest.mark.parametrize(
    ("mountpoint", "path"),
    [
        ("/boot", "../etc/cron.d/x"),
        ("/boot", "/etc/cron.d/x"),
        ("/boot", "grub/../../etc/cron.d/x"),
        ("/boot", "grub/./x"),
        ("/boot", "grub//x"),
        ("/boot", "grub/"),
        ("/boot", ".."),
        ("/boot", ""),
        ("/boot", "missing/x"),
        ("/boot", "link/x"),
        ("/boot", "efi/x"),
        ("/boot", "vmlinuz/x"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(mountpoint: str, path: str) -> None:
    """The checksum is in a tag of the same VG, so it does not show who wrote the manifest."""
    others = {"grub": {"kind": "directory"}, "link": {"kind": "link", "target": "/etc"}, "efi": {"kind": "mountpoint"}}
    known = {**TOP, **others, "vmlinuz": FILE, "grub/x.cfg": FILE}
    assert len(load(written(mountpoint, known)).trees[0].entries) == len(known)
    with pytest.raises(Refused, match=r"its manifest names .*, which is not a path below /boot$"):
        load(written(mountpoint, {**known, path: FILE}))


@pytest.mark.parametrize("mountpoint", ["/", "/etc", "boot", "/boot/", "/boot/../etc", "/efi/x", ""])
def test_a_mountpoint_that_boots_no_host_is_refused(mountpoint: str) -> None:
    with pytest.raises(
        Refused, match=r"its manifest names .*, which is none of /boot, /boot/efi, /boot/firmware, /efi$"
    ):
        load(written(mountpoint, TOP))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 1, "trees": [1]}',
        '{"format": 1, "trees": [{"mountpoint": "/boot", "fstype": "ext4", "entries": []}]}',
        '{"format": 1, "trees": [{"mountpoint": "/boot", "fstype": "ext4", "entries": {"x": {"unknown": 1}}}]}',
    ],
)
def test_a_manifest_that_is_not_valid_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="its manifest is not valid"):
        load(text)
