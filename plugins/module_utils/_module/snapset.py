# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of the module snapset, from its parameters. Private to this collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._errors import InvalidParameter
from .._model import SWAP
from .._names import is_full_name, name_problem, set_name_problem
from .._snapset.plan.base import Request
from .._snapset.selection import Selector, VolumeSpec
from .argspec import duration_parameter, list_parameter, request_parameters, size_parameter
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = re.compile("[0-9a-f]{32}")


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
        mountpoints=_mountpoints(params, "mountpoints"),
        system=params["system"],
        exclude=tuple(
            item if is_full_name(item) else _mountpoint(item, "exclude") for item in list_parameter(params["exclude"])
        ),
        ignore_uncovered=_mountpoints(params, "ignore_uncovered"),
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


def _mountpoints(params: Mapping[str, Any], parameter: str) -> tuple[str, ...]:
    return tuple(_mountpoint(path, parameter) for path in list_parameter(params[parameter]))


def _mountpoint(path: str, parameter: str) -> str:
    # An empty path must never become / when its slashes are stripped. snapset_info shows swap like a mountpoint.
    if not path.startswith("/") and path != SWAP:
        also = " or VG/LV" if parameter == "exclude" else ""
        check(parameter, f"{path!r} is not a mountpoint: use an absolute path{also}")
    return path.rstrip("/") or "/"
