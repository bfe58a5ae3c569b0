# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the small initramfs of a boot entry, as bytes. Pure; private to this collection.

The kernel unpacks it over the initramfs of the backup, which needs no preparation (initramfs buffer format in the
kernel's documentation). Every failure leads to a reboot, which takes the default entry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .program import BEFORE_MOUNT, BEFORE_PIVOT, INITRAMFS_TOOLS, PROGRAM
from .units import unit_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .entries import InitramfsKind, PreviewMount
    from .units import Services

_PROGRAM, _LIST, _NAME = "safepoint-look", "safepoint-look.list", "safepoint-look.set"
_ALIGNMENT = 4
_FILE, _DIRECTORY = 0o100000, 0o040000


def initramfs_kind(listing: Iterable[str]) -> tuple[InitramfsKind, str] | None:
    """Return the kind of the initramfs with the files in ``listing``, and its directory for scripts; None if unknown.

    The lines are the output of lsinitramfs(8), or of lsinitrd(1), which has the format of ls(1).
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
    kind: InitramfsKind,
    scripts: str,
    *,
    preview_mounts: Sequence[PreviewMount],
    name: str,
    set_id: str,
    services: Services,
) -> bytes:
    """Return the small initramfs of a preview boot that shows ``preview_mounts`` and starts ``services``.

    ``kind`` and ``scripts`` are what ``initramfs_kind`` returns.
    """
    files = {
        _PROGRAM: PROGRAM,
        _LIST: "".join(f"{one.line}\n" for one in preview_mounts),
        _NAME: f"{name} {set_id}\n",
        **unit_files(services),
    }
    if kind == "initramfs-tools":
        return _archive({**files, f"{scripts}/safepoint": INITRAMFS_TOOLS})
    hooks = {"pre-mount": BEFORE_MOUNT, "pre-pivot": BEFORE_PIVOT}
    return _archive({**files, **{f"{scripts}/{hook}/50-safepoint-look.sh": text for hook, text in hooks.items()}})


def _archive(files: Mapping[str, str]) -> bytes:
    """Return an archive in the newc format of cpio(5), with the files and their directories, all owned by root.

    Parents of these directories are not in the archive: the kernel would replace a symbolic link by a directory.
    """
    directories = sorted({path.rpartition("/")[0] for path in files} - {""})
    members = [_member(path, b"", _DIRECTORY | 0o755) for path in directories]
    members += [_member(path, text.encode(errors="surrogateescape"), _FILE | 0o755) for path, text in files.items()]
    return b"".join([*members, _member("TRAILER!!!", b"", 0)])


def _member(path: str, content: bytes, mode: int) -> bytes:
    name = path.encode() + b"\0"
    # ino, mode, uid, gid, nlink, mtime, filesize, device, rdevice, namesize, check. Each has eight hexadecimal digits.
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
