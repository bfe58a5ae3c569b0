# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parameters of the module snapset ask for. Private to this collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._errors import InvalidParameter
from .._model import SWAP
from .._names import is_full_name, name_problem, set_name_problem
from .._snapset.plan.base import Request
from .._snapset.selection import Selector, VolumeSpec
from .argspec import request_parameters, size_parameter
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = re.compile("[0-9a-f]{32}")


def build_request(params: Mapping[str, Any]) -> Request:
    """The request that the parameters make; raises InvalidParameter for a name, a size or a path that is none."""
    name = params["name"]
    check("name", set_name_problem(name))
    set_id = params["id"]
    check(
        "id", None if set_id is None or _ID.fullmatch(set_id) else f"{set_id!r} is no id: expected 32 digits of 0-9a-f"
    )
    return Request(name=name, set_id=set_id, selector=_selector(params), **request_parameters(params))


def _selector(params: Mapping[str, Any]) -> Selector:
    selector = Selector(
        volumes=tuple(_spec(item) for item in params["volumes"]),
        mountpoints=tuple(_mountpoint(path, "mountpoints") for path in params["mountpoints"]),
        exclude=tuple(item if is_full_name(item) else _mountpoint(item, "exclude") for item in params["exclude"]),
        ignore_uncovered=tuple(_mountpoint(path, "ignore_uncovered") for path in params["ignore_uncovered"]),
    )
    if params["state"] == "present" and not selector.given:
        raise InvalidParameter("volumes or mountpoints: state present needs at least one of them, with an item")
    if selector.exclude and not selector.given:
        raise InvalidParameter(
            "exclude: it leaves something out of volumes or mountpoints, and neither was given: a set is merged and "
            "removed as a whole, so leave exclude out"
        )
    return selector


def _spec(item: Mapping[str, Any]) -> VolumeSpec:
    vg, lv = item["vg"], item["lv"]
    check("volumes: vg", name_problem(vg, "a VG"))
    check("volumes: lv", None if lv is None else name_problem(lv, "an LV"))
    return VolumeSpec(vg=vg, lv=lv, size=size_parameter(item["size"], "size", within="volumes: "))


def _mountpoint(path: str, parameter: str) -> str:
    # An empty one must never become / by having its slashes taken off. snapset_info shows swap like a mountpoint.
    if not path.startswith("/") and path != SWAP:
        also = " or VG/LV" if parameter == "exclude" else ""
        check(parameter, f"{path!r} is not a mountpoint: expected an absolute path{also}")
    return path.rstrip("/") or "/"
