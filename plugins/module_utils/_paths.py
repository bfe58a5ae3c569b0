# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths on a managed host that several packages use. Values only; private to this collection."""

from __future__ import annotations

from pathlib import Path

RUN_DIRECTORY = "/run/safepoint.lvm"
"""Files of this collection that need not survive a reboot: host lock, output of LVM commands, mountpoints."""

LOCK_PATH = f"{RUN_DIRECTORY}/lock"
"""The host lock. The path is documented, so that shell scripts can take the lock too (flock(1))."""

LVM_CONFIGURATION = Path("/etc/lvm")
"""The directory of LVM's configuration files (lvm.conf(5))."""

LVM_ARCHIVE = LVM_CONFIGURATION / "archive"
"""Where LVM archives its metadata by default (lvm.conf(5), backup/archive_dir)."""

EFIVARS = Path("/sys/firmware/efi/efivars")
"""Where efivarfs shows the variables of the UEFI firmware (systemd mounts it there)."""

BOOT_MOUNTPOINTS = ("/boot", "/boot/efi", "/boot/firmware", "/efi")
"""Mountpoints of what boots a host, if not on the root filesystem: /boot, the ESP, firmware of single-board hosts."""

SYSTEM_MOUNTPOINTS = ("/", "/usr", "/var", "/var/lib", "/etc", "/opt")
"""What an upgrade changes: / and the filesystems that must roll back with it to keep the host consistent."""

NO_HIBERNATION = Path("/run/systemd/sleep.conf.d/zzz-safepoint-lvm.conf")
"""Forbids hibernation until the next boot (sleep.conf.d(5)). Of several files the last name counts."""

KEXEC_LOADED = Path("/sys/kernel/kexec_loaded")
"""Whether a kernel is loaded that the next reboot can start directly (Documentation/ABI/testing/sysfs-kernel-kexec)."""

KEXEC_LIMIT = Path("/proc/sys/kernel/kexec_load_limit_reboot")
"""How many times a kernel can still be loaded for a reboot; it can only be reduced. Since Linux 6.3 (kernel.rst)."""

KEXEC_DISABLED = Path("/proc/sys/kernel/kexec_load_disabled")
"""Whether no kernel can be loaded any more, not even for a crash; it can only be set (kernel.rst)."""

SYSTEMD = Path("/run/systemd/system")
"""Exists if systemd booted the host (sd_booted(3))."""

PREVIEW_MARK = "/run/safepoint-look"
"""In a preview boot: the directory below which layers are mounted. Its file ``set`` has the snapset's name and ID."""


INITRAMFS_SCRIPT = Path("/etc/initramfs-tools/scripts/local-bottom/safepoint-lvm")
"""The script that ends LVM's pollers in an initramfs of initramfs-tools. run-parts(8) restricts its file name."""


def initramfs_names(kernel: str) -> tuple[str, str, str]:
    """The names that the initramfs of a kernel can have in /boot: Debian, EL, others."""
    return f"initrd.img-{kernel}", f"initramfs-{kernel}.img", f"initrd-{kernel}"
