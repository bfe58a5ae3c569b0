# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saving, restoring and undoing, on a directory that stands for the filesystem /boot."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from boot_directory import AFTER, BEFORE, Host, contents, fill

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.restore import make_bootable, make_exact, undo
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import Difference, compare
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.firmware import Firmware
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.manifest import checksums
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.scan import scan
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, BEFORE, AFTER)


def test_the_backup_is_the_same_as_what_was_saved(host: Host) -> None:
    copies = scan(host.site.copies, mountpoint=str(host.boot), fstype="ext4")
    assert compare(host.saved, copies) == Difference()
    assert contents(host.site.copies) == BEFORE


def test_first_all_saved_files_are_restored_and_added_files_stay(host: Host) -> None:
    make_bootable(host.site, host.difference())
    now = contents(host.boot)
    assert {path: now[path] for path in BEFORE} == BEFORE
    assert now["vmlinuz-2"] == "kernel 2"
    assert now["initrd.img-2"] == "initramfs 2"
    # A boot loader would boot it as the newest kernel.
    assert "loader/entries/2.conf" not in now
    assert host.difference().extra == ("initrd.img-2", "vmlinuz-2")


def test_then_it_is_exactly_what_it_was(host: Host) -> None:
    make_bootable(host.site, host.difference())
    make_exact(host.site, host.difference())
    assert contents(host.boot) == BEFORE
    assert host.difference() == Difference()
    assert not host.site.work.exists()


def test_a_restoration_can_be_undone(host: Host) -> None:
    changed = host.scan()
    make_bootable(host.site, host.difference())
    undo(host.site.work)
    assert contents(host.boot) == AFTER
    now = host.scan()
    assert {path: entry.content for path, entry in now.entries.items()} == {
        path: entry.content for path, entry in changed.entries.items()
    }
    files = [path for path, entry in changed.entries.items() if entry.kind == "file"]
    assert [now.entries[path] for path in files] == [changed.entries[path] for path in files]


def test_nothing_to_do_is_nothing_done(tmp_path: Path) -> None:
    host = Host(tmp_path, BEFORE, BEFORE)
    make_exact(host.site, host.difference())
    assert host.difference() == Difference()


def test_grub_that_was_installed_anew_stays(tmp_path: Path) -> None:
    host = Host(tmp_path, BEFORE, {**AFTER, "grub/i386-pc/core.img": "new image", "grub/i386-pc/new.mod": "new"})
    difference = host.difference()
    assert difference.untouched == ("grub/i386-pc/core.img", "grub/i386-pc/new.mod", "grub/i386-pc/normal.mod")
    make_exact(host.site, difference)
    assert contents(host.boot) == {
        **BEFORE,
        "grub/i386-pc/core.img": "new image",
        "grub/i386-pc/new.mod": "new",
        "grub/i386-pc/normal.mod": "broken",
    }
    assert host.difference().is_empty


def test_a_damaged_copy_is_never_put_in_place(host: Host) -> None:
    (host.site.copies / "vmlinuz-1").write_text("kernel ?")
    with pytest.raises(FilesFailed, match="vmlinuz-1: its checksum is not the recorded one"):
        make_bootable(host.site, host.difference())
    assert not (host.boot / "vmlinuz-1").exists()
    assert (host.boot / "grub/grub.cfg").read_text() == "menu of 2"


def test_a_pipe_is_refused(host: Host) -> None:
    os.mkfifo(host.boot / "pipe")
    with pytest.raises(FilesFailed, match=r"cannot save .*pipe: it is a device, a socket or a pipe"):
        host.scan()


@pytest.mark.parametrize("do", [make_exact, make_bootable])
def test_no_link_leads_out_of_the_filesystem(tmp_path: Path, do: Any) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    fill(outside, {"x": "theirs", "2.conf": "theirs"})
    link: dict[str, str | None] = {"loader": f"->{outside}"}
    inside: dict[str, str | None] = {"loader": None, "loader/x": "ours", "loader/2.conf": "ours"}
    for place, before, after in (("1", link, inside), ("2", inside, link)):
        (tmp_path / place).mkdir()
        host = Host(tmp_path / place, before, after)
        do(host.site, host.difference())
        now = contents(host.boot)
        assert {path: now[path] for path in before} == before
        if do is make_bootable:
            undo(host.site.work)
            assert contents(host.boot) == after
        assert contents(outside) == {"x": "theirs", "2.conf": "theirs"}


def test_what_others_put_into_a_directory_that_was_added_stays(host: Host) -> None:
    (host.boot / "grub" / "grub.cfg").unlink()
    shutil.rmtree(host.boot / "loader")
    make_bootable(host.site, host.difference())
    (host.boot / "loader" / "entries" / "mine").write_text("mine")
    undo(host.site.work)
    assert contents(host.boot)["loader/entries/mine"] == "mine"


def test_without_hard_links_as_on_vfat(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    make_bootable(host.site, host.difference())
    undo(host.site.work)
    assert contents(host.boot) == AFTER


def test_sha256sum_reads_the_list_of_checksums(tmp_path: Path) -> None:
    host = Host(tmp_path, {**BEFORE, "with\nnewline": "x", "with\\backslash": "y", "with space": "z"}, AFTER)
    tree = replace(host.saved, mountpoint="/copies")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict"],
        input=checksums([tree], Firmware()),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == tree.files - 1
    (tmp_path / "copies" / "with space").write_text("other")
    again = subprocess.run(
        ["sha256sum", "--check", "--strict"],
        input=checksums([tree], Firmware()),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert again.returncode == 1
