# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of an entry in the boot menu: a part of GRUB's custom.cfg. Pure; private to this collection."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .grub import DIRECTORY, entry_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._snapset.state import Instance
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
    """Return the entry for GRUB's custom.cfg. ``uuid`` is the UUID of the filesystem at /boot.

    GRUB asks for no password when it boots the entry, because nobody may be there to type it.
    """
    place, name = f"/{DIRECTORY}/{instance.set_id}", entry_id(instance.set_id)
    return f"""\
    menuentry {_quoted(title(instance))} --unrestricted --id {name} {{
        search --no-floppy --fs-uuid --set=root {uuid}
        linux {place}/{KERNEL} {_joined(arguments)}
        initrd {place}/{INITRAMFS} {place}/{PREVIEW_IMAGE}
    }}
"""


def custom_part(grub: Grub, set_id: str, entry: str) -> str:
    """Return the part for custom.cfg: ``entry``, and the fallback if it cannot load.

    The entry is in the menu only if root has chosen it for this boot. It starts a system with earlier passwords and
    keys, so nobody else may. And a menu can have a number as its default, which the entry must not get. GRUB sets
    ``default`` to the choice before it reads custom.cfg (00_header and 41_custom of GRUB 2.06 and 2.12).

    The fallback is the default entry. GRUB cannot fall back to an entry in a submenu; then it is the first entry.
    """
    default = grub.default
    fallback = "0" if ">" in default else default
    return f"""\
{_begin(set_id)}
if [ "${{default}}" = {entry_id(set_id)} ]; then
    set fallback="{fallback}"
{entry}fi
{_end(set_id)}
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


def _joined(words: Sequence[str]) -> str:
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """Quote a word for GRUB."""
    return "'" + word.replace("'", "'\\''") + "'" if not re.fullmatch(r"[\w./:=,@+-]+", word) else word
