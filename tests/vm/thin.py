# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create a thin pool without device-mapper: LVM's metadata of it, and the pool's own metadata. Pure.

LVM creates a thin pool by activating it. Here, linear volumes are created for its data and its metadata, and LVM's
metadata, which is text, is edited so that they become a pool with thin volumes. The pool's own metadata maps the blocks
of its volumes in order, one volume after another. So each thin volume is a contiguous range of the disk too.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm.host import LabError
from vm.ranges import MIB, ByteRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vm.recipe import ThinPool, Volume

SECTOR = 512
BLOCK = 64 * 1024  # LVM's smallest chunk, and its default
BLOCK_SECTORS = BLOCK // SECTOR
EXTENT_MIB = 4


@dataclass(frozen=True)
class Part:
    """A linear volume that becomes a hidden part of a thin pool: its name afterwards, and before."""

    hidden: str
    plain: str
    size_mib: int


@dataclass(frozen=True)
class Parts:
    """The parts of a thin pool. LVM uses the spare for repairs, and creates one with the first pool of a VG."""

    data: Part
    metadata: Part
    spare: Part

    def all(self) -> tuple[Part, ...]:
        """The parts in their order on the disk."""
        return (self.data, self.metadata, self.spare)


def parts_of(pool: ThinPool) -> Parts:
    """The parts of a thin pool. LVM reserves their hidden names, so they are created with other names."""
    return Parts(
        data=Part(f"{pool.name}_tdata", f"{pool.name}-data", pool.data_mib),
        metadata=Part(f"{pool.name}_tmeta", f"{pool.name}-metadata", pool.metadata_mib),
        spare=Part("lvol0_pmspare", f"{pool.name}-spare", pool.metadata_mib),
    )


def thin_ranges(volumes: Sequence[Volume], data: ByteRange) -> dict[str, ByteRange]:
    """The range of each thin volume on the disk. `data` is that of the pool's data. LabError if it is too small."""
    ranges: dict[str, ByteRange] = {}
    offset = data.offset
    for volume in volumes:
        ranges[volume.name] = ByteRange(offset, volume.size_mib * MIB)
        offset += volume.size_mib * MIB
    if offset > data.offset + data.size:
        raise LabError("the thin volumes of the image are larger than their pool")
    return ranges


def pool_metadata(pool: ThinPool, volumes: Sequence[Volume]) -> str:
    """The pool's own metadata as input of thin_restore: all blocks of the volumes are provisioned.

    The order is that of `thin_ranges`; the numbers of devices and transactions are those of `with_thin_pool`.
    """
    devices = []
    start = 0
    for number, volume in enumerate(volumes):
        blocks = volume.size_mib * MIB // BLOCK
        devices.append(
            f'<device dev_id="{number + 1}" mapped_blocks="{blocks}" transaction="{number}"'
            ' creation_time="0" snap_time="0">'
            f'<range_mapping origin_begin="0" data_begin="{start}" length="{blocks}" time="0"/></device>\n'
        )
        start += blocks
    return (
        f'<superblock uuid="" time="0" transaction="{len(volumes)}" flags="0" version="2"'
        f' data_block_size="{BLOCK_SECTORS}" nr_data_blocks="{pool.data_mib * MIB // BLOCK}">\n'
        f"{''.join(devices)}</superblock>\n"
    )


def with_thin_pool(backup: str, pool: ThinPool, volumes: Sequence[Volume]) -> str:
    """LVM's metadata as input of vgcfgrestore, with the pool. In `backup`, from vgcfgbackup, its parts are linear LVs.

    The transactions are those of a pool whose volumes were created one by one. LabError if a part is missing.
    """
    text = backup
    parts = parts_of(pool)
    for part in parts.all():
        text, found = re.subn(
            rf'\b{part.plain} \{{(\s+id = "[^"]+"\s+status = \["READ", "WRITE"), "VISIBLE"\]',
            rf"{part.hidden} {{\1]",
            text,
        )
        if found != 1:
            raise LabError(f"LVM's metadata of the image does not describe {part.plain} as expected")
    entries = [logical_volume(pool.name, pool.data_mib, pool_segment(parts, transactions=len(volumes)))]
    for number, volume in enumerate(volumes):
        segment = f'type = "thin"\nthin_pool = "{pool.name}"\ntransaction_id = {number}\ndevice_id = {number + 1}\n'
        entries.append(logical_volume(volume.name, volume.size_mib, segment))
    return text.replace("logical_volumes {\n", "logical_volumes {\n" + "".join(entries), 1)


def pool_segment(parts: Parts, *, transactions: int) -> str:
    """The segment of the pool. `transactions` is how often the pool was changed."""
    return (
        f'type = "thin-pool"\nmetadata = "{parts.metadata.hidden}"\npool = "{parts.data.hidden}"\n'
        f'transaction_id = {transactions}\nchunk_size = {BLOCK_SECTORS}\ndiscards = "passdown"\nzero_new_blocks = 1\n'
    )


def logical_volume(name: str, size_mib: int, segment: str) -> str:
    """A logical volume with one segment in LVM's metadata."""
    extent_count = size_mib // EXTENT_MIB
    return (
        f'{name} {{\nid = "{lvm_uuid()}"\nstatus = ["READ", "WRITE", "VISIBLE"]\nflags = []\nsegment_count = 1\n'
        f"segment1 {{\nstart_extent = 0\nextent_count = {extent_count}\n{segment}}}\n}}\n"
    )


def lvm_uuid() -> str:
    """A new UUID in LVM's format."""
    digits = uuid.uuid4().hex
    starts = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(digits[start:end] for start, end in zip(starts, starts[1:]))
