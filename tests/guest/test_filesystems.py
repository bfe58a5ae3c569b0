# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystems of every kind: what the system lies on, what does not roll back with it, and what is not mounted."""

from __future__ import annotations

import importlib
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import mounts
import pytest
import storage
from calls import Result, ok, present, refused
from test_selection import by_mountpoint, selected

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE: Any = importlib.import_module("ansible_collections.safepoint.lvm.plugins.module_utils._host.table")
SYSTEM = {"name": "s", "system": True}
OPT = Path("/opt")


def coverage() -> dict[str, dict[str, Any]]:
    return {one["mountpoint"]: one for one in ok("snapset_info", {})["coverage"]}


def not_rolled_back(result: Result) -> dict[str, str]:
    return {one["path"]: one["reason"] for one in result["not_rolled_back"]}


# What is not on LVM


def test_a_part_of_the_system_that_is_not_on_lvm(tmp_path: Path) -> None:
    lower, upper, work = (tmp_path / name for name in ("lower", "upper", "work"))
    for place in (lower, upper, work):
        place.mkdir()
    overlay = f"lowerdir={lower},upperdir={upper},workdir={work}"
    for arguments, reason in (
        (("-t", "tmpfs", "tmpfs"), r"it is in memory \(tmpfs\)"),
        (("-t", "overlay", "overlay", "-o", overlay), f"it is an overlay with its files in {upper}: .* in memory"),
    ):
        with mounts.mount(*arguments, str(OPT)):
            assert coverage()["/opt"]["lv"] is None
            refused("snapset", SYSTEM, f"/opt cannot be protected: {reason}", check=True)
            refused(
                "snapset",
                by_mountpoint("/", "/var"),
                f"/opt is a separate filesystem and cannot be: {reason}",
                check=True,
            )
            ok("snapset", {**SYSTEM, "ignore_uncovered": ["/opt"]}, check=True)


def test_an_overlay_rolls_back_with_what_it_is_written_to() -> None:
    """As the filesystems of containers do. Its directories can have any name."""
    place = Path("/var/lib/containers-of-a-test")
    with ExitStack() as stack:
        stack.callback(lvm.run, "rm", "-rf", str(place))
        lower, upper, work = (place / name for name in ("lower:1", "up,per", "work"))
        for directory in (lower, upper, work):
            directory.mkdir(parents=True)
        options = f"lowerdir={place}/lower\\:1,upperdir={place}/up\\,per,workdir={work}"
        stack.enter_context(mounts.mount("-t", "overlay", "overlay", "-o", options, f"{place}/merged"))
        found = coverage()[f"{place}/merged"]
        assert (found["vg"], found["lv"], found["protectable"]) == ("sysvg", "var", True)
        assert not_rolled_back(ok("snapset", SYSTEM, check=True)) == {}
        alone = ok("snapset", by_mountpoint("/", ignore_uncovered=["/var"]), check=True)
        assert not_rolled_back(alone) == dict.fromkeys(("/var", f"{place}/merged"), "sysvg/var is not in the snapset")


def test_an_image_rolls_back_with_its_file() -> None:
    with ExitStack() as stack:
        file = Path("/var/lib/image-of-a-test")
        stack.callback(file.unlink)
        with file.open("wb") as image:
            image.truncate(16 * storage.MIB)
        lvm.run("mkfs.ext4", "-q", str(file))
        stack.enter_context(mounts.mount("-o", "loop", str(file), "/opt/app"))
        assert (coverage()["/opt/app"]["lv"], coverage()["/opt/app"]["reason"]) == ("var", None)
        assert not_rolled_back(ok("snapset", SYSTEM, check=True)) == {}


# What belongs to the system and does not roll back


def test_a_database_on_a_filesystem_of_its_own() -> None:
    """Below /var/lib, directly, or by a link to a directory elsewhere."""
    with ExitStack() as stack:
        database = stack.enter_context(mounts.mount("/dev/thick/a", "/var/lib/db-of-a-test"))
        files = stack.enter_context(storage.mounted("thin/t1", at="files"))
        link = Path("/var/lib/link-of-a-test")
        (files / "db").mkdir()
        stack.callback(lvm.run, "rm", "-rf", str(files / "db"))
        link.symlink_to(files / "db")
        stack.callback(link.unlink)
        part = stack.enter_context(mounts.mount("--bind", str(files / "db"), "/opt/part-of-a-test"))
        left = not_rolled_back(ok("snapset", SYSTEM, check=True))
        assert left == {
            str(database): "thick/a is not in the snapset",
            str(link): f"it is a link to {files}/db: thin/t1 is not in the snapset",
            str(part): "thin/t1 is not in the snapset",
        }
        task = {**SYSTEM, "mountpoints": [str(database), str(files)]}
        assert not_rolled_back(ok("snapset", task, check=True)) == {}


