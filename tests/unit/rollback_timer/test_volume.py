# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of the filesystem of a rollback timer. A directory stands for it, with one tool of this machine."""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import toolbox, volume

if TYPE_CHECKING:
    from pathlib import Path

CHANGING = {"term": "5\n", "failed": "0 boot\n"}


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(toolbox, "TOOLS", ("sh",))
    monkeypatch.setattr(volume, "_LVM_ETC", tmp_path / "etc")
    monkeypatch.setattr(volume, "make_filesystem", lambda *_arguments, **_options: None)
    (tmp_path / "etc" / "archive").mkdir(parents=True)
    (tmp_path / "etc" / "lvm.conf").write_text("devices {}\n")
    place = tmp_path / "top"
    place.mkdir()
    monkeypatch.setattr(volume, "mounted", lambda *_arguments, **_options: nullcontext(place))
    return place


def test_all_but_what_changes_has_a_checksum(top: Path) -> None:
    volume.write_timer(
        "/dev/x", "uuid", {"go-back": 'echo "$*" >"$1/said"\n', "boot": "file\t/boot/\udcff\t-\n"}, CHANGING
    )
    assert (top / "said").read_text() == f"{top} --check\n"
    sums = (top / toolbox.CHECKSUMS).read_text().splitlines()
    assert {"bin/sh", "lib/ld", "go-back", "boot", "lvm/lvm.conf"} <= {line.split("  ")[1] for line in sums}
    assert not any(line.endswith(tuple(CHANGING)) for line in sums)
    assert not (top / "lvm" / "archive").exists()
    assert (top / "term").read_text() == "5\n"
    subprocess.run(["sha256sum", "--quiet", "--strict", "--check", toolbox.CHECKSUMS], cwd=top, check=True)


def test_only_root_can_read_it_whatever_the_umask(top: Path) -> None:
    umask = os.umask(0)
    try:
        volume.write_timer("/dev/x", "uuid", {"go-back": "exit 0\n"}, CHANGING)
        volume.write_term("/dev/x", "new\n")
    finally:
        os.umask(umask)
    modes = {str(path.relative_to(top)): path.stat().st_mode & 0o777 for path in (top, *top.rglob("*"))}
    programs = {name for name in modes if name.startswith(("bin/", "lib/"))}
    assert {modes[name] for name in (*programs, ".", "bin", "lib", "lvm")} == {0o700}
    assert {modes[name] for name in ("go-back", "term", "failed", "lvm/lvm.conf", toolbox.CHECKSUMS)} == {0o600}


def test_a_program_that_finds_something_wrong(top: Path) -> None:
    with pytest.raises(FilesFailed, match="its own files are damaged"):
        volume.write_timer("/dev/x", "uuid", {"go-back": "echo its own files are damaged; exit 1\n"}, CHANGING)
    assert (top / "go-back").exists()


def test_another_request_replaces_the_former_as_a_whole(top: Path) -> None:
    (top / "term").write_text("old\n")
    volume.write_term("/dev/x", "new\n")
    assert [path.name for path in top.iterdir()] == ["term"]
    assert (top / "term").read_text() == "new\n"


def test_wall_is_copied_if_the_host_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolbox, "TOOLS", ("sh",))
    monkeypatch.setattr(toolbox, "_USEFUL_TOOLS", ("sleep", "no-such-program"))
    assert {target for _source, target in toolbox.toolbox()} >= {"bin/sh", "bin/sleep"}
