# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which encrypted devices are opened when the host boots, and what opens them. Private to this collection.

The host does not record who typed a passphrase. So this looks at what could open a device without a person: its line in
crypttab, the arguments of the kernel, and the files in each initramfs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._host_model import Lock
from .boot import list_each_initramfs
from .reading import read
from .references import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._host_model import Host
    from .boot import Listings

# Where cryptsetup-initramfs of Debian and systemd put key files.
_KEY_FILE = re.compile(r"(cryptroot/keyfiles|etc/cryptsetup-keys\.d)/.")
_NO_KEY = ("", "none", "-")
# Options of crypttab(5) with which the host needs no passphrase, or may need none.
_BY_ITSELF = ("tpm2-device=", "keyscript=")
_BY_TOKEN = ("fido2-device=", "pkcs11-uri=")
_KEY_ARGUMENTS = ("rd.luks.key=", "luks.key=", "cryptopts=", "cryptkey=", "rd.neednet=")
_CLEVIS = re.compile(r"(.*/)?bin/clevis(-luks-\S+)?")


def read_locks(host: Host, listings: Callable[[], Listings] = list_each_initramfs) -> tuple[Lock, ...]:
    """Return the encrypted devices below / and /boot. Takes seconds if there are any. Raises OSError."""
    root, boot = (_encrypted_below(host, path) for path in ("/", "/boot"))
    grub = [Lock(name, "person", "GRUB asks for its passphrase before it can read /boot") for name in boot]
    others = [name for name in root if name not in boot]
    if not others:
        return tuple(grub)
    lines = dict(_crypttab(read("/etc/crypttab")))
    words, found = words_of(read("/proc/cmdline")), listings()
    return (*grub, *(_lock(name, lines.get(name), words, found) for name in others))


def _encrypted_below(host: Host, path: str) -> tuple[str, ...]:
    mount = host.lies_on(path)
    return host.encrypted_below(mount.devices) if mount is not None else ()


def kernels_with_keys() -> tuple[str, ...]:
    """Return the kernels whose initramfs contains a key file of an encrypted device. Takes seconds. Raises OSError."""
    keys = [key for _name, (key, _options) in _crypttab(read("/etc/crypttab")) if _is_file(key)]
    return tuple(
        kernel
        for kernel, lines in list_each_initramfs().items()
        if any(_KEY_FILE.match(_path(line)) or f"/{_path(line)}" in keys for line in lines or ())
    )


def _is_file(key: str) -> bool:
    return key.startswith("/") and not key.startswith("/dev/")


def _crypttab(text: str) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Yield the name of each device, with its key file and its options (crypttab(5))."""
    for line in text.splitlines():
        fields = [*line.split(), "", "", ""]
        if fields[0] and not fields[0].startswith("#"):
            yield fields[0], (fields[2], fields[3].split(","))


def _lock(
    name: str, line: tuple[str, list[str]] | None, words: Sequence[str], listings: Mapping[str, list[str] | None]
) -> Lock:
    key, options = line or ("", [])
    without = [kernel for kernel, lines in listings.items() if lines is not None and not _has_key(lines, name, key)]
    unlisted = [kernel for kernel, lines in listings.items() if lines is None]
    if listings and not without and not unlisted:
        return Lock(name, "key")
    reasons = [*_by_itself(options, words, listings)]
    if unlisted and not without:
        reasons.append(f"the initramfs of {', '.join(unlisted)} cannot be listed")
    if reasons:
        return Lock(name, "unknown", reasons[0])
    token = next((option for option in options if option.startswith(_BY_TOKEN)), None)
    if token is not None:
        return Lock(name, "person", f"/etc/crypttab has {token}, which needs somebody at the token")
    if key in _NO_KEY:
        return Lock(name, "person", "/etc/crypttab has no key file for it")
    return Lock(name, "person", f"its key file {key} is not in the initramfs of {', '.join(without) or 'any kernel'}")


def _by_itself(options: Sequence[str], words: Sequence[str], listings: Mapping[str, list[str] | None]) -> Iterator[str]:
    """What may open a device without a person."""
    for option in options:
        if option.startswith(_BY_ITSELF):
            yield f"/etc/crypttab has {option}, which may fail with other boot files"
    for word in words:
        if word.startswith(_KEY_ARGUMENTS):
            yield f"the kernel was booted with {word.partition('=')[0]}="
    if any(_CLEVIS.fullmatch(_path(line)) for lines in listings.values() for line in lines or ()):
        yield "the initramfs contains clevis, which may fail without its server or its TPM"


def _has_key(lines: Sequence[str], name: str, key: str) -> bool:
    """Whether an initramfs contains the key file: under the names of cryptsetup-initramfs, systemd, or its own."""
    names = [f"cryptroot/keyfiles/{name}.key", f"etc/cryptsetup-keys.d/{name}.key"]
    if _is_file(key):
        names.append(key.lstrip("/"))
    return any(_path(line) in names for line in lines)


def _path(line: str) -> str:
    """The path in a line of lsinitramfs(8), or of lsinitrd(1), which has the format of ls(1)."""
    words = line.split(" -> ", 1)[0].rsplit(None, 1)
    return words[-1].lstrip("/") if words else ""
