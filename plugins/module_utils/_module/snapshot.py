# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of the module snapshot, from its parameters. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._names import lv_name_problem, name_problem
from .._snapset.plan.base import Request, Single
from .argspec import request_parameters
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_request(params: Mapping[str, Any]) -> Request:
    """The request from the parameters. Raises InvalidParameter for an invalid name or size."""
    check("vg", name_problem(params["vg"], "a VG"))
    check("lv", name_problem(params["lv"], "an LV"))
    check("snapshot", lv_name_problem(params["snapshot"]))
    single = Single(vg=params["vg"], origin=params["lv"], name=params["snapshot"])
    return Request(name=single.name, single=single, **request_parameters(params))
