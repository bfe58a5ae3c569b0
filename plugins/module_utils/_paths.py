# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places on a managed host that several packages mean. Values only; private to this collection."""

from __future__ import annotations

from pathlib import Path

RUN_DIRECTORY = "/run/safepoint.lvm"
"""What this collection has in memory: the host lock, the output of LVM's commands, mountpoints."""

LVM_ARCHIVE = Path("/etc/lvm/archive")
"""Where LVM archives its metadata, unless it is told otherwise (lvm.conf(5), backup/archive_dir)."""

BOOT_MOUNTPOINTS = ("/boot", "/boot/efi", "/boot/firmware", "/efi")
"""Where what boots a host lies when it is not on the root filesystem: /boot, the ESP, the firmware of single boards."""

LOOK_MARK = "/run/safepoint-look"
"""Below it the layers are mounted of a host that was booted from a safe point; ``set`` in it has its name and id."""


def initramfs_names(kernel: str) -> tuple[str, str, str]:
    """What the initramfs of a kernel is called in /boot: by Debian, by EL, by others."""
    return f"initrd.img-{kernel}", f"initramfs-{kernel}.img", f"initrd-{kernel}"
