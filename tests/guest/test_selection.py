# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets chosen by mountpoint, by VG or both; and what is asked of a host whose root filesystem is protected.

What concerns the guest's own / is only ever run in check mode here.
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
from calls import Result, absent, call, four_runs, merged, ok, present, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

FSTAB = Path("/etc/fstab")


def chosen(result: Result) -> list[str]:
    return [f"{member['vg']}/{member['origin']}" for member in result["diff"]["after"]["members"]]


def by_mountpoint(*points: Path | str, **more: Any) -> dict[str, Any]:
    return {"name": "s", "mountpoints": [str(point) for point in points], **more}


def test_by_mountpoint() -> None:
    with storage.mounted("thick/a") as thick, storage.mounted("thin/t1") as thin:
        task = by_mountpoint(thick, f"{thin}/")
        taken = four_runs("snapset", task, commands=5)
        assert chosen(taken.real) == ["thick/a", "thin/t1"]
        assert [member["mountpoints"] for member in taken.real["snapset"]["members"]] == [[str(thick)], [str(thin)]]
        assert not ok("snapset", present("s", "thick/a", "thin/t1"))["changed"], "the same LVs by another way"
        refused("snapset", {**merged("s"), "mountpoints": [str(thin)]}, "it protects thick/a, thin/t1, but thin/t1 was")
        four_runs("snapset", {**absent("s"), "mountpoints": [str(thin), str(thick)]}, commands=3)


def test_an_lv_named_in_two_ways_is_one_member() -> None:
    with storage.mounted("thick/a") as here, storage.mounted("thick/a", at="there") as there:
        both = ok("snapset", {**by_mountpoint(here, there), "volumes": present("", "thick/a")["volumes"]}, check=True)
        assert chosen(both) == ["thick/a"]
        assert both["snapset"]["members"][0]["mountpoints"] == [str(here), str(there)]


def test_what_is_left_out() -> None:
    whole = {"name": "s", "volumes": [{"vg": "thick"}, {"vg": "thin"}]}
    assert chosen(ok("snapset", whole, check=True)) == [
        *("thick/a", "thick/a_x", "thick/b", "thick/c"),
        *("thin/t1", "thin/t2", "thin/z"),
    ]
    with storage.mounted("thick/a") as root:
        less = {**whole, "exclude": ["thick/b", "thin/z", str(root)]}
        assert chosen(ok("snapset", less, check=True)) == ["thick/a_x", "thick/c", "thin/t1", "thin/t2"]
        refused("snapset", {**by_mountpoint(root), "exclude": [str(root)]}, "nothing is left to protect")
    refused(
        "snapset",
        {**whole, "exclude": ["thick/nothing", "/nowhere"]},
        "exclude names thick/nothing",
        "exclude names /nowhere",
    )


def test_what_is_mounted_on_something_else() -> None:
    with storage.mounted("thick/a") as root:
        task = by_mountpoint(root, "/boot", "/nowhere")
        refused("snapset", task, "/boot cannot be protected: .* is not on LVM", "nothing is mounted at /nowhere")
        known = ok("snapset", by_mountpoint(root, "/boot", ignore_uncovered=["/boot"]), check=True)
        assert chosen(known) == ["thick/a"]
        refused("snapset", by_mountpoint(root, root), f"mountpoints names {root} 2 times")
    refused("snapset", {"name": "s"}, "volumes, mountpoints, system: state present needs one of them")


def test_a_device_on_top_of_the_lv() -> None:
    """As encryption makes one; the LV below is what is protected."""
    sectors = lvm.run("blockdev", "--getsz", "/dev/thick/a").strip()
    lvm.run("dmsetup", "create", "on-top", "--table", f"0 {sectors} linear /dev/thick/a 0")
    try:
        with storage.mounted("mapper/on-top") as root:
            assert chosen(ok("snapset", by_mountpoint(root), check=True)) == ["thick/a"]
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
def test_fstab_names_a_mounted_origin_by_its_content(kind: str) -> None:
    tag = "LABEL" if kind == "LABEL" else "UUID"
    value = lvm.run("blkid", "-s", tag, "-o", "value", "/dev/thick/a").strip()
    spec = f"{kind}/{value}" if kind.startswith("/") else f"{kind}={value}"
    with storage.mounted("thick/a") as root, line_in_fstab(f"{spec} {root} ext4 defaults 0 0"):
        told = refused("snapset", present("s", "thick/a"), f"mounts {root} by {re.escape(spec)}")["msg"]
        assert "/dev/mapper/thick-a" in told
        entry = next(one for one in ok("snapset_info", {})["coverage"] if one["mountpoint"] == str(root))
        assert not entry["protectable"]
    with storage.mounted("thick/a") as root, line_in_fstab(f"/dev/mapper/thick-a {root} ext4 defaults 0 0"):
        assert ok("snapset", present("s", "thick/a"), check=True)["changed"]


