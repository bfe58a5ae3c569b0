# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Automounts, filesystems that are only in fstab, and what boots the host."""

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
from calls import call, ok, present, refused
from test_filesystems import SYSTEM, coverage, not_rolled_back
from test_selection import by_mountpoint, failed_check, selected

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE: Any = importlib.import_module("ansible_collections.safepoint.lvm.plugins.module_utils._host.table")


# Automounts, and what is in fstab only


def test_an_idle_automount_is_mounted() -> None:
    point = "/srv/automount-of-a-test"
    with mounts.automount("/dev/thick/a", point, "ext4", "x-systemd.idle-timeout=1"):
        for check in (True, False):
            mounts.wait_until_idle(point)
            taken = ok("snapset", by_mountpoint(point), check=check)
            assert selected(taken) == ["thick/a"]
            assert taken["snapset"]["members"][0]["mountpoints"] == [point]
        mounts.wait_until_idle(point)
        shown = coverage()[point]
        assert (shown["mounted"], shown["lv"], shown["snapsets"]) == (False, "a", ["s"])


@pytest.fixture
def _boot_automount() -> Iterator[None]:
    """The real /boot of the guest is an automount and is unmounted when it is idle, as systemd does with the ESP."""
    device = lvm.run("findmnt", "-rno", "SOURCE", "/boot").strip()
    lvm.run("umount", "--recursive", "/boot")
    try:
        with mounts.automount(device, "/boot", "ext4", "x-systemd.idle-timeout=1"):
            yield
    finally:
        lvm.run("mount", "--all")


@pytest.mark.usefixtures("_boot_automount")
def test_boot_as_an_idle_automount() -> None:
    save = {"name": "s", "vg": "other", "lock_timeout": 0}
    lvm.run("vgextend", "-q", "other", disk := storage.new_disk("more", 400))
    try:
        for _again in range(2):
            mounts.wait_until_idle("/boot")
            assert ok("snapset", SYSTEM, check=True)["boot_to_save"] == ["/boot"]
            mounts.wait_until_idle("/boot")
            assert coverage()["/boot"]["mounted"]
        mounts.wait_until_idle("/boot")
        assert ok("boot_backup", save)["boot_backup"]["state"] == "present"
        mounts.wait_until_idle("/boot")
        assert not ok("boot_backup", save)["changed"]
    finally:
        ok("boot_backup", {**save, "state": "absent"})
        lvm.run("vgreduce", "-q", "other", disk)
        lvm.run("pvremove", "-q", disk)
        storage.remove_disks(disk)


@pytest.fixture
def _stuck_boot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """/boot is an automount whose disk is gone. systemd waits for the disk, and whoever looks waits for systemd."""
    monkeypatch.setattr(_TABLE, "_PATIENCE", 2)
    lvm.run("umount", "--recursive", "/boot")
    try:
        with mounts.automount("/dev/disk/by-uuid/gone", "/boot", "ext4", "x-systemd.device-timeout=10min"):
            yield
    finally:
        lvm.run("mount", "--all")


@pytest.mark.usefixtures("_stuck_boot")
def test_boot_as_an_automount_that_cannot_mount() -> None:
    problem = "/boot is an automount and could not be mounted within 30 s"
    start = time.monotonic()
    for task in (SYSTEM, {**SYSTEM, "ignore_uncovered": ["/boot"]}):
        refused("snapset", task, problem, check=True)
    refused("boot_backup", {"name": "s"}, problem, check=True)
    refused("initramfs_hook", {}, problem, check=True)
    assert ok("snapset", present("s", "thick/a"))["changed"], "it has nothing to do with /boot"
    info = ok("snapset_info", {})
    assert any(problem in str(warning) for warning in info["warnings"])
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("option", ["noauto", "nofail"])
def test_a_boot_filesystem_that_is_not_mounted(option: str) -> None:
    with mounts.fstab(f"UUID=0000-0000 /boot/efi vfat {option} 0 1"):
        reason = r"/etc/fstab has /boot/efi \(UUID=0000-0000\), but it is not mounted, so it could not be saved"
        refused("snapset", SYSTEM, reason, check=True)
        refused("boot_backup", {"name": "s", "vg": "other"}, reason, check=True)
        ok("snapset", {**SYSTEM, "ignore_uncovered": ["/boot/efi"]}, check=True)
        shown = coverage()["/boot/efi"]
        assert (shown["mounted"], shown["boot"]) == (False, True)
        assert shown["reason"] == "UUID=0000-0000 is in /etc/fstab, but not mounted"


