# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""GRUB in a guest: its settings, and the script that makes the finished tree bootable. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vm.firmware import Firmware

# Answers to the questions of Debian's packages: the image builder installs GRUB itself, on a loop device.
DEBCONF = """\
grub-pc grub-pc/install_devices_empty boolean true
grub-efi-amd64 grub2/force_efi_extra_removable boolean true
grub-efi-amd64 grub2/update_nvram boolean true
"""
DEFAULTS = """\
GRUB_TIMEOUT=0
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0,115200 net.ifnames=0 loglevel=5 mitigations=off init_on_alloc=0"
GRUB_DISABLE_OS_PROBER=true
"""


def command_line(root: str) -> str:
    """The kernel command line that GRUB uses with the settings above. `root` is the root device."""
    found = re.search('^GRUB_CMDLINE_LINUX="(.*)"$', DEFAULTS, re.MULTILINE)
    return f"root={root} ro {found[1] if found else ''}"


def script(root: str, firmware: Firmware, *, bls: bool) -> str:
    """The script that makes the finished tree bootable. Its arguments are the disk and the UUID of /boot.

    On the host the root filesystem is on a loop device, for which update-grub would write no entry. So the script sets
    the names that update-grub would find in the guest. With `bls` the menu uses the files in /boot/loader/entries (GRUB
    2.14 and newer).
    """
    return f"""\
set -eu
disk=$1
boot=$2
override=/etc/default/grub.d/zz-build.cfg
printf '%s\\n' GRUB_DEVICE={root} GRUB_DEVICE_UUID= GRUB_DEVICE_PARTUUID= >"$override"
{firmware.grub_install}
{_bls_script(root) if bls else ""}
update-grub
rm "$override"
grep -q "root={root}" {"/boot/loader/entries/*.conf" if bls else "/boot/grub/grub.cfg"}
"""


def _bls_script(root: str) -> str:
    """The part of the script that writes files of the Boot Loader Specification, named as on Fedora and EL."""
    return f"""\
chmod -x /etc/grub.d/10_linux
printf '%s\\n' '#!/bin/sh' 'echo blscfg' >/etc/grub.d/10_bls
chmod +x /etc/grub.d/10_bls
echo GRUB_DEFAULT=saved >/etc/default/grub.d/bls.cfg
mkdir -p /boot/loader/entries
for kernel in /boot/vmlinuz-*; do
    release=${{kernel#/boot/vmlinuz-}}
    entry=$(cat /etc/machine-id)-$release
    printf '%s\\n' "title Debian ($release)" "version $release" "linux /vmlinuz-$release" \\
        "initrd /initrd.img-$release" 'options {command_line(root)}' >"/boot/loader/entries/$entry.conf"
done
grub-editenv /boot/grub/grubenv set "saved_entry=$entry"
"""
