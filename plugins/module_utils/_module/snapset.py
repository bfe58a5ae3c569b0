# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the module snapset: snapshots, and a backup of /boot that belongs to them. Private."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._boot_backup.unchanged import CheckBoot, boot_problems
from .._errors import InvalidParameter
from .._names import is_full_name, name_problem, set_name_problem
from .._snapset.context import snapset_context
from .._snapset.coverage import boot_mounts
from .._snapset.plan.base import Request
from .._snapset.selection import Selector, VolumeSpec
from .argspec import (
    duration_parameter,
    list_parameter,
    mountpoint_parameter,
    mountpoints_parameter,
    request_parameters,
    size_parameter,
)
from .session import check
from .snapshots import SnapshotsCase, origins_to_take

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._host_model import Mount
    from .._model import HostState
    from .._snapset.context import BootBackup
    from .._steps import Step
    from .snapshots import Snapshots

_ID = re.compile("[0-9a-f]{32}")


class SnapsetCase(SnapshotsCase):
    """A snapset. If a backup of /boot was made for it, then nothing may have changed /boot since."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__("snapset", build_request(params))

    def observe(self, host_state: HostState) -> Snapshots:
        """The host; with what has changed in /boot, if the snapset will be created for a backup."""
        observed = super().observe(host_state)
        backup = self._backup(host_state)
        if backup is None:
            return observed
        return replace(observed, problems=tuple(boot_problems(backup, self._boot(host_state))))

    def checks(self, observed: Snapshots) -> Iterator[Step]:
        """The same once more, when the snapshots exist."""
        backup = self._backup(observed.host_state)
        if backup is not None:
            yield CheckBoot(backup, self._boot(observed.host_state))
        yield from super().checks(observed)

    def _backup(self, host_state: HostState) -> BootBackup | None:
        """The backup that will belong to the snapset once it is created; None if there is none, or if it exists."""
        request = self._request
        if request.set_id is None or not origins_to_take(host_state, request):
            return None
        backups = snapset_context(host_state, request.name).backups
        return next((one for one in backups if one.tags.set_id == request.set_id and one.tags.manifest), None)

    def _boot(self, host_state: HostState) -> tuple[Mount, ...]:
        return boot_mounts(host_state, self._request.selector.ignore_uncovered)


def build_request(params: Mapping[str, Any]) -> Request:
    """The request from the parameters. Raises InvalidParameter for an invalid name, size, duration or path."""
    name = params["name"]
    check("name", set_name_problem(name))
    set_id = params["id"]
    check(
        "id", None if set_id is None or _ID.fullmatch(set_id) else f"{set_id!r} is not an ID: use 32 digits of 0-9a-f"
    )
    max_age = params["max_age"]
    return Request(
        name=name,
        set_id=set_id,
        max_age=None if max_age is None else duration_parameter(max_age, "max_age", least="0s", most="3650d"),
        adopt=params["adopt"],
        selector=_selector(params),
        **request_parameters(params),
    )


def _selector(params: Mapping[str, Any]) -> Selector:
    selector = Selector(
        volumes=tuple(_spec(item) for item in params["volumes"]),
        mountpoints=mountpoints_parameter(params, "mountpoints"),
        system=params["system"],
        exclude=tuple(
            item if is_full_name(item) else mountpoint_parameter(item, "exclude", also=" or VG/LV")
            for item in list_parameter(params["exclude"])
        ),
        ignore_uncovered=mountpoints_parameter(params, "ignore_uncovered"),
    )
    if params["state"] == "present" and not selector.given and not params["adopt"]:
        raise InvalidParameter(
            "volumes, mountpoints, system: state: present needs one. Name LVs or mountpoints, or use system: true"
        )
    if selector.exclude and not selector.given:
        raise InvalidParameter(
            "exclude: needs volumes, mountpoints or system. A snapset is merged and removed as a whole: remove exclude"
        )
    return selector


def _spec(item: Mapping[str, Any]) -> VolumeSpec:
    vg, lv = item["vg"], item["lv"]
    check("volumes: vg", name_problem(vg, "a VG"))
    check("volumes: lv", None if lv is None else name_problem(lv, "an LV"))
    return VolumeSpec(vg=vg, lv=lv, size=size_parameter(item["size"], "size", within="volumes: "))
