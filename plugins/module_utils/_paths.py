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

SYSTEM_MOUNTPOINTS = ("/", "/usr", "/var", "/var/lib", "/etc", "/opt")
"""What an upgrade changes: / and the filesystems that have to roll back with it, or the host is two halves."""

PREVIEW_MARK = "/run/safepoint-look"
"""In a preview boot the layers are mounted below it; ``set`` in it has the name and the ID of the snapset."""


INITRAMFS_SCRIPT = Path("/etc/initramfs-tools/scripts/local-bottom/safepoint-lvm")
"""Ends LVM's pollers in an initramfs of initramfs-tools; what names may be in its directory, run-parts(8) says."""


def initramfs_names(kernel: str) -> tuple[str, str, str]:
    """What the initramfs of a kernel is called in /boot: by Debian, by EL, by others."""
    return f"initrd.img-{kernel}", f"initramfs-{kernel}.img", f"initrd-{kernel}"
