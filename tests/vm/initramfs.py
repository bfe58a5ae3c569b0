# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a guest's initramfs is made: by initramfs-tools or by dracut. Values only, nothing runs here."""

from __future__ import annotations

from typing import Literal

Initramfs = Literal["initramfs-tools", "dracut"]

# A list of modules instead of "most": the initramfs is a fifth of the size, which software emulation notices.
# Device-mapper modules and tools come from the hooks of lvm2 and thin-provisioning-tools, as on any Debian.
INITRAMFS_HOOK = """\
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_blk ext4 xfs
"""

# Writes down which processes of LVM outlive the udev of the initramfs, for tests that reboot.
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
# Built for any host, because none of the guest's devices exist where it is built. For the same reason dracut cannot see
# which LV the root filesystem is on, and it activates none that it is not told of. What this guest has no use for stays
# out: in software emulation a smaller initramfs is a quicker boot.
DRACUT_CONFIG = f"""\
hostonly="no"
kernel_cmdline="rd.lvm.lv={{root}}"
compress="zstd"
drivers="virtio_pci virtio_blk"
filesystems="ext4 xfs"
omit_dracutmodules="{" ".join(DRACUT_OMITTED)}"
"""


def files(kind: Initramfs, root: str) -> dict[str, str]:
    """The files that say how: absolute path to content; `root` is the LV of /, as VG/LV."""
    if kind == "dracut":
        return {"/etc/dracut.conf.d/lab.conf": DRACUT_CONFIG.format(root=root)}
    return {
        "/etc/initramfs-tools/conf.d/lab": "MODULES=list\nRESUME=none\nCOMPRESSLEVEL=1\n",
        "/etc/initramfs-tools/hooks/lab": INITRAMFS_HOOK,
        "/etc/initramfs-tools/scripts/init-bottom/lab": INITRAMFS_WITNESS,
    }
