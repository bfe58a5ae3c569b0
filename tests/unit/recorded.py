# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recordings of real machines: each file in recordings/ is the state of one machine (made by recordings/record.py)."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ansible_collections.safepoint.lvm.plugins.module_utils._host.mounts import parse_mountinfo, root_argument
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.report import parse_report
from ansible_collections.safepoint.lvm.plugins.module_utils._model import BlockDevice, Host, HostState
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.copies import separate_copied_tags

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import DeviceNumber

RECORDINGS = sorted(
    path for path in Path(__file__).with_name("recordings").glob("*.json") if ".expected" not in path.suffixes
)


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def host_state(recording: dict[str, Any]) -> HostState:
    """Return the host state of a recording, one minute after its newest LV was created."""
    groups, volumes = parse_report("\n".join(recording["report"]))
    devices = {
        _number(device["dev"]): BlockDevice(
            name=device["name"],
            dm_name=device["dm_name"],
            dm_uuid=device["dm_uuid"],
            slaves=tuple(_number(slave) for slave in device["slaves"]),
        )
        for device in recording["devices"]
    }
    host = Host(
        now=max(volume.created or 0 for volume in volumes) + 60,
        boot_id=recording["boot_id"],
        mounts=tuple(parse_mountinfo(recording["mountinfo"], devices)),
        devices=MappingProxyType(devices),
        root_argument=root_argument(recording["cmdline"]),
    )
    # They are older than the tag of the host, and everything in them belongs to their host.
    return separate_copied_tags(HostState(host=host, volume_groups=groups, volumes=volumes))


def _number(text: str) -> DeviceNumber:
    major, _colon, minor = text.partition(":")
    return int(major), int(minor)
