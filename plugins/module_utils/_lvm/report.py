# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request and parse one full LVM report. Private to this collection.

``lvm fullreport`` (lvmreport(7), LVM 2.02.158 or newer) returns one consistent object for each VG from one process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from .._errors import ReportFailed
from .._model import Volume, VolumeGroup

Row = Mapping[str, str]

# Override every setting of lvm.conf that changes the report's format (as conf/lvmdbusd.profile of LVM 2.03 does).
# Without report_command_log=0, LVM 2.03.26 and newer write errors into the JSON instead of to stderr. With archiving, a
# report that finds LVM's backup of the metadata out of date may write "Consider pruning ..." into it (archive.c).
REPORT_CONFIG = (
    'report{compact_output=0 compact_output_cols="" binary_values_as_numeric=0 mark_hidden_devices=0 '
    'list_item_separator="," prefixes=0 quoted=1 time_format="%s" headings=1} '
    'global{suffix=0 units="b"} log{report_command_log=0 verbose=0 silent=0 prefix="  "} backup{archive=0 backup=0}'
)

_VG_FIELDS = (
    "vg_name,vg_uuid,vg_extent_size,vg_extent_count,vg_partial,vg_exported,vg_lock_type,vg_permissions,max_lv,lv_count,"
    "vg_mda_free,vg_profile"
)
_PV_FIELDS = "pv_uuid,pv_name,pv_pe_count,pv_pe_alloc_count,pv_allocatable,pv_missing"
_LV_FIELDS = (
    "lv_uuid,lv_name,lv_size,lv_tags,lv_role,lv_layout,lv_time,origin,pool_lv,lv_active,lv_device_open,lv_suspended,"
    "lv_permissions,lv_merging,lv_merge_failed,lv_snapshot_invalid,data_percent,metadata_percent,lv_health_status,"
    "lv_allocation_locked,lv_profile"
)
_SEG_FIELDS = "lv_uuid,segtype,chunk_size,thin_id"

_FORMAT = ("--config", REPORT_CONFIG, "--reportformat", "json", "--units", "b", "--nosuffix")

