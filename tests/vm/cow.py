# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a disk of user-mode Linux that is an overlay: what the guest has written over what the image has.

The format is that of arch/um/drivers/cow_user.c, version 3: a header in big-endian order, a bitmap with one bit for
each sector, and from `data` on the sectors themselves, each at its own place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from vm.host import LabError
from vm.ranges import MIB, ByteRange

if TYPE_CHECKING:
    from pathlib import Path

HEADER = struct.Struct(">IIIQIII4096s")
MAGIC = 0x4F4F4F4D
VERSION = 3


@dataclass(frozen=True)
class Overlay:
    """The file with what the guest has written; sizes and places in bytes."""

    sector: int
    bitmap: int
    data: int

    @classmethod
    def of(cls, file: Path) -> Overlay:
        """The overlay in `file`. LabError if it is of another format."""
        with file.open("rb") as handle:
            head = handle.read(HEADER.size)
        if len(head) < HEADER.size:
            raise LabError(f"{file} is no overlay of user-mode Linux")
        magic, version, _mtime, size, sector, alignment, _format, _backing = HEADER.unpack(head)
        if (magic, version) != (MAGIC, VERSION):
            raise LabError(f"{file} is no overlay of user-mode Linux, version {VERSION}")
        bitmap = rounded(HEADER.size, alignment)
        return cls(sector, bitmap, rounded(bitmap + -(-size // sector // 8), alignment))

    def written(self, handle: BinaryIO, place: ByteRange) -> list[ByteRange]:
        """The pieces of `place` that the guest has written, in order."""
        first, end = place.offset // self.sector, (place.offset + place.size) // self.sector
        handle.seek(self.bitmap + first // 8)
        bits = handle.read(-(-end // 8) - first // 8)
        pieces: list[ByteRange] = []
        for index, byte in enumerate(bits, start=first // 8):
            # Most of a disk has never been written.
            sectors = [index * 8 + bit for bit in range(8) if byte >> bit & 1] if byte else []
            for sector in sectors:
                if first <= sector < end:
                    append(pieces, ByteRange(sector * self.sector, self.sector))
        return pieces


def extract(file: Path, image: Path, place: ByteRange, target: Path) -> None:
    """Write what a guest sees at `place` of its disk into `target`: the image, and over it the overlay in `file`.

    There is no such file before the guest has been started for the first time.
    """
    with image.open("rb") as below, target.open("wb") as out:
        copy(below, place.offset, out, ByteRange(0, place.size))
        if file.exists():
            overlay = Overlay.of(file)
            with file.open("rb") as above:
                for piece in overlay.written(above, place):
                    where = ByteRange(piece.offset - place.offset, piece.size)
                    copy(above, overlay.data + piece.offset, out, where)


def rounded(number: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-number // unit) * unit


def append(pieces: list[ByteRange], piece: ByteRange) -> None:
    """Add a piece to those before it, as a part of the last one if they touch."""
    last = pieces[-1] if pieces else None
    if last and last.offset + last.size == piece.offset:
        pieces[-1] = ByteRange(last.offset, last.size + piece.size)
    else:
        pieces.append(piece)


def copy(source: BinaryIO, offset: int, target: BinaryIO, place: ByteRange) -> None:
    """Copy bytes of `source` from `offset` on to `place` of `target`."""
    source.seek(offset)
    target.seek(place.offset)
    left = place.size
    while left and (chunk := source.read(min(MIB, left))):
        target.write(chunk)
        left -= len(chunk)
