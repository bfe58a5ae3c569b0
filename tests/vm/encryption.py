# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PV that is encrypted with LUKS and opened in the initramfs with a key file. Pure.

The host's kernel does not need dm-crypt: the PV is written unencrypted, then qemu-img encrypts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The LUKS1 header takes about 2 MiB before the encrypted data.
HEADER_MIB = 4
# Space for LVM's metadata before the first volume, and for rounding up to extents.
METADATA_MIB = 8
KEY_FILE = "/etc/cryptsetup-keys.d/lvm.key"
# Nothing in the image is secret.
KEY = "the key of the lab\n"
FILES = {
    KEY_FILE: KEY,
    "/etc/crypttab": f"lvm_crypt PARTLABEL=lvm {KEY_FILE} luks,initramfs\n",
    "/etc/cryptsetup-initramfs/conf-hook": f"KEYFILE_PATTERN={KEY_FILE}\n",
    "/etc/initramfs-tools/conf.d/encryption": "UMASK=0077\n",
}


def conversion_command(key_file: str, plain: Path, encrypted: Path) -> list[str]:
    """The command that encrypts a file. The key is in a file, so few iterations are enough to derive it."""
    options = [
        "--object",
        f"secret,id=key,file={key_file}",
        "-f",
        "raw",
        "-O",
        "luks",
        "-o",
        "key-secret=key,iter-time=10",
    ]
    return ["qemu-img", "convert", *options, str(plain), str(encrypted)]


def used_mib(sizes: Iterable[int]) -> int:
    """The size of the part of a PV with these volumes that must be encrypted. Free space needs no content."""
    return sum(sizes) + METADATA_MIB
