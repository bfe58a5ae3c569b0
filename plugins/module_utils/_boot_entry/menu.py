# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry is in the boot menu: a part of GRUB's custom.cfg, or a file of its own. Pure; private."""

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

KERNEL, INITRAMFS, LOOK = "vmlinuz", "initrd.img", "look.img"
"""The files of an entry: the kernel and the initramfs of the backup, and what turns that boot into a look."""


def title(instance: Instance) -> str:
    """What the boot menu shows."""
    taken = (
        "" if instance.created is None else f" of {datetime.fromtimestamp(instance.created, tz=timezone.utc):%F %R} UTC"
    )
    return f"Safe point {instance.name}{taken}, to look at; nothing is kept"


def menu_entry(instance: Instance, *, uuid: str, arguments: Sequence[str]) -> str:
    """The entry for GRUB's custom.cfg; ``uuid`` is that of the filesystem at /boot."""
    place = f"/{DIRECTORY}/{instance.set_id}"
    return f"""\
menuentry {_quoted(title(instance))} --unrestricted --id {entry_id(instance.set_id)} {{
    search --no-floppy --fs-uuid --set=root {uuid}
    linux {place}/{KERNEL} {" ".join(_quoted(word) for word in arguments)}
    initrd {place}/{INITRAMFS} {place}/{LOOK}
}}
"""


def custom_part(grub: Grub, set_id: str, entry: str = "") -> str:
    """What custom.cfg gets: an ``entry``, if it stands there, and where GRUB goes when it cannot load it.

    GRUB does not look into submenus for that, so then it is the first entry.
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
    """The entry as a file of the Boot Loader Specification."""
    place = f"/{DIRECTORY}/{instance.set_id}"
    return f"""\
# Made by safepoint.lvm.boot_entry, which also removes it.
title {title(instance)}
version {kernel.version}
linux {place}/{KERNEL}
initrd {place}/{INITRAMFS} {place}/{LOOK}
options {" ".join(arguments)}
grub_arg --unrestricted
"""


def with_part(custom: str, part: str) -> str:
    """The text of custom.cfg with a part more."""
    return f"{custom}{'' if not custom or custom.endswith(chr(10)) else chr(10)}{part}"


def without_entry(custom: str, set_id: str) -> str:
    """The text of custom.cfg without the entry of a set; the same when it has none that is whole."""
    start, end = custom.find(_begin(set_id)), custom.find(_end(set_id))
    if start < 0 or end < start:
        return custom
    return custom[:start] + custom[end + len(_end(set_id)) + 1 :]


def _begin(set_id: str) -> str:
    return f"# BEGIN {entry_id(set_id)}: made by safepoint.lvm.boot_entry, which also removes it"


def _end(set_id: str) -> str:
    return f"# END {entry_id(set_id)}"


def _quoted(word: str) -> str:
    """A word as GRUB takes it literally."""
    return "'" + word.replace("'", "'\\''") + "'" if not re.fullmatch(r"[\w./:=,@+-]+", word) else word
