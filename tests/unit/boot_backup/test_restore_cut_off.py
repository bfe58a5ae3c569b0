# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restoring and undoing that are cut off at any moment, on a directory that stands for the filesystem /boot."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boot_directory import AFTER, BEFORE, Host, contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.restore import make_bootable, make_exact, undo
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator


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
