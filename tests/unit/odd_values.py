# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for whatever somebody may give for a parameter, likely or odd."""

from __future__ import annotations

import re
from typing import Any

import strategies
from hypothesis import strategies as st

# No infinity: ansible-core 2.19 ends with an OverflowError for one that is to be an integer (check_type_int), before
# the module is asked.
_INFINITE = re.compile(r"[\s_]*[+-]?inf(inity)?[\s_]*", re.IGNORECASE)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: not _INFINITE.fullmatch(text))
ODD_TEXT = st.sampled_from(
    [
        *(
            "",
            " ",
            "\t",
            "\n",
            "\0",
            "new\n",
            "new\0",
            " new",
            "-",
            "-rf",
            "--yes",
            "--config",
            "@tag",
            ".",
            "..",
            "a/b",
        ),
        *("../..", "/dev/sda", "a b", "$(reboot)", "`reboot`", "; reboot", "a|b", "*", ".*", "[a-z]", "(", "\\", "%s"),
        *("{{ 7 * 7 }}", "{% raw %}", "'", '"', "ä", "\u0665", "\u202e", "\u2028", "\ufeff", "a" * 5000, "-" * 60),
        *("snapshot1", "pvmove0", "x_tdata", "None", "null", "true", "[]", "{}"),
    ]
)
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, 10**400, -(10**400)]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just({"": None}),
)
ODD = ODD_VALUES | ODD_TEXT | TEXT
KNOWN_NAMES = st.sampled_from(
    ["s", "v", "kept", "new", "thick", "thin", "a", "b", "c", "t1", "t2", "pool", "pool_tdata"]
)
NAMES = KNOWN_NAMES | strategies.set_names | strategies.lv_names
NUMBERS = st.sampled_from(
    ["0", "1", "4096", "0.5", "5", "20", "99.99", "100", "101", "1" * 30, "1" * 6000, "1." + "1" * 6000]
)
UNITS = ["", "B", "K", "MiB", "GiB", "PiB", "%", "%VG", "%FREE", "%ORIGIN", "%USED", " MiB", "\nMiB", "E", "%PVS"]
SIZES = st.builds(str.__add__, NUMBERS, st.sampled_from(UNITS)) | st.sampled_from(
    ["auto", "AUTO", "-1", "+1", "1e9", "0x10"]
)
PATHS = st.sampled_from(
    ["/", "/var", "/var/", "//", "/home", "/boot", "/nowhere", "[SWAP]", "/var/../home", "/\0", "~", "$HOME"]
)


def one(*likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What somebody may give for one value: something likely more often than something odd."""
    return st.one_of(*likely, *likely, ODD)


def several(*likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What somebody may give for a list."""
    return st.lists(one(*likely), max_size=3) | ODD


VOLUMES = st.fixed_dictionaries({"vg": one(NAMES)}, optional={"lv": one(NAMES), "size": one(SIZES), "LV": st.just("a")})
COMMON = {
    "state": one(st.sampled_from(["present", "merged", "absent"])),
    "size": one(SIZES),
    "min_headroom": one(SIZES),
    "reserve": one(SIZES),
    "pool_reserve": one(SIZES),
    "accept_loss_of": several(NAMES),
    "lock_timeout": one(st.integers(0, 600)),
}
PARAMETERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "snapset": {
        **COMMON,
        "name": one(NAMES),
        "volumes": st.lists(VOLUMES, max_size=3) | several(NAMES),
        "mountpoints": several(PATHS),
        "exclude": several(PATHS, st.just("thick/a")),
        "ignore_uncovered": several(PATHS),
        "system": one(st.booleans()),
        "max_age": one(st.sampled_from(["0s", "24h", "3650d", "90"])),
        "id": one(st.just("0f" * 16)),
    },
    "boot_backup": {
        "name": one(NAMES),
        "state": one(st.sampled_from(["present", "restored", "absent"])),
        "vg": one(NAMES, st.just("sysvg")),
        "lock_timeout": one(st.integers(0, 600)),
    },
    "boot_entry": {
        "name": one(NAMES, st.just("s")),
        "state": one(st.sampled_from(["present", "absent"])),
        "next_boot": one(st.booleans()),
        "kernel": one(NAMES),
        "lock_timeout": one(st.integers(0, 600)),
    },
    "initramfs_hook": {"state": one(st.sampled_from(["present", "absent"])), "lock_timeout": one(st.integers(0, 600))},
    "rollback_timer": {
        "name": one(NAMES, st.just("s")),
        "state": one(st.sampled_from(["armed", "disarmed"])),
        "after": one(st.sampled_from(["60s", "30d", "90", "2h"])),
        "spread": one(st.sampled_from(["0", "0s", "1d", "90"])),
        "restart": one(st.booleans()),
        "failed_boots": one(st.integers(0, 99)),
        "vg": one(NAMES, st.just("sysvg")),
        "lock_timeout": one(st.integers(0, 600)),
    },
    "snapshot": {**COMMON, "vg": one(NAMES), "lv": one(NAMES), "snapshot": one(NAMES)},
    "snapset_info": {"name": one(NAMES)},
}