def test_what_is_mounted_below_a_member() -> None:
    with storage.mounted("thick/a") as top, mounts.mount("/dev/thin/t1", str(top / "inner")):
        taken = ok("snapset", present("s", "thick/a"))
        assert not_rolled_back(taken) == {str(top / "inner"): "thin/t1 is not in the snapset"}
        assert not_rolled_back(ok("snapset", present("s", "thick/a"))) == not_rolled_back(taken)
        assert [coverage()[str(place)]["snapsets"] for place in (top, top / "inner")] == [["s"], []]


@pytest.fixture
def files_with_opt() -> Iterator[Path]:
    """/opt is a link to a directory on thick/a, as on hosts whose / was too small."""
    aside = OPT.with_name(".opt")
    with storage.mounted("thick/a") as files:
        (files / "opt").mkdir()
        OPT.rename(aside)
        OPT.symlink_to(files / "opt")
        try:
            yield files
        finally:
            OPT.unlink()
            aside.rename(OPT)
            (files / "opt").rmdir()


def test_a_part_of_the_system_that_is_a_link(files_with_opt: Path) -> None:
    files = files_with_opt
    refused(
        "snapset", SYSTEM, f"/opt is on the filesystem at {files}, which is not: add {files} to mountpoints", check=True
    )
    refused("snapset", by_mountpoint("/opt"), f"at /opt: it is a link to {files}/opt, on ", check=True)
    both = ok("snapset", {**SYSTEM, "mountpoints": [str(files)]}, check=True)
    assert selected(both) == ["sysvg/root", "sysvg/var", "thick/a"]


def test_a_mountpoint_behind_a_link() -> None:
    link = Path("/srv/link-of-a-test")
    with storage.mounted("thick/a") as files:
        link.symlink_to(files)
        try:
            assert selected(ok("snapset", by_mountpoint(link), check=True)) == ["thick/a"]
            line = f"/dev/thick/a {link} ext4 noauto 0 0"
            with mounts.fstab(line):
                shown = coverage()
            assert [point for point, one in shown.items() if one["lv"] == "a"] == [str(files)]
        finally:
            link.unlink()


def test_a_directory_that_is_no_mountpoint() -> None:
    with storage.mounted("thick/a") as files:
        (files / "inner").mkdir()
        refused("snapset", by_mountpoint(files / "inner"), f"it is on the filesystem at {files}")
        (files / "inner").rmdir()


def test_a_bind_mount_of_one_file() -> None:
    """It is no place for a canary, whatever the order in the table of mounts is."""
    with ExitStack() as stack:
        first = stack.enter_context(storage.mounted("thick/a", at="first"))
        (first / "file").touch()
        file = storage.BASE / "one-file"
        file.touch()
        lvm.run("mount", "--bind", str(first / "file"), str(file))
        stack.callback(lvm.run, "umount", str(file))
        lvm.run("umount", str(first))
        last = stack.enter_context(storage.mounted("thick/a", at="last"))
        table = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        assert table.index(str(file)) < table.index(str(last))
        (member,) = ok("snapset", present("s", "thick/a"))["snapset"]["members"]
        assert member["mountpoints"] == [str(last), str(file)]


def test_a_filesystem_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks at it: no path that fstab names, no link that leads there."""
    monkeypatch.setattr(_TABLE, "_PATIENCE", 5)
    place, link = Path("/opt/dead"), Path("/var/lib/dead-of-a-test")
    with ExitStack() as stack:
        stack.enter_context(mounts.dead(place, "nas:/share"))
        link.symlink_to(place / "share")
        stack.callback(link.unlink)
        stack.enter_context(
            mounts.fstab(f"/{place}/share /mnt/a cifs noauto 0 0", f"{place}/data /mnt/b none noauto,bind 0 0")
        )
        start = time.monotonic()
        assert coverage()[str(place)]["reason"] == "nas:/share is on another host (fuse.sshfs)"
        left = not_rolled_back(ok("snapset", SYSTEM, check=True))
        refused(
            "snapset", by_mountpoint(place), f"{place} cannot be protected: nas:/share is on another host", check=True
        )
        assert time.monotonic() - start < 60
        assert left == {
            str(place): "nas:/share is on another host (fuse.sshfs)",
            str(link): f"it is a link to {place}/share: nas:/share is on another host (fuse.sshfs)",
        }