# What boots the host


@pytest.fixture
def _esps() -> Iterator[None]:
    """Two ESPs, as on a host with mirrored disks: at /efi and at /boot/efi2."""
    disks = [storage.new_disk(f"esp{number}", 34) for number in range(2)]
    with ExitStack() as stack:
        for disk, point in zip(disks, ("/efi", "/boot/efi2")):
            lvm.run("mkfs.vfat", disk)
            stack.enter_context(mounts.mount(disk, point))
            (Path(point) / "loader.efi").write_text("loader")
        yield
    storage.remove_disks(*disks)


@pytest.mark.usefixtures("_esps")
def test_what_boots_the_host_may_be_ignored() -> None:
    for ignored, to_save, left_out in (("/efi", ["/boot"], ["/efi"]), ("/boot", [], ["/boot", "/efi"])):
        found = ok("snapset", {**SYSTEM, "ignore_uncovered": [ignored]}, check=True)
        assert (found["boot_to_save"], found["boot_ignored"]) == (to_save, left_out)
        saved = call("boot_backup", {"name": "s", "ignore_uncovered": ignored}, check=True)
        steps = saved.get("planned", [])
        assert [step["mountpoints"] for step in steps if step["step"] == "save"] == ([to_save] if to_save else [])


@pytest.fixture
def _boot_is_a_directory() -> Iterator[None]:
    lvm.run("umount", "--recursive", "/boot")
    yield
    lvm.run("mount", "--all")


@pytest.mark.usefixtures("_boot_is_a_directory", "_esps")
def test_only_what_is_ignored_is_not_saved() -> None:
    """The kernels may be on the ESP while /boot is a directory of no importance."""
    saved = ok("boot_backup", {"name": "s", "vg": "other", "ignore_uncovered": "/boot"})
    assert [step["mountpoints"] for step in saved["planned"] if step["step"] == "save"] == [["/efi"]]
    assert not ok("boot_backup", {"name": "s", "vg": "other", "ignore_uncovered": "/boot"})["changed"]
    ok("snapset", present("s", "thick/a", id=saved["boot_backup"]["id"]))
    Path("/efi/loader.efi").write_text("another")
    ok("boot_backup", {"name": "s", "state": "restored"})
    assert Path("/efi/loader.efi").read_text() == "loader"


@pytest.mark.usefixtures("_esps")
def test_an_esp_that_is_not_saved_is_reported() -> None:
    left = not_rolled_back(ok("snapset", SYSTEM, check=True))
    assert left == {
        "/boot/efi2": "it is not one of /boot, /boot/efi, /boot/firmware, /efi, so boot_backup does not save it"
    }


def test_an_initramfs_must_activate_more_than_root() -> None:
    kernel = lvm.run("uname", "-r").strip()
    builtin = Path(f"/boot/vmlinuz-{kernel}")
    aside = builtin.with_name(".vmlinuz")
    builtin.rename(aside)
    try:
        with storage.mounted("thick/a") as early:
            assert ok("snapset", present("s", "thick/a"), check=True)["changed"]
            with mounts.fstab(f"/dev/thick/a {early} ext4 defaults,x-initrd.mount 0 0"):
                assert f"the running kernel {kernel} is not in /boot" in failed_check(present("s", "thick/a"))
    finally:
        aside.rename(builtin)


def test_a_host_of_ostree() -> None:
    mark = Path("/run/ostree-booted")
    mark.touch()
    try:
        for task in (SYSTEM, by_mountpoint("/", "/var"), present("s", "sysvg/root", "sysvg/var")):
            refused("snapset", task, "ostree or bootc manages this host", check=True)
        assert call("snapset", present("s", "thick/a"), check=True)["changed"]
    finally:
        mark.unlink()
