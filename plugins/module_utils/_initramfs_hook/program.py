# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that ends LVM's pollers in an initramfs, for a POSIX shell: its text and nothing else. Pure; private."""

from __future__ import annotations

PROGRAM = r"""
#!/bin/sh
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs in the initramfs, when the root filesystem is mounted and udev is still there. Put there by the role
# safepoint.lvm.pre_upgrade.
#
# LVM that udev runs in an initramfs of initramfs-tools finds no lvmpolld and leaves a process of its own behind, which
# looks every 15 seconds whether a merge is drained. The one that ends a merge when udev has gone waits for udev for
# ever, and if /dev is moved to the real root just then, it leaves the origin suspended and the host stands still. So
# none must live on. The merge does not need them: the kernel does it, and LVM in the running host concludes it.

prereqs() {
    echo ""
}

pollers() {
    for process in /proc/[0-9]*; do
        if read -r name <"$process/comm" && [ "$name" = lvm ]; then
            echo "${process#/proc/}"
        fi
    done 2>/dev/null
}

case $1 in
prereqs)
    prereqs
    exit 0
    ;;
esac

# LVM that still activates is run by udev, and ends.
udevadm settle --timeout=60
for poller in $(pollers); do
    # One that ends a merge at this moment blocks the signal until it is done with it.
    kill "$poller"
done
seconds=0
while [ -n "$(pollers)" ] && [ "$seconds" -lt 120 ]; do
    sleep 1
    seconds=$((seconds + 1))
done
exit 0
""".lstrip()