# LVM's output is not always valid JSON: control characters are not escaped, and until 2.03.32 backslashes are not
# escaped either (docs/lvm.md). So a value ends at the first quote that is followed by what can follow a value. In every
# version a backslash before a quote or a backslash is an escape; any other backslash is literal.
_VALUE = re.compile(r'":"(.*?)"(?=, "\w+":"|\}(?:,\s+\{"|\s+\]\s))', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


def report_arguments() -> tuple[str, ...]:
    """Return the arguments that follow ``lvm`` on the command line."""
    return (
        *("fullreport", *_FORMAT),
        *("--configreport", "vg", "-o", _VG_FIELDS),
        *("--configreport", "pv", "-o", _PV_FIELDS),
        *("--configreport", "lv", "-a", "-o", _LV_FIELDS),
        *("--configreport", "seg", "-o", _SEG_FIELDS),
        *("--configreport", "pvseg", "-S", "pv_name=none"),
    )


def duplicates_arguments() -> tuple[str, ...]:
    """Return the arguments for a list of devices that look like PVs, but that LVM does not use.

    Only ``pvs --all`` shows them (_process_duplicate_pvs in tools/toollib.c of LVM 2.03).
    """
    return ("pvs", "--all", *_FORMAT, "-o", "vg_uuid,pv_name", "-S", "pv_duplicate=1")


def parse_duplicates(text: str) -> dict[str, tuple[str, ...]]:
    """Return the devices in that list, by the UUID of the VG that they seem to belong to. Raises ReportFailed."""
    found: dict[str, tuple[str, ...]] = {}
    with _parsing():
        for part in _parts(text):
            for row in part["pv"]:
                found[row["vg_uuid"]] = (*found.get(row["vg_uuid"], ()), row["pv_name"])
    return found


def parse_report(text: str) -> tuple[tuple[VolumeGroup, ...], tuple[Volume, ...]]:
    """Return the VGs and LVs of a report.

    A VG that LVM could not read is missing: LVM reports it on stderr and by its exit code. Raises ReportFailed if
    ``text`` is not such a report.
    """
    groups: list[VolumeGroup] = []
    volumes: list[Volume] = []
    with _parsing():
        for item in _parts(text):
            for row in item.get("vg", []):
                groups.append(_volume_group(row, item.get("pv", [])))
                volumes.extend(_volumes(row, item))
    return tuple(groups), tuple(volumes)


def _parts(text: str) -> list[dict[str, list[Row]]]:
    parts: list[dict[str, list[Row]]] = json.loads(_VALUE.sub(_as_json, text))["report"]
    return parts


@contextmanager
def _parsing() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise ReportFailed(f"cannot parse LVM's report ({type(error).__name__}: {error})") from error


def _as_json(value: re.Match[str]) -> str:
    return '":' + json.dumps(_ESCAPED.sub(r"\1", value[1]))


def _volume_group(row: Row, physical: list[Row]) -> VolumeGroup:
    usable = (pv for pv in physical if pv["pv_allocatable"] and not pv["pv_missing"])
    return VolumeGroup(
        name=row["vg_name"],
        uuid=row["vg_uuid"],
        extent_size=int(row["vg_extent_size"]),
        extent_count=int(row["vg_extent_count"]),
        free_extents=sum(int(pv["pv_pe_count"]) - int(pv["pv_pe_alloc_count"]) for pv in usable),
        partial=bool(row["vg_partial"]),
        exported=bool(row["vg_exported"]),
        lock_type=row["vg_lock_type"] if row["vg_lock_type"] != "none" else "",
        writable=row["vg_permissions"] == "writeable",
        max_lvs=int(row["max_lv"]),
        lv_count=int(row["lv_count"]),
        metadata_free=int(row["vg_mda_free"]),
        profile=row["vg_profile"],
        pv_uuids=tuple(pv["pv_uuid"] for pv in physical),
        pv_names=tuple(pv["pv_name"] for pv in physical),
    )


def _volumes(group: Row, item: Mapping[str, Any]) -> Iterator[Volume]:
    segments: dict[str, Row] = {}
    for row in item.get("seg", []):
        segments.setdefault(row["lv_uuid"], row)
    rows = item.get("lv", [])
    external = {_plain(row["lv_name"]): row["pool_lv"] for row in rows if "extthinorigin" in _words(row["lv_role"])}
    seen: set[str] = set()
    for row in rows:
        if row["lv_uuid"] not in seen:
            seen.add(row["lv_uuid"])
            yield _volume(group, row, segments.get(row["lv_uuid"], {}), external)


def _volume(group: Row, row: Row, segment: Row, external: Mapping[str, str]) -> Volume:
    return Volume(
        vg=group["vg_name"],
        name=_plain(row["lv_name"]),
        uuid=row["lv_uuid"],
        vg_uuid=group["vg_uuid"],
        size=int(row["lv_size"]),
        tags=_words(row["lv_tags"]),
        roles=frozenset(_words(row["lv_role"])),
        layout=frozenset(_words(row["lv_layout"])),
        segtype=segment.get("segtype", ""),
        origin=_origin(row, external),
        pool=_plain(row["pool_lv"]),
        thin_id=_number(segment.get("thin_id", "")),
        chunk_size=_number(segment.get("chunk_size", "")) or 0,
        active=_flag(row["lv_active"]),
        open=_flag(row["lv_device_open"]),
        suspended=_flag(row["lv_suspended"]),
        # "unknown" if inactive. "read-only-override": read-only in the kernel, although writable in LVM's metadata.
        writable=not row["lv_permissions"].startswith("read-only"),
        merging=bool(row["lv_merging"]),
        merge_failed=_flag(row["lv_merge_failed"]) is True,
        invalid=_flag(row["lv_snapshot_invalid"]),
        data_percent=_percent(row["data_percent"]),
        metadata_percent=_percent(row["metadata_percent"]),
        health=row["lv_health_status"],
        locked=bool(row["lv_allocation_locked"]),
        profile=row["lv_profile"],
        created=_number(row["lv_time"]),
    )


def _origin(row: Row, external: Mapping[str, str]) -> str:
    # LVM also reports the external origin of a thin LV. It is in another pool or in none, and the thin LV can never be
    # merged into it, so it does not count.
    name = _plain(row["origin"])
    is_clone = name in external and row["pool_lv"] not in ("", external[name])
    return "" if is_clone else name


def _plain(name: str) -> str:
    return name.strip("[]")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _flag(text: str) -> bool | None:
    # LVM prints a word for true, nothing for false, and "unknown" if the device does not exist.
    return None if text == "unknown" else bool(text)


def _number(text: str) -> int | None:
    return int(text) if text else None


def _percent(text: str) -> Fraction | None:
    return Fraction(text) if text else None
