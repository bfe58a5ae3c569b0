# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts of all kinds, as an administrator makes them: automounts of systemd, and filesystems that do not answer."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import storage

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT = Path("/boot")
ESP = BOOT / "efi"
_FSTAB = Path("/etc/fstab")
_LAZY = 2  # MNT_DETACH of umount2(2)
_PATIENCE = 30


@contextmanager
def fstab(*lines: str) -> Iterator[None]:
    """Add lines to /etc/fstab, before those of the guest. systemd knows them, but mounts nothing."""
    former = _FSTAB.read_text()
    try:
        _FSTAB.write_text("".join(f"{line}\n" for line in lines) + former)
        lvm.run("systemctl", "daemon-reload")
        yield
    finally:
        _FSTAB.write_text(former)
        lvm.run("systemctl", "daemon-reload")


@contextmanager
def separate_boot() -> Iterator[None]:
    """An empty /boot and an empty ESP on disks of their own, mounted over those of the guest."""
    disks = [storage.new_disk("boot", 48), storage.new_disk("esp", 34)]
    lvm.run("mkfs.ext4", "-q", disks[0])
    lvm.run("mkfs.vfat", "-F", "32", disks[1])
    lvm.run("mount", disks[0], str(BOOT))
    ESP.mkdir()
    lvm.run("mount", disks[1], str(ESP))
    try:
        yield
    finally:
        lvm.run("umount", *([str(ESP)] if ESP.is_mount() else []), str(BOOT))
        storage.remove_disks(*disks)


@contextmanager
def automount(device: str, mountpoint: str, fstype: str, *options: str) -> Iterator[None]:
    """An automount of systemd, which mounts ``device`` when somebody looks. It has mounted nothing yet."""
    unit = lvm.run("systemd-escape", "--path", mountpoint).strip()
    with fstab(f"{device} {mountpoint} {fstype} {','.join(('noauto', 'x-systemd.automount', *options))} 0 0"):
        lvm.run("systemctl", "start", f"{unit}.automount")
        try:
            yield
        finally:
            # Also ends a mount that waits for its device.
            subprocess.run(["systemctl", "stop", f"{unit}.automount", f"{unit}.mount"], check=True)


def waits(mountpoint: str) -> bool:
    """Whether only an automount is mounted at ``mountpoint``."""
    # findmnt(8) would look at it.
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [words[words.index("-") + 1] for words in lines if words[4] == mountpoint] == ["autofs"]


def wait_until_idle(mountpoint: str) -> None:
    """Wait until systemd has unmounted what an automount had mounted."""
    end = time.monotonic() + _PATIENCE
    while not waits(mountpoint):
        assert time.monotonic() < end, f"{mountpoint} is still mounted after {_PATIENCE} s"
        time.sleep(0.2)


@contextmanager
def mount(*arguments: str) -> Iterator[Path]:
    """Mounted with these arguments of the program. The last one is the mountpoint, which is made if it is missing."""
    point = Path(arguments[-1])
    made = [place for place in (point, *point.parents) if not place.exists()]
    point.mkdir(parents=True, exist_ok=True)
    lvm.run("mount", *arguments)
    try:
        yield point
    finally:
        lvm.run("umount", str(point))
        for place in made:
            place.rmdir()


@contextmanager
def dead(mountpoint: Path, source: str) -> Iterator[None]:
    """Mount a filesystem of the type fuse.sshfs whose program never answers. Whoever looks at it sleeps forever."""
    lvm.run("modprobe", "fuse")
    mountpoint.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    arguments = [text.encode() for text in (source, str(mountpoint), "fuse.sshfs")]
    assert libc.mount(*arguments, 0, options.encode()) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        libc.umount2(str(mountpoint).encode(), _LAZY)
        os.close(device)
        mountpoint.rmdir()
