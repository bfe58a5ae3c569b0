# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments that several modules have, and how they are parsed. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._durations import parse_duration
from .._errors import InvalidParameter
from .._host_model import SWAP
from .._names import is_full_name, set_name_problem
from .._snapset.sizes import parse_size
from .session import check, timeout_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._durations import Duration
    from .._snapset.sizes import Size, Unit

COMMON_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "merged", "absent"], "default": "present"},
    "size": {"type": "str", "default": "auto"},
    "min_headroom": {"type": "str"},
    "reserve": {"type": "str", "default": "5%VG"},
    "pool_reserve": {"type": "str", "default": "20%"},
    "accept_loss_of": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 60},
    "package_timeout": {"type": "int", "default": 60},
}

_SIZE_UNITS: Mapping[str, tuple[Unit, ...]] = {
    "size": ("auto", "bytes", "ORIGIN", "USED", "FREE", "VG"),
    "min_headroom": ("bytes", "PERCENT"),
    "reserve": ("bytes", "VG"),
    "pool_reserve": ("bytes", "PERCENT"),
}


# Other blanks may be a part of a path.
_BLANKS = " \t\r\n"


def size_parameter(text: str | None, name: str, *, within: str = "") -> Size | None:
    """The value of the size parameter ``name``, or None if it was not given. Raises InvalidParameter.

    ``within`` is what precedes the name in messages.
    """
    return None if text is None else parse_size(text, parameter=within + name, units=_SIZE_UNITS[name])


def duration_parameter(text: str, name: str, *, least: str, most: str) -> Duration:
    """The value of the duration parameter ``name``. Raises InvalidParameter."""
    found, lowest, highest = map(parse_duration, (text, least, most))
    if found is None or lowest is None or highest is None or not lowest.seconds <= found.seconds <= highest.seconds:
        raise InvalidParameter(
            f"{name}: {text!r} is not a valid duration: use {least} to {most}, for example 90s, 30m, 12h or 7d"
        )
    return found


def list_parameter(items: Sequence[str]) -> tuple[str, ...]:
    """The items of a list parameter, even if it was given as text, as with ``-e``: `/, /var` or `["/", "/var"]`.

    Ansible only splits text at its commas. No path and no name begins with a blank, a quote or a bracket, except the
    mountpoint of swap.
    """
    found = [item.strip(_BLANKS) for item in items]
    if found and found[0].startswith("[") and found[-1].endswith("]") and found[0] != SWAP:
        found[0] = found[0][1:].lstrip(_BLANKS)
        found[-1] = found[-1][:-1].rstrip(_BLANKS)
        if found == [""]:
            return ()
    return tuple(_unquoted(item) for item in found)


def _unquoted(item: str) -> str:
    is_quoted = len(item) > 1 and item[0] == item[-1] and item[0] in "'\""
    return item[1:-1] if is_quoted else item


def mountpoints_parameter(params: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The value of the parameter ``name``, a list of mountpoints. Raises InvalidParameter."""
    return tuple(mountpoint_parameter(path, name) for path in list_parameter(params[name]))


def mountpoint_parameter(path: str, name: str, *, also: str = "") -> str:
    """A mountpoint given in the parameter ``name``, without slashes at its end. Raises InvalidParameter.

    ``also`` says in the message what else can be given.
    """
    # An empty path must never become / when its slashes are stripped. snapset_info shows swap like a mountpoint.
    if not path.startswith("/") and path != SWAP:
        check(name, f"{path!r} is not a mountpoint: use an absolute path{also}")
    return path.rstrip("/") or "/"


def request_parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the parameters in ``COMMON_ARGUMENTS``, by the field names of Request. Raises InvalidParameter."""
    accept_loss_of = list_parameter(params["accept_loss_of"])
    for name in accept_loss_of:
        if set_name_problem(name) is not None and not is_full_name(name):
            check("accept_loss_of", f"{name!r} is neither a snapset nor a snapshot: use NAME or VG/LV")
    package_timeout = params["package_timeout"]
    check("package_timeout", timeout_problem(package_timeout))
    sizes = {name: size_parameter(params[name], name) for name in _SIZE_UNITS}
    more = {"accept_loss_of": accept_loss_of, "package_timeout": package_timeout}
    return {**sizes, **more, "state": params["state"]}
