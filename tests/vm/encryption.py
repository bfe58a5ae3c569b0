# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A physical volume that is encrypted with LUKS, and opened in the initramfs with a key file.

The kernel of the host need not know dm-crypt: the volume is written in the clear, and qemu-img encrypts it. Values
only, nothing runs here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# For the header of LUKS1, which takes about 2 MiB, in front of what it encrypts.
HEADER_MIB = 4
# In front of the first volume, and what its extents are rounded up to.
METADATA_MIB = 8
KEY_FILE = "/etc/cryptsetup-keys.d/lvm.key"
# Whoever has the image may read it: nothing in it is secret.
KEY = "the key of the lab\n"
FILES = {
    KEY_FILE: KEY,
    "/etc/crypttab": f"lvm_crypt PARTLABEL=lvm {KEY_FILE} luks,initramfs\n",
    "/etc/cryptsetup-initramfs/conf-hook": f"KEYFILE_PATTERN={KEY_FILE}\n",
    "/etc/initramfs-tools/conf.d/encryption": "UMASK=0077\n",
}


def conversion(key_file: str, plain: Path, encrypted: Path) -> list[str]:
    """The command line that encrypts a file; a key file is no password, so its key is derived in few iterations."""
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
    """How much of a physical volume with volumes of these sizes has to be encrypted; what is free may be noise."""
    return sum(sizes) + METADATA_MIB
