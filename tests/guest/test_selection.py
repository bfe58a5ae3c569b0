# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets selected by mountpoint, by VG or both; and the requirements for a host whose root filesystem is protected.

Tests that select the real / of the guest run only in check mode.
"""

from __future__ import annotations

import gzip
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import Arguments, Result, absent, call, four_runs, merged, ok, present, refused
from initramfs import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

FSTAB = Path("/etc/fstab")


def selected(result: Result) -> list[str]:
    return [f"{member['vg']}/{member['origin']}" for member in result["diff"]["after"]["members"]]


def by_mountpoint(*points: Path | str, **more: Any) -> dict[str, Any]:
    return {"name": "s", "mountpoints": [str(point) for point in points], **more}


def test_by_mountpoint() -> None:
    with storage.mounted("thick/a") as thick, storage.mounted("thin/t1") as thin:
        task = by_mountpoint(thick, f"{thin}/")
        taken = four_runs("snapset", task, commands=5)
        assert selected(taken.real) == ["thick/a", "thin/t1"]
        assert [member["mountpoints"] for member in taken.real["snapset"]["members"]] == [[str(thick)], [str(thin)]]
        assert not ok("snapset", present("s", "thick/a", "thin/t1"))["changed"], "the same LVs, selected in another way"
        refused("snapset", {**merged("s"), "mountpoints": [str(thin)]}, "it protects thick/a, thin/t1, but thin/t1 was")
        four_runs("snapset", {**absent("s"), "mountpoints": [str(thin), str(thick)]}, commands=3)


def test_an_lv_selected_in_two_ways_is_one_member() -> None:
    with storage.mounted("thick/a") as here, storage.mounted("thick/a", at="there") as there:
        both = ok("snapset", {**by_mountpoint(here, there), "volumes": present("", "thick/a")["volumes"]}, check=True)
        assert selected(both) == ["thick/a"]
        assert both["snapset"]["members"][0]["mountpoints"] == [str(here), str(there)]


def test_exclude() -> None:
    whole = {"name": "s", "volumes": [{"vg": "thick"}, {"vg": "thin"}]}
    assert selected(ok("snapset", whole, check=True)) == [
        *("thick/a", "thick/a_x", "thick/b", "thick/c"),
        *("thin/t1", "thin/t2", "thin/z"),
    ]
    with storage.mounted("thick/a") as root:
        less = {**whole, "exclude": ["thick/b", "thin/z", str(root)]}
        assert selected(ok("snapset", less, check=True)) == ["thick/a_x", "thick/c", "thin/t1", "thin/t2"]
        refused("snapset", {**by_mountpoint(root), "exclude": [str(root)]}, "no LV is selected")
    refused(
        "snapset",
        {**whole, "exclude": ["thick/nothing", "/nowhere"]},
        "exclude lists thick/nothing",
        "exclude lists /nowhere",
    )


def test_mountpoints_that_are_not_on_lvm() -> None:
    with storage.mounted("thick/a") as root:
        task = by_mountpoint(root, "/boot", "/nowhere")
        refused("snapset", task, "/boot cannot be protected: .* is not on LVM", "nothing is mounted at /nowhere")
        known = ok("snapset", by_mountpoint(root, "/boot", ignore_uncovered=["/boot"]), check=True)
        assert selected(known) == ["thick/a"]
        refused("snapset", by_mountpoint(root, root), f"mountpoints lists {root} 2 times")
    refused("snapset", {"name": "s"}, "volumes, mountpoints, system: state: present needs one")


def test_a_device_on_top_of_the_lv() -> None:
    """As with encryption: the LV below the device is protected."""
    sectors = lvm.run("blockdev", "--getsz", "/dev/thick/a").strip()
    lvm.run("dmsetup", "create", "on-top", "--table", f"0 {sectors} linear /dev/thick/a 0")
    try:
        with storage.mounted("mapper/on-top") as root:
            assert selected(ok("snapset", by_mountpoint(root), check=True)) == ["thick/a"]
    finally:
        lvm.run("dmsetup", "remove", "--retry", "on-top")


@contextmanager
def line_in_fstab(line: str) -> Iterator[None]:
    former = FSTAB.read_text()
    try:
        FSTAB.write_text(f"{former}{line}\n")
        yield
    finally:
        FSTAB.write_text(former)


@pytest.mark.parametrize("kind", ["UUID", "LABEL", "/dev/disk/by-uuid"])
def test_fstab_identifies_a_mounted_origin_by_its_content(kind: str) -> None:
    tag = "LABEL" if kind == "LABEL" else "UUID"
    value = lvm.run("blkid", "-s", tag, "-o", "value", "/dev/thick/a").strip()
    spec = f"{kind}/{value}" if kind.startswith("/") else f"{kind}={value}"
    with storage.mounted("thick/a") as root, line_in_fstab(f"{spec} {root} ext4 defaults 0 0"):
        message = refused("snapset", present("s", "thick/a"), f"mounts {root} by {re.escape(spec)}")["msg"]
        assert "/dev/mapper/thick-a" in message
        entry = next(one for one in ok("snapset_info", {})["coverage"] if one["mountpoint"] == str(root))
        assert not entry["protectable"]
    with storage.mounted("thick/a") as root, line_in_fstab(f"/dev/mapper/thick-a {root} ext4 defaults 0 0"):
        assert ok("snapset", present("s", "thick/a"), check=True)["changed"]


def test_fstab_may_identify_a_thin_origin_by_its_content() -> None:
    """Its snapshots are inactive, so the content is not ambiguous."""
    value = lvm.run("blkid", "-s", "UUID", "-o", "value", "/dev/thin/t1").strip()
    with storage.mounted("thin/t1") as root, line_in_fstab(f"UUID={value} {root} ext4 defaults 0 0"):
        assert ok("snapset", present("s", "thin/t1"), check=True)["changed"]


def failed_check(task: Arguments) -> str:
    result = call("snapset", task, check=True)
    assert result.get("failed"), result
    message: str = result["msg"]
    return message


def test_root_needs_the_other_parts_of_the_system() -> None:
    assert "/var is a separate filesystem" in failed_check(by_mountpoint("/"))
    alone = ok("snapset", by_mountpoint("/", ignore_uncovered=["/var"]), check=True)
    assert selected(alone) == ["sysvg/root"]
    assert selected(ok("snapset", by_mountpoint("/", "/var"), check=True)) == ["sysvg/root", "sysvg/var"]


def test_system_selects_root_and_var() -> None:
    system = ok("snapset", {"name": "s", "system": True}, check=True)
    assert selected(system) == ["sysvg/root", "sysvg/var"]
    assert ("/boot" in system["boot_to_save"], system["boot_ignored"]) == (True, [])
    less = ok("snapset", {"name": "s", "system": True, "ignore_uncovered": "[/var, '/boot']"}, check=True)
    assert selected(less) == ["sysvg/root"]
    assert (less["boot_to_save"], less["boot_ignored"]) == ([], system["boot_to_save"])


@contextmanager
def renamed(path: Path) -> Iterator[None]:
    """Rename ``path`` temporarily."""
    other = path.with_name(f".{path.name}")
    path.rename(other)
    try:
        yield
    finally:
        other.rename(path)


def test_root_needs_an_initramfs_that_can_activate_it() -> None:
    kernel = lvm.run("uname", "-r").strip()
    with renamed(Path(f"/boot/initrd.img-{kernel}")):
        assert f"kernel {kernel} has no initramfs" in failed_check(by_mountpoint("/", "/var"))
        assert ok("snapset", present("s", "thick/a"), check=True)["changed"], "it does not contain the root filesystem"
    with renamed(Path(f"/boot/vmlinuz-{kernel}")):
        assert f"the running kernel {kernel} is not in /boot" in failed_check(by_mountpoint("/", "/var"))
    with renamed(Path(f"/lib/modules/{kernel}")):
        assert f"has no /lib/modules/{kernel}" in failed_check(by_mountpoint("/", "/var"))


def test_an_initramfs_without_the_module() -> None:
    kernel = lvm.run("uname", "-r").strip()
    image = Path(f"/boot/initrd.img-{kernel}")
    with renamed(image):
        programs = {path.name: path.read_bytes() for path in sorted(Path("/usr/lib/systemd").glob("systemd-r*"))}
        image.write_bytes(gzip.compress(archive(programs)))
        try:
            assert "has no dm_snapshot" in failed_check(by_mountpoint("/", "/var"))
        finally:
            image.unlink()
