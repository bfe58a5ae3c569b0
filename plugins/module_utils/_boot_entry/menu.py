# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of an entry in the boot menu: a part of GRUB's custom.cfg, or a file of its own. Pure; private."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .grub import DIRECTORY, entry_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._snapset.state import Instance
    from .entries import Kernel
    from .grub import Grub

KERNEL, INITRAMFS, PREVIEW_IMAGE = "vmlinuz", "initrd.img", "look.img"
"""The files of an entry: kernel and initramfs from the backup, and the small initramfs of the preview boot."""


def title(instance: Instance) -> str:
    """Return the title that the boot menu shows."""
    created = (
        "" if instance.created is None else f" of {datetime.fromtimestamp(instance.created, tz=timezone.utc):%F %R} UTC"
    )
    return f"Preview of snapset {instance.name}{created}; changes are lost"


def menu_entry(instance: Instance, *, uuid: str, arguments: Sequence[str]) -> str:
    """Return the entry for GRUB's custom.cfg. ``uuid`` is the UUID of the filesystem at /boot."""
    place = f"/{DIRECTORY}/{instance.set_id}"
    return f"""\
menuentry {_quoted(title(instance))} --unrestricted --id {entry_id(instance.set_id)} {{
    search --no-floppy --fs-uuid --set=root {uuid}
    linux {place}/{KERNEL} {" ".join(_quoted(word) for word in arguments)}
    initrd {place}/{INITRAMFS} {place}/{PREVIEW_IMAGE}
}}
"""


def custom_part(grub: Grub, set_id: str, entry: str = "") -> str:
    """Return the part for custom.cfg: ``entry``, if it is not a file of its own, and the fallback if it cannot load.

    The fallback is the default entry. GRUB cannot fall back to an entry in a submenu; then it is the first entry.
    """
    default = grub.default
    fallback = "0" if ">" in default else default
    return f"""\
{_begin(set_id)}
{entry}if [ "${{default}}" = {entry_id(set_id)} ]; then
    set fallback="{fallback}"
fi
{_end(set_id)}
"""


def bls_entry(instance: Instance, kernel: Kernel, arguments: Sequence[str]) -> str:
    """Return the entry as a file of the Boot Loader Specification."""
    place = f"/{DIRECTORY}/{instance.set_id}"
    return f"""\
# Made by safepoint.lvm.boot_entry, which also removes it.
title {title(instance)}
version {kernel.version}
linux {place}/{KERNEL}
initrd {place}/{INITRAMFS} {place}/{PREVIEW_IMAGE}
options {" ".join(arguments)}
grub_arg --unrestricted
"""


def with_part(custom: str, part: str) -> str:
    """Return the text of custom.cfg with ``part`` added."""
    return f"{custom}{'' if not custom or custom.endswith(chr(10)) else chr(10)}{part}"


def without_entry(custom: str, set_id: str) -> str:
    """Return the text of custom.cfg without the entry of a snapset; unchanged if it has no complete entry."""
    start, end = custom.find(_begin(set_id)), custom.find(_end(set_id))
    if start < 0 or end < start:
        return custom
    return custom[:start] + custom[end + len(_end(set_id)) + 1 :]


def _begin(set_id: str) -> str:
    return f"# BEGIN {entry_id(set_id)}: made by safepoint.lvm.boot_entry, which also removes it"


def _end(set_id: str) -> str:
    return f"# END {entry_id(set_id)}"


def _quoted(word: str) -> str:
    """Quote a word for GRUB."""
    return "'" + word.replace("'", "'\\''") + "'" if not re.fullmatch(r"[\w./:=,@+-]+", word) else word
