# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments that the modules snapset and snapshot share, and what they mean. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._names import is_full_name, set_name_problem
from .._snapset.sizes import parse_size
from .session import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._snapset.sizes import Size, Unit

COMMON_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "merged", "absent"], "default": "present"},
    "size": {"type": "str", "default": "auto"},
    "min_headroom": {"type": "str"},
    "reserve": {"type": "str", "default": "5%VG"},
    "pool_reserve": {"type": "str", "default": "20%"},
    "accept_loss_of": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 60},
}

_SIZE_UNITS: Mapping[str, tuple[Unit, ...]] = {
    "size": ("auto", "bytes", "ORIGIN", "USED", "FREE", "VG"),
    "min_headroom": ("bytes", "PERCENT"),
    "reserve": ("bytes", "VG"),
    "pool_reserve": ("bytes", "PERCENT"),
}


def size_parameter(text: str | None, name: str, *, within: str = "") -> Size | None:
    """The value of the size parameter ``name`` with the units that it takes, or None when it was not given.

    ``within`` is what precedes the name in messages. Raises InvalidParameter for anything that is no such size.
    """
    return None if text is None else parse_size(text, parameter=within + name, units=_SIZE_UNITS[name])


def request_parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters in ``COMMON_ARGUMENTS`` give for a Request, by its field names.

    Raises InvalidParameter for what none of them can be.
    """
    for name in params["accept_loss_of"]:
        if set_name_problem(name) is not None and not is_full_name(name):
            check("accept_loss_of", f"{name!r} is neither the name of a snapset nor a snapshot: expected NAME or VG/LV")
    sizes = {name: size_parameter(params[name], name) for name in _SIZE_UNITS}
    return {**sizes, "state": params["state"], "accept_loss_of": tuple(params["accept_loss_of"])}
