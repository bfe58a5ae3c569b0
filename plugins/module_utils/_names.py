# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of LVM and device-mapper for names of snapsets and snapshots. Private to this collection."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

_SET_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}")

# lib/misc/lvm-string.c of LVM 2.03: the valid names of VGs and LVs, and the names that LVM reserves for internal LVs.
_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}")
_INVALID_NAMES = (".", "..")
_RESERVED_PREFIXES = ("snapshot", "pvmove")
_RESERVED_PARTS = (
    "_cdata",
    "_cmeta",
    "_corig",
    "_cpool",
    "_cvol",
    "_wcorig",
    "_mimage",
    "_mlog",
    "_rimage",
    "_rmeta",
    "_tdata",
    "_tmeta",
    "_vdata",
    "_imeta",
    "_iorig",
    "_pmspare",
    "_vorigin",
)

# A device-mapper name holds 127 bytes; LVM's own limit for metadata is "vg + lv + 3 < 128".
_DM_NAME_BYTES = 127
_METADATA_NAME_BYTES = 124
COW_SUFFIX = "-cow"
REAL_SUFFIX = "-real"


def set_name_problem(name: str) -> str | None:
    """Why ``name`` is not a valid snapset name, or None if it is valid."""
    if _SET_NAME.fullmatch(name):
        return None
    return (
        f"{name!r} is not a valid snapset name: use 1 to 64 characters of A-Z a-z 0-9 _ . -, "
        "and do not begin with a hyphen"
    )


def name_problem(name: str, kind: Literal["a VG", "an LV"]) -> str | None:
    """Why ``name`` is not valid for that ``kind``, not even for a hidden LV; None if it is valid."""
    if _NAME.fullmatch(name) and name not in _INVALID_NAMES:
        return None
    return (
        f"{name!r} is not {kind} name: use 1 to 127 characters of A-Z a-z 0-9 + _ . -, and do not begin with a hyphen"
    )


def is_full_name(text: str) -> bool:
    """Whether ``text`` is VG/LV with two valid names."""
    vg, slash, lv = text.partition("/")
    return bool(slash) and name_problem(vg, "a VG") is None and name_problem(lv, "an LV") is None


def lv_name_problem(name: str) -> str | None:
    """Why LVM would refuse ``name`` for a new LV, or None if it would accept it."""
    problem = name_problem(name, "an LV")
    if problem is not None:
        return problem
    if name.startswith(_RESERVED_PREFIXES):
        return f"{name!r} is reserved by LVM: an LV name cannot begin with {' or '.join(_RESERVED_PREFIXES)}"
    for part in _RESERVED_PARTS:
        if part in name:
            return f"{name!r} is reserved by LVM: an LV name cannot contain {part}"
    return None


def fits_device_mapper(vg: str, lv: str, suffix: str) -> bool:
    """Whether device-mapper accepts the names of the device VG-LV and of its hidden device with ``suffix``.

    LVM doubles each hyphen inside a name, so hyphens count twice. It does not check this before it commits: a thick
    snapshot whose name is too long is left as a plain LV (seen with LVM 2.03.16 and 2.03.31).
    """
    length = len(_doubled(vg)) + 1 + len(_doubled(lv)) + len(suffix)
    return length <= _DM_NAME_BYTES and len(vg) + len(lv) <= _METADATA_NAME_BYTES


def _doubled(name: str) -> str:
    return name.replace("-", "--")


def device_path(vg: str, lv: str) -> str:
    """The path of an LV in /dev/mapper, as /etc/fstab and messages name it."""
    return f"/dev/mapper/{_doubled(vg)}-{_doubled(lv)}"


def plain_snapshot_name(origin: str, set_name: str) -> str:
    """The name that a member gets unless it is reserved, too long or taken."""
    return f"{origin}_{set_name}"


def hashed_snapshot_name(origin: str, set_name: str) -> str:
    """The name of a member whose plain name is reserved, too long or taken: ORIGIN_sp and 10 hex digits.

    The origin's name is cut to 40 characters. Its hyphens, which count twice, become dots, because underscores could
    make a reserved name. The digits are a hash of both names in full.
    """
    digest = hashlib.sha256(f"{origin}/{set_name}".encode()).hexdigest()[:10]
    start = origin[:40].replace("-", ".")
    return f"{start}_sp{digest}"


def generated_names(origin: str, set_name: str) -> tuple[str, str]:
    """The names that the member of ``origin`` in ``set_name`` can get, the preferred one first."""
    return plain_snapshot_name(origin, set_name), hashed_snapshot_name(origin, set_name)
