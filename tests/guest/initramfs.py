# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An initramfs written without cpio(1), which sid no longer has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = 0o100755


def archive(files: Mapping[str, bytes]) -> bytes:
    """An archive in the format newc of cpio(5); ``files`` are contents by name."""
    members = [*((name, _FILE, content) for name, content in files.items()), ("TRAILER!!!", 0, b"")]
    written = b""
    for number, (name, mode, content) in enumerate(members, start=1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = "070701" + "".join(f"{field:08X}" for field in fields) + name + "\0"
        for part in (head.encode(), content):
            written += part + bytes(-len(part) % 4)
    return written
