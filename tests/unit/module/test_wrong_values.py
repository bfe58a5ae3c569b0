# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that are wrong for a parameter, each of which is named in a sentence that says what is expected."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_values import ODD_TEXT, PARAMETERS, TEXT
from recorded_runs import GOOD, LVM_NAME, run

from ansible_collections.safepoint.lvm.plugins.module_utils._module.argspec import list_parameter
from ansible_collections.safepoint.lvm.plugins.module_utils._names import set_name_problem

NO_SET_NAMES = (ODD_TEXT | TEXT).filter(lambda text: not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}", text))


def _is_set_name(text: str) -> bool:
    return set_name_problem(list_parameter(["s", text])[1]) is None


NO_NAMES = (ODD_TEXT | TEXT).filter(lambda text: not LVM_NAME.fullmatch(text) or text in (".", "..") or len(text) > 127)
# In a list blanks, brackets and quotes around an item do not count.
NO_PATHS = (ODD_TEXT | TEXT).filter(lambda text: not text.strip(" \t\r\n\f\v[]'\"").startswith(("/", "~", "$")))
NO_SIZES = st.one_of(
    ODD_TEXT.filter(lambda text: text != "new"),
    TEXT.filter(lambda text: not re.match(r"\s*[0-9]", text) and text.strip().lower() != "auto"),
    st.sampled_from(
        ["1.", ".5", "1,5", "1e9", "-1", "1 2", "1\nMiB", "1MB", "1EiB", "1%PVS", "1" * 19, "\u0661", "1%%"]
    ),
)
NO_TIMEOUTS = (
    st.integers(max_value=-1) | st.integers(min_value=7 * 86400 + 1) | st.sampled_from(["", "soon", "1.5", [], {}])
)
NO_STATES = (ODD_TEXT | TEXT).filter(lambda text: text not in ("present", "merged", "absent"))
NO_DURATIONS = (ODD_TEXT | TEXT).filter(lambda text: not re.fullmatch(r"[0-9]+[smhd]?", text)) | st.sampled_from(
    ["1.5h", "-5m", "1w", "\u0661\u0660m", "9" * 30]
)
WRONG: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "snapset": {
        "name": NO_SET_NAMES,
        "volumes: vg": NO_NAMES.map(lambda text: [{"vg": text}]),
        "volumes: lv": NO_NAMES.map(lambda text: [{"vg": "thick", "lv": text}]),
        "volumes: size": NO_SIZES.map(lambda text: [{"vg": "thick", "lv": "a", "size": text}]),
        # Of text that is no dictionary Ansible itself does not say where it stands.
        "volumes": st.sampled_from([[{"vg": "thick", "name": "a"}], [{"lv": "a"}], 5, [None], [["thick", "a"]]]),
        "mountpoints": NO_PATHS.map(lambda text: ["/", text]),
        "exclude": NO_PATHS.filter(lambda text: "/" not in text).map(lambda text: ["/var", text]),
        "ignore_uncovered": NO_PATHS.map(lambda text: ["/var", text]),
        "system": ODD_TEXT.filter(lambda text: text != "true") | st.sampled_from(["perhaps", 2, [], {}]),
        "max_age": NO_DURATIONS | st.sampled_from(["3651d", "1" * 9 + "d"]),
        "id": (ODD_TEXT | TEXT).filter(bool),
    },
    "boot_backup": {
        "name": NO_SET_NAMES,
        "state": NO_STATES.filter(lambda text: text != "restored"),
        "vg": NO_NAMES,
        "lock_timeout": NO_TIMEOUTS,
    },
    "boot_entry": {
        "name": NO_SET_NAMES,
        "state": NO_STATES,
        "next_boot": ODD_TEXT.filter(lambda text: text != "true") | st.sampled_from(["perhaps", 2, [], {}]),
        "lock_timeout": NO_TIMEOUTS,
    },
    "initramfs_hook": {"state": NO_STATES, "lock_timeout": NO_TIMEOUTS},
    "rollback_timer": {
        "name": NO_SET_NAMES,
        "state": NO_STATES,
        "after": NO_DURATIONS | st.sampled_from(["59", "59s", "31d", "0m"]),
        "spread": NO_DURATIONS | st.sampled_from(["25h", "2d", "86401"]),
        "restart": ODD_TEXT.filter(lambda text: text != "true") | st.sampled_from(["perhaps", 2, [], {}]),
        "failed_boots": st.integers(max_value=-1) | st.integers(min_value=100) | st.sampled_from(["", "two"]),
        "vg": NO_NAMES,
        "lock_timeout": NO_TIMEOUTS,
    },
    "snapshot": {"vg": NO_NAMES, "lv": NO_NAMES, "snapshot": NO_NAMES},
    "snapset_info": {"name": NO_SET_NAMES},
}
WRONG_COMMON: dict[str, st.SearchStrategy[Any]] = {
    "state": NO_STATES,
    "size": NO_SIZES,
    "min_headroom": NO_SIZES | st.just("100%"),
    "reserve": NO_SIZES | st.sampled_from(["auto", "101%VG", "5%", "5%FREE"]),
    "pool_reserve": NO_SIZES | st.sampled_from(["auto", "100%", "5%VG"]),
    "accept_loss_of": NO_SET_NAMES.filter(lambda text: "/" not in text and not _is_set_name(text)).map(
        lambda text: ["s", text]
    ),
    "lock_timeout": NO_TIMEOUTS,
}


def _wrong() -> list[Any]:
    return [
        pytest.param(module, name, values, id=f"{module}: {name}")
        for module, wrong in WRONG.items()
        for name, values in {**wrong, **(WRONG_COMMON if "size" in PARAMETERS[module] else {})}.items()
    ]


@pytest.mark.parametrize(("module", "name", "values"), _wrong())
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_one_wrong_value(module: str, name: str, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """It is named, with what was expected, before LVM is asked anything."""
    parameter, _colon, part = name.partition(": ")
    ended = run(module, {**GOOD[module], parameter: data.draw(values)})
    assert ended.result["failed"]
    assert (ended.asked, ended.commands) == (0, [])
    assert {parameter, part} - {""} <= set(re.findall(r"\w+", ended.result["msg"]))
    assert re.search("expected|must b[ey] |: use |unable to convert|Unsupported|missing|LVM keeps", ended.result["msg"])
