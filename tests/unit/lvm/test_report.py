# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing LVM's report, recorded on real hosts.

Beside every recording (recorded.py) is a file with the suffix .expected.json: what the recording must be understood
as, checked by a person against `lvs -a -o +lv_role`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import recorded
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import ReportFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.report import parse_report, report_arguments
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.checks import origin_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.sizes import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

EACH = pytest.mark.parametrize("path", recorded.RECORDINGS, ids=lambda path: path.stem)


def _described(host_state: HostState, volume: Volume) -> str:
    """Describe an LV in one line by the properties that the planner uses."""
    kinds = {
        "pool": volume.is_pool,
        "hidden": volume.hidden and not volume.is_pool,
        f"thick snapshot of {volume.origin}": volume.is_thick_snapshot,
        f"thin snapshot of {volume.origin}": volume.is_thin_snapshot,
        "thin": volume.is_thin and not volume.is_thin_snapshot,
        f"in {volume.pool}, device {volume.thin_id}": volume.is_thin,
        f"chunks of {volume.chunk_size}": volume.is_thick_snapshot,
        "open": volume.open,
        "not active": not volume.active,
        "suspended": volume.suspended,
        "read-only": not volume.writable,
        "merging": volume.merging,
        "merge failed": volume.merge_failed,
        "invalid": volume.invalid,
        "validity unknown": volume.is_thick_snapshot and volume.invalid is None,
        volume.health: volume.health,
        f"{volume.data_percent and float(volume.data_percent)}%": volume.data_percent is not None,
        f"metadata {volume.metadata_percent and float(volume.metadata_percent)}%": volume.metadata_percent is not None,
        f"{len(list(host_state.snapshots_of(volume)))} snapshots": any(host_state.snapshots_of(volume)),
        f"{len(volume.tags)} tags": bool(volume.tags),
    }
    return ", ".join([format_bytes(volume.size), *(text for text, fits in kinds.items() if fits)])


def seen(recording: dict[str, Any]) -> dict[str, Any]:
    """Return everything that is read from a recording, in the form of the .expected.json file."""
    host_state = recorded.host_state(recording)
    info = host_info(host_state, None)
    return {
        "groups": {
            group.name: f"{group.free_extents} of {group.extent_count} extents free" + ", partial" * group.partial
            for group in host_state.volume_groups
        },
        "volumes": {volume.full_name: _described(host_state, volume) for volume in host_state.volumes},
        "mounts": dict(_mounted(host_state)),
        "snapsets": {
            found["name"]: {found["state"]: [f"{m['vg']}/{m['origin']} {m['state']}" for m in found["members"]]}
            for found in info["snapsets"]
        },
        "no origins": {
            volume.full_name: list(origin_problems(host_state, volume))
            for volume in host_state.volumes
            if not (volume.hidden or volume.is_pool or volume.is_snapshot) and any(origin_problems(host_state, volume))
        },
        "unmanaged": [f"{found['vg']}/{found['snapshot']} {found['state']}" for found in info["unmanaged_snapshots"]],
    }


def _mounted(host_state: HostState) -> Iterator[tuple[str, str | None]]:
    for mount in host_state.host.mounts:
        if mount.device is not None:
            volume = host_state.lv_below(mount.device)
            yield mount.mountpoint, volume.full_name if volume else None


def test_there_are_recordings() -> None:
    assert recorded.RECORDINGS


@EACH
def test_recording(path: Path) -> None:
    assert seen(recorded.load(path)) == recorded.load(path.with_suffix(".expected.json"))


@EACH
def test_recordings_were_made_with_the_arguments_of_today(path: Path) -> None:
    words = report_arguments()
    asked = {words[place - 1]: words[words.index("-o", place) + 1] for place in _places(words)}
    for report in json.loads("\n".join(recorded.load(path)["report"]))["report"]:
        for part, fields in asked.items():
            assert all(list(row) == fields.split(",") for row in report.get(part, []))


def _places(words: tuple[str, ...]) -> list[int]:
    return [
        place + 2
        for place, word in enumerate(words)
        if word == "--configreport" and words[place + 1] in ("vg", "pv", "lv", "seg")
    ]


@EACH
def test_every_lv_is_read_once(path: Path) -> None:
    recording = recorded.load(path)
    rows = [row for report in json.loads("\n".join(recording["report"]))["report"] for row in report.get("lv", [])]
    volumes = recorded.host_state(recording).volumes
    assert sorted({row["lv_uuid"] for row in rows}) == sorted(volume.uuid for volume in volumes)


@EACH
def test_every_open_filesystem_is_found_from_its_device_and_back(path: Path) -> None:
    host_state = recorded.host_state(recorded.load(path))
    for mount in host_state.host.mounts:
        volume = host_state.lv_below(mount.device)
        if volume is not None:
            assert volume.open
            assert mount in host_state.mounts_of(volume)
            device = host_state.device_of(volume)
            assert device is not None
            assert mount.source.endswith(device.dm_name)


