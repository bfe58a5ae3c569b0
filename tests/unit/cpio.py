# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a cpio archive, the format of an initramfs."""

from __future__ import annotations


def members(archive: bytes) -> dict[str, tuple[int, str]]:
    """Return mode and content of the members of an archive in the newc format of cpio(5), by path."""
    found: dict[str, tuple[int, str]] = {}
    place = 0
    while True:
        assert archive[place : place + 6] == b"070701"
        numbers = [int(archive[place + 6 + 8 * n : place + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = numbers[1], numbers[6], numbers[11]
        name = archive[place + 110 : place + 110 + name_size - 1].decode()
        content = place + 110 + name_size + (-(110 + name_size) % 4)
        place = content + size + (-size % 4)
        if name == "TRAILER!!!":
            assert place == len(archive)
            return found
        found[name] = (mode, archive[content : content + size].decode())