def test_a_thin_origin_may_be_named_by_its_content() -> None:
    """Its snapshots are not visible, so nothing is ambiguous."""
    value = lvm.run("blkid", "-s", "UUID", "-o", "value", "/dev/thin/t1").strip()
    with storage.mounted("thin/t1") as root, line_in_fstab(f"UUID={value} {root} ext4 defaults 0 0"):
        assert ok("snapset", present("s", "thin/t1"), check=True)["changed"]


def failed_check(task: dict[str, Any]) -> str:
    result = call("snapset", task, check=True)
    assert result.get("failed"), result
    message: str = result["msg"]
    return message


def test_root_goes_with_what_belongs_to_it() -> None:
    assert "/var is a filesystem of its own" in failed_check(by_mountpoint("/"))
    alone = ok("snapset", by_mountpoint("/", ignore_uncovered=["/var"]), check=True)
    assert chosen(alone) == ["sysvg/root"]
    assert chosen(ok("snapset", by_mountpoint("/", "/var"), check=True)) == ["sysvg/root", "sysvg/var"]


def test_the_system_is_root_and_what_belongs_to_it() -> None:
    system = ok("snapset", {"name": "s", "system": True}, check=True)
    assert chosen(system) == ["sysvg/root", "sysvg/var"]
    assert ("/boot" in system["boot_to_save"], system["boot_ignored"]) == (True, [])
    less = ok("snapset", {"name": "s", "system": True, "ignore_uncovered": "[/var, '/boot']"}, check=True)
    assert chosen(less) == ["sysvg/root"]
    assert (less["boot_to_save"], less["boot_ignored"]) == ([], system["boot_to_save"])


@contextmanager
def aside(path: Path) -> Iterator[None]:
    """While this lasts, ``path`` has another name."""
    other = path.with_name(f".{path.name}")
    path.rename(other)
    try:
        yield
    finally:
        other.rename(path)


def test_root_needs_an_initramfs_that_can_activate_it() -> None:
    kernel = lvm.run("uname", "-r").strip()
    with aside(Path(f"/boot/initrd.img-{kernel}")):
        assert f"kernel {kernel} has no initramfs" in failed_check(by_mountpoint("/", "/var"))
        assert ok("snapset", present("s", "thick/a"), check=True)["changed"], "not the root filesystem's business"
    with aside(Path(f"/boot/vmlinuz-{kernel}")):
        assert f"the running kernel {kernel} is not in /boot" in failed_check(by_mountpoint("/", "/var"))
    with aside(Path(f"/lib/modules/{kernel}")):
        assert f"has no /lib/modules/{kernel}" in failed_check(by_mountpoint("/", "/var"))


def archive(files: list[Path]) -> bytes:
    """Files in the format newc of cpio(5), by their own names: a guest with sid has no program that writes it."""
    members = [(file.name, 0o100755, file.read_bytes()) for file in files]
    written = b""
    for number, (name, mode, content) in enumerate([*members, ("TRAILER!!!", 0, b"")], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = "070701" + "".join(f"{field:08X}" for field in fields) + name + "\0"
        for part in (head.encode(), content):
            written += part + bytes(-len(part) % 4)
    return written


def test_an_initramfs_without_the_module() -> None:
    kernel = lvm.run("uname", "-r").strip()
    image = Path(f"/boot/initrd.img-{kernel}")
    with aside(image):
        image.write_bytes(gzip.compress(archive(sorted(Path("/usr/lib/systemd").glob("systemd-r*")))))
        try:
            assert "has no dm_snapshot" in failed_check(by_mountpoint("/", "/var"))
        finally:
            image.unlink()
