# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saving, restoring and undoing, on a directory that stands for the filesystem /boot."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.restore import (
    Site,
    make_bootable,
    make_exact,
    undo,
    workspace,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.copy import copy_tree
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import Difference, compare
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.manifest import checksums
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.scan import scan
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Tree


# By path: the text of a file, the target of a link after "->", or None for a directory.
BEFORE: dict[str, str | None] = {
    "vmlinuz-1": "kernel 1",
    "initrd.img-1": "initramfs 1",
    "config-1": "config 1",
    "grub": None,
    "grub/grub.cfg": "menu of 1",
    "grub/grubenv": "saved_entry=1",
    "grub/i386-pc": None,
    "grub/i386-pc/core.img": "image",
    "grub/i386-pc/normal.mod": "module",
    "vmlinuz": "->vmlinuz-1",
    "loader": None,
    "loader/entries": None,
    "loader/entries/1.conf": "entry 1",
}
AFTER: dict[str, str | None] = {
    "vmlinuz-2": "kernel 2",
    "initrd.img-2": "initramfs 2",
    "initrd.img-1": "initramfs 1, other",
    "grub": None,
    "grub/grub.cfg": "menu of 2",
    "grub/grubenv": "saved_entry=2",
    "grub/i386-pc": None,
    "grub/i386-pc/core.img": "image",
    "grub/i386-pc/normal.mod": "broken",
    "vmlinuz": "->vmlinuz-2",
    "config-1": None,
    "config-1/x": "a file in what was a file",
    "loader": None,
    "loader/entries": None,
    "loader/entries/2.conf": "entry 2",
}


def fill(top: Path, content: Any) -> None:
    for path, text in sorted(content.items()):
        place = top / path
        if text is None:
            place.mkdir(parents=True, exist_ok=True)
        elif text.startswith("->"):
            place.symlink_to(text[2:])
        else:
            place.write_text(text)
    for path in sorted((path for path, text in content.items() if text is not None), reverse=True):
        os.utime(top / path, ns=(5_000_000_000, 5_000_000_000), follow_symlinks=False)


def empty(top: Path) -> None:
    for child in top.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def contents(top: Path) -> dict[str, str | None]:
    """Return the content of a directory, in the form of the tables above."""
    found: dict[str, str | None] = {}
    for place in sorted(top.rglob("*")):
        path = str(place.relative_to(top))
        if place.is_symlink():
            found[path] = f"->{place.readlink()}"
        else:
            found[path] = None if place.is_dir() else place.read_text()
    return found


class Host:
    """A directory that stands for /boot after a change, and a backup of its content before the change."""

    def __init__(self, base: Path, before: Any, after: Any) -> None:
        self.boot, copies = base / "boot", base / "copies"
        self.boot.mkdir()
        copies.mkdir()
        fill(self.boot, before)
        self.saved = self.scan()
        copy_tree(self.saved, copies)
        empty(self.boot)
        fill(self.boot, after)
        self.site = Site(self.saved, copies, workspace(str(self.boot), "0123456789abcdef"))
        self.before, self.after = before, after

    def scan(self) -> Tree:
        return scan(self.boot, mountpoint=str(self.boot), fstype="ext4")

    def difference(self) -> Difference:
        return compare(self.saved, self.site.present())


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


class Cut(BaseException):
    """A power cut."""


@contextmanager
def cut_after(monkeypatch: pytest.MonkeyPatch, calls: int) -> Iterator[None]:
    """Let the first ``calls`` changes of the disk succeed, then raise Cut at each further one."""
    remaining = [calls]

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            remaining[0] -= 1
            if remaining[0] < 0:
                raise Cut
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "symlink_to", "write_text", "chmod"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        for name in ("link", "utime", "fsync"):
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(shutil, "rmtree", counted(shutil.rmtree))
        yield


def bootable(host: Host) -> None:
    make_bootable(host.site, host.difference())


def exact(host: Host) -> None:
    make_exact(host.site, host.difference())


def back(host: Host) -> None:
    undo(host.site.work)


def cut_off(monkeypatch: pytest.MonkeyPatch, number: int, do: Any, host: Host) -> None:
    """Call ``do`` with a power cut after ``number`` changes of the disk."""
    with suppress(Cut), cut_after(monkeypatch, number):
        do(host)


@pytest.mark.parametrize("number", range(0, 140, 3))
def test_cut_off_anywhere_it_ends_right_when_it_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    host = Host(tmp_path, BEFORE, AFTER)
    for do in (bootable, exact):
        cut_off(monkeypatch, number, do, host)
        do(host)
    assert contents(host.boot) == BEFORE
    assert host.difference() == Difference()


@pytest.mark.parametrize("number", range(0, 140, 3))
def test_cut_off_anywhere_it_can_be_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    host = Host(tmp_path, BEFORE, AFTER)
    cut_off(monkeypatch, number, bootable, host)
    cut_off(monkeypatch, number, back, host)
    if host.site.work.exists():
        back(host)
    assert contents(host.boot) == AFTER


@pytest.mark.parametrize("number", range(0, 140, 3))
def test_at_every_moment_a_kernel_of_the_menu_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    host = Host(tmp_path, BEFORE, AFTER)
    cut_off(monkeypatch, number, bootable, host)
    now = contents(host.boot)
    kernel = str(now["grub/grub.cfg"])[-1]
    assert now[f"vmlinuz-{kernel}"] == f"kernel {kernel}"
    assert str(now[f"initrd.img-{kernel}"]).startswith(f"initramfs {kernel}")


PATHS = st.sampled_from(["a", "a/b", "a/b/c", "a/d", "e", "e/f", "grub/grub.cfg", "grub", "loader/x", "loader"])


def _possible(found: dict[str, str | None]) -> dict[str, str | None]:
    """Add the parent directories of all paths."""
    parents = {str(parent) for path in found for parent in Path(path).parents} - {"."}
    return {**found, **dict.fromkeys(parents)}


TREES = st.dictionaries(PATHS, st.sampled_from([None, "one", "two", "->a", "->nowhere"]), max_size=8).map(_possible)


@given(before=TREES, after=TREES, number=st.integers(0, 60))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_is_restored_and_undone(
    monkeypatch: pytest.MonkeyPatch, before: Any, after: Any, number: int
) -> None:
    with tempfile.TemporaryDirectory() as base:
        host = Host(Path(base), before, after)
        cut_off(monkeypatch, number, bootable, host)
        bootable(host)
        now = contents(host.boot)
        assert {path: now[path] for path in before} == before
        cut_off(monkeypatch, number, back, host)
        if host.site.work.exists():
            back(host)
        assert contents(host.boot) == after
        cut_off(monkeypatch, number, exact, host)
        exact(host)
        assert contents(host.boot) == before
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
        input=checksums([tree]),
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
        input=checksums([tree]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert again.returncode == 1