def _report(**fields: str) -> str:
    """Return a report of one LV from a recorded host, with the given fields replaced."""
    text = "\n".join(recorded.load(recorded.RECORDINGS[0])["report"])
    report = json.loads(text)
    report["report"] = [one for one in report["report"] if one.get("lv")][:1]
    (group,) = report["report"]
    group["lv"] = [{**group["lv"][0], **fields}]
    group["seg"] = [one for one in group["seg"] if one["lv_uuid"] == group["lv"][0]["lv_uuid"]] * 2
    return json.dumps(report)


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"lv_name": "[pool_tdata]"}, {"name": "pool_tdata"}),
        ({"lv_active": "", "lv_device_open": "unknown"}, {"active": False, "open": None}),
        ({"lv_suspended": "suspended"}, {"suspended": True}),
        ({"lv_merge_failed": "merge failed", "lv_merging": "merging"}, {"merge_failed": True, "merging": True}),
        ({"lv_merge_failed": "unknown", "lv_snapshot_invalid": "unknown"}, {"merge_failed": False, "invalid": None}),
        ({"lv_snapshot_invalid": "snapshot invalid"}, {"invalid": True}),
        ({"lv_snapshot_invalid": ""}, {"invalid": False}),
        ({"lv_permissions": "read-only"}, {"writable": False}),
        ({"lv_permissions": "read-only-override"}, {"writable": False}),
        # "unknown": an inactive LV has no device that LVM could ask. A read-only LV is reported as read-only anyway.
        ({"lv_permissions": "unknown", "lv_active": ""}, {"writable": True}),
        ({"lv_tags": "a,b=c"}, {"tags": ("a", "b=c")}),
        ({"lv_tags": ""}, {"tags": ()}),
        ({"data_percent": "100.00"}, {"data_percent": 100}),
        ({"data_percent": ""}, {"data_percent": None}),
        ({"lv_time": ""}, {"created": None}),
    ],
)
def test_words_of_the_report(fields: dict[str, str], facts: dict[str, Any]) -> None:
    _groups, (volume,) = parse_report(_report(**fields))
    assert {name: getattr(volume, name) for name in facts} == facts


# Characters that LVM escapes with a backslash in reports: until 2.03.32, and since 2.03.33 (_safe_repstr_output in
# libdm).
ESCAPED = {"old": re.compile('(")'), "new": re.compile(r'(["\\])')}
# The last three: a space and a quote as udev and device-mapper write them, and a byte that is not UTF-8 as Python
# decodes it.
PIECES = (*'\\"bnu04,:}]', "\n", "\x01", "ä", "\\x20", "\\x22", "\udcff")


def _with_device(name: str, escaped: re.Pattern[str]) -> str:
    """Return a recorded report as LVM would print it if the PV of the VG thick were called ``name``."""
    text = "\n".join(recorded.load(recorded.RECORDINGS[0])["report"])
    device = re.compile('"pv_name":"/dev/loop0"')
    assert len(device.findall(text)) == 1
    return device.sub(lambda _match: f'"pv_name":"{escaped.sub(_after_backslash, name)}"', text)


def _after_backslash(match: re.Match[str]) -> str:
    return f"\\{match[0]}"


@pytest.mark.parametrize("lvm", ESCAPED)
@given(name=st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example(name="/dev/mapper/my\\x20disk")
@example(name="/dev/mapper/\\u0041\\b\\n")
@example(name='ends in a quote"')
@example(name="ends in a backslash\\")
@example(name='x", "pv_pe_count":"1')
@example(name='x"},\n {"pv_uuid":"1')
def test_whatever_a_device_is_called(lvm: str, name: str) -> None:
    # Old versions print two backslashes like new versions print one. Names from device-mapper and udev never have two.
    assume(lvm == "new" or "\\\\" not in name)
    # This would end the list of rows.
    assume(not re.search(r'"\}\s+]\s', name))
    groups, volumes = parse_report(_with_device(name, ESCAPED[lvm]))
    assert [group.pv_names for group in groups if group.name == "thick"] == [(name,)]
    plain_groups, plain_volumes = parse_report(_with_device("/dev/loop0", ESCAPED[lvm]))
    assert volumes == plain_volumes
    assert [replace(group, pv_names=()) for group in groups] == [replace(group, pv_names=()) for group in plain_groups]


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"report": [{"vg": [{}]}]}'])
def test_text_that_is_not_a_report(text: str) -> None:
    with pytest.raises(ReportFailed, match=r"^cannot parse LVM's report"):
        parse_report(text)


def test_a_report_in_other_units() -> None:
    with pytest.raises(ReportFailed, match=r"1\.00g"):
        parse_report(_report(lv_size="1.00g"))


def test_a_host_without_groups() -> None:
    assert parse_report('{"report": [{"pv": [], "pvseg": []}]}') == ((), ())


def test_extents_that_cannot_be_had_are_not_free() -> None:
    report = json.loads("\n".join(recorded.load(recorded.RECORDINGS[0])["report"]))
    (group,) = [one for one in report["report"] if one.get("vg")][:1]
    whole = {"pv_uuid": "1", "pv_name": "x", "pv_pe_count": "10", "pv_pe_alloc_count": "4"}
    good, bad = {"pv_allocatable": "allocatable", "pv_missing": ""}, {"pv_allocatable": "", "pv_missing": "missing"}
    group["pv"] = [{**whole, **good}, {**whole, **good, "pv_missing": "missing"}, {**whole, **bad, "pv_missing": ""}]
    (parsed,), _volumes = parse_report(json.dumps({"report": [group]}))
    assert parsed.free_extents == 6
