# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""GRUB of a guest: its settings, and what makes a finished tree bootable. Values only, nothing runs here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vm.firmware import Firmware

# Debian's own questions, answered: GRUB is installed by the image builder, onto the loop device of the image.
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
    """What GRUB gives the kernel when it has no settings but those above; `root` is the device."""
    found = re.search('^GRUB_CMDLINE_LINUX="(.*)"$', DEFAULTS, re.MULTILINE)
    return f"root={root} ro {found[1] if found else ''}"


def script(root: str, firmware: Firmware, *, bls: bool) -> str:
    """What makes the finished tree bootable. Its arguments are the disk and the UUID of /boot.

    On the host the root file system lies on a loop device, for which update-grub would write no menu entry; the names
    are those that update-grub finds by itself in the guest. With `bls` the menu has the files of /boot/loader/entries
    instead, which GRUB reads from 2.14 on.
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
    """What gives the menu the files of the Boot Loader Specification; their names are as on Fedora and EL."""
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
