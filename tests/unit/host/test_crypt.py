# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which encrypted devices a host boots from, and what opens them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import builders as b
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import crypt
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Host, Mount

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._host.boot import Listings

DISK, CRYPT, ROOT = (254, 1), (252, 0), (252, 1)
DEVICES = {
    DISK: BlockDevice("vda1"),
    CRYPT: BlockDevice("dm-0", dm_name="pv", dm_uuid="CRYPT-LUKS2-0123-pv", slaves=(DISK,)),
    ROOT: BlockDevice("dm-1", dm_name="vg-root", dm_uuid="LVM-1", slaves=(CRYPT,)),
}
KEY_OF_DEBIAN = "cryptroot/keyfiles/pv.key"
KEY_OF_DRACUT = "-r--------   1 root     root         64 Jan  1  2020 etc/keys/pv.bin"
LINK_OF_DRACUT = "lrwxrwxrwx   1 root     root         64 Jan  1  2020 etc/keys/pv.bin -> ../pv.bin"


def host(boot: tuple[int, int] = DISK) -> Host:
    mounts = (
        Mount("/", "/dev/dm-1", "ext4", ROOT, number=1),
        Mount("/boot", "/dev/x", "ext4", boot, number=2, parent=1),
    )
    return Host(now=b.NOW, boot_id=b.BOOT, mounts=mounts, devices=DEVICES)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The files of the host."""
    found: dict[str, str] = {}
    monkeypatch.setattr(crypt, "read", lambda path: found.get(path, ""))
    return found


def never() -> Listings:
    raise AssertionError


@pytest.mark.parametrize(
    ("line", "words", "listings", "opened_by", "reason"),
    [
        ("pv UUID=1 /etc/keys/pv.bin luks", "", {"6": [KEY_OF_DEBIAN]}, "key", ""),
        ("pv UUID=1 /etc/keys/pv.bin luks", "", {"6": [KEY_OF_DRACUT]}, "key", ""),
        ("pv UUID=1 /etc/keys/pv.bin luks", "", {"6": [LINK_OF_DRACUT]}, "key", ""),
        ("pv UUID=1 none luks", "", {"6": ["etc/cryptsetup-keys.d/pv.key"]}, "key", ""),
        ("pv UUID=1 /k luks", "", {"5": [KEY_OF_DEBIAN], "6": []}, "person", "its key file /k is not in .* of 6"),
        ("pv UUID=1 /k luks", "", {"6": ["cryptroot/keyfiles/other.key"]}, "person", "/k is not in .* of 6"),
        ("pv UUID=1 /k luks", "", {}, "person", "not in the initramfs of any kernel"),
        ("pv UUID=1 none luks,initramfs", "", {"6": []}, "person", "no key file"),
        ("# pv UUID=1 /k", "", {"6": []}, "person", "no key file"),
        ("other UUID=1 /k luks", "", {"6": ["k"]}, "person", "no key file"),
        ("pv UUID=1", "", {"6": []}, "person", "no key file"),
        ("pv UUID=1 - tpm2-device=auto", "", {"6": []}, "unknown", "has tpm2-device=auto"),
        ("pv UUID=1 none luks,keyscript=passdev", "", {"6": []}, "unknown", "has keyscript=passdev"),
        ("pv UUID=1 - fido2-device=auto", "", {"6": []}, "person", "somebody at the token"),
        ("pv UUID=1 none luks", "rd.luks.key=/k:LABEL=usb", {"6": []}, "unknown", "booted with rd.luks.key="),
        ("pv UUID=1 none luks", "", {"6": ["usr/bin/clevis-luks-unlock"]}, "unknown", "contains clevis"),
        ("pv UUID=1 /k luks", "", {"5": None, "6": [KEY_OF_DEBIAN]}, "unknown", "of 5 cannot be listed"),
    ],
)
def test_what_opens_it(
    texts: dict[str, str], line: str, words: str, listings: Listings, opened_by: str, reason: str
) -> None:
    texts |= {"/etc/crypttab": f"{line}\n", "/proc/cmdline": words}
    (lock,) = crypt.read_locks(host(), lambda: listings)
    assert (lock.name, lock.opened_by) == ("pv", opened_by)
    assert re.search(reason, lock.reason)


def test_grub_asks_for_a_passphrase(texts: dict[str, str]) -> None:
    """Whatever is in the initramfs, which is itself on the encrypted device."""
    texts["/etc/crypttab"] = "pv UUID=1 /k luks\n"
    (lock,) = crypt.read_locks(host(boot=CRYPT), never)
    assert (lock.opened_by, lock.reason[:9]) == ("person", "GRUB asks")


def test_hosts_that_are_not_encrypted_list_no_initramfs() -> None:
    plain = Host(now=b.NOW, boot_id=b.BOOT, mounts=(Mount("/", "/dev/vda1", "ext4", DISK, number=1),), devices=DEVICES)
    assert crypt.read_locks(plain, never) == ()
