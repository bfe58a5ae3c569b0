# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing two states of a boot filesystem."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import Difference, compare
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree


def test_vfat_knows_only_content() -> None:
    was = Tree("/boot/efi", "vfat", {"a": Entry(kind="file", mode=0o644, mtime=1, sha256="x")})
    now = replace(was, entries={"a": Entry(kind="file", mode=0o755, mtime=2, sha256="x")})
    assert compare(was, now) == Difference()
    assert compare(replace(was, fstype="ext4"), now) == Difference(altered=("a",))


def test_a_label_that_selinux_has_added_is_not_a_difference() -> None:
    """Nobody can remove it, not even root. But a label that differs from the saved one is a difference."""
    label, other = {"security.selinux": "AA=="}, {"security.selinux": "AB=="}

    def tree(xattrs: dict[str, str]) -> Tree:
        return Tree("/boot", "ext4", {"vmlinuz": Entry(kind="file", sha256="1", xattrs=xattrs)})

    assert compare(tree({}), tree(label)).is_empty
    assert compare(tree(other), tree(label)).altered == ("vmlinuz",)
    assert compare(tree(label), tree({})).altered == ("vmlinuz",)
    assert compare(tree({}), tree({**label, "user.x": "AA=="})).altered == ("vmlinuz",)
