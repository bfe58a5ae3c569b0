# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small initramfs of a boot entry, as bytes. Pure; private to this collection.

The kernel unpacks it over the initramfs of the backup (initramfs buffer format of the kernel's documentation), so that
one needs no preparation. Whatever fails ends in a reboot, which is into the default entry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .program import BEFORE_MOUNT, BEFORE_PIVOT, INITRAMFS_TOOLS, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .entries import InitramfsKind, PreviewMount

_PROGRAM, _LIST, _NAME = "safepoint-look", "safepoint-look.list", "safepoint-look.set"
_ALIGNMENT = 4
_FILE, _DIRECTORY = 0o100000, 0o040000


def kind_of(listing: Iterable[str]) -> tuple[InitramfsKind, str] | None:
    """Which kind of initramfs has the files in ``listing``, and where it looks for scripts; None for any other kind.

    The lines are those of lsinitramfs(8), or those of lsinitrd(1), which are as ls(1) prints them.
    """
    hooks = None
    for line in listing:
        path = line.rsplit(None, 1)[-1] if line.strip() else ""
        if re.fullmatch(r"(.*/)?scripts/local", path):
            return "initramfs-tools", "scripts"
        if line.startswith("d") and re.fullmatch(r"(usr/lib|var/lib|lib)/dracut/hooks", path):
            hooks = path
    return None if hooks is None else ("dracut", hooks)


def preview_image(
    kind: InitramfsKind, scripts: str, *, preview_mounts: Sequence[PreviewMount], name: str, set_id: str
) -> bytes:
    """The small initramfs of a preview boot that shows ``preview_mounts``; ``scripts`` is what ``kind_of`` returns."""
    files = {
        _PROGRAM: PROGRAM,
        _LIST: "".join(f"{one.line}\n" for one in preview_mounts),
        _NAME: f"{name} {set_id}\n",
    }
    if kind == "initramfs-tools":
        return _archive({**files, f"{scripts}/safepoint": INITRAMFS_TOOLS})
    hooks = {"pre-mount": BEFORE_MOUNT, "pre-pivot": BEFORE_PIVOT}
    return _archive({**files, **{f"{scripts}/{hook}/50-safepoint-look.sh": text for hook, text in hooks.items()}})


def _archive(files: Mapping[str, str]) -> bytes:
    """An archive in the format newc of cpio(5): directories that may be missing, and the files, all of root.

    Directories above the last one are not named: the kernel would put a directory in the place of a link.
    """
    directories = sorted({path.rpartition("/")[0] for path in files} - {""})
    members = [_member(path, b"", _DIRECTORY | 0o755) for path in directories]
    members += [_member(path, text.encode(errors="surrogateescape"), _FILE | 0o755) for path, text in files.items()]
    return b"".join([*members, _member("TRAILER!!!", b"", 0)])


def _member(path: str, content: bytes, mode: int) -> bytes:
    name = path.encode() + b"\0"
    # ino, mode, uid, gid, nlink, mtime, filesize, device, rdevice, namesize, check: eight hexadecimal digits each.
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
