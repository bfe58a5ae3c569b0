# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The positions of an image's volumes on its disk. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vm.host import LabError

MIB = 1024 * 1024


@dataclass(frozen=True)
class ByteRange:
    """A range of the disk, in bytes."""

    offset: int
    size: int


def volume_ranges(report: dict[str, Any], *, pv_start: int) -> dict[str, ByteRange]:
    """The range of each LV on the disk, from a JSON report of `pvs --segments`.

    `pv_start` is the offset of the PV on the disk in bytes. LabError if an LV has several segments.
    """
    ranges: dict[str, ByteRange] = {}
    for row in report["report"][0]["pvseg"]:
        name, extent = row["lv_name"], int(row["vg_extent_size"])
        if not name:
            continue
        if name in ranges:
            raise LabError(f"volume {name} of the image is not contiguous: the volume group was not empty")
        offset = pv_start + int(row["pe_start"]) + int(row["pvseg_start"]) * extent
        ranges[name] = ByteRange(offset, int(row["pvseg_size"]) * extent)
    return ranges
