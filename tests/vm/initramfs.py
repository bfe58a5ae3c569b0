# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the initramfs of a guest is built: with initramfs-tools or dracut. Pure."""

from __future__ import annotations

from typing import Literal

Initramfs = Literal["initramfs-tools", "dracut"]

# A list of modules instead of "most" makes the initramfs five times smaller, which matters in software emulation.
# Modules and tools for device-mapper come from the hooks of lvm2 and thin-provisioning-tools, as on every Debian.
INITRAMFS_HOOK = """\
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_blk ext4 xfs
"""

# Records which LVM processes still run after udev has ended in the initramfs, for tests that reboot.
INITRAMFS_WITNESS = """\
#!/bin/sh
[ "$1" = prereqs ] && { echo udev; exit 0; }
for process in /proc/[0-9]*; do
    if read -r name <"$process/comm" && [ "$name" = lvm ]; then
        cat "$process/cmdline"
        echo
    fi
done >/run/lvm-of-initramfs 2>/dev/null
"""

DRACUT_OMITTED = (
    "btrfs",
    "crypt",
    "hwdb",
    "i18n",
    "kernel-modules-extra",
    "lunmask",
    "mdraid",
    "multipath",
    "nvdimm",
    "overlay-root",
    "qemu",
    "resume",
    "virtfs",
    "virtiofs",
)
# It is built for any host, because the guest's devices do not exist during the build. So dracut does not know which LV
# contains the root filesystem, and would activate none: the command line names it. Modules that the guest does not need
# are omitted, because a smaller initramfs boots faster in software emulation.
DRACUT_CONFIG = f"""\
hostonly="no"
kernel_cmdline="rd.lvm.lv={{root}}"
compress="zstd"
drivers="virtio_pci virtio_blk"
filesystems="ext4 xfs"
omit_dracutmodules="{" ".join(DRACUT_OMITTED)}"
"""


def files(kind: Initramfs, root: str) -> dict[str, str]:
    """The configuration files for it: content by absolute path. `root` is the root LV, as VG/LV."""
    if kind == "dracut":
        return {"/etc/dracut.conf.d/lab.conf": DRACUT_CONFIG.format(root=root)}
    return {
        "/etc/initramfs-tools/conf.d/lab": "MODULES=list\nRESUME=none\nCOMPRESSLEVEL=1\n",
        "/etc/initramfs-tools/hooks/lab": INITRAMFS_HOOK,
        "/etc/initramfs-tools/scripts/init-bottom/lab": INITRAMFS_WITNESS,
    }
