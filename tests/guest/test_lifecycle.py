# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set from its taking to its removal, thick, thin and mixed, within the budget of processes."""

from __future__ import annotations

import lvm
import pytest
import storage
from calls import four_runs, ok, refused, states, verbs

SETS = {
    "thick": ["thick/a"],
    "thin": ["thin/t1", "thin/t2"],
    "mixed": ["other/a", "thick/a", "thin/t1", "thin/z"],
}


def volumes(*names: str) -> list[dict[str, str]]:
    return [dict(zip(("vg", "lv"), name.split("/"))) for name in names]


@pytest.mark.parametrize("origins", SETS.values(), ids=SETS)
def test_taking_and_removing(origins: list[str]) -> None:
    taken = four_runs("snapset", {"name": "s", "volumes": volumes(*origins)}, commands=len(origins) + 3)
    assert states(taken.real) == ("active", ["active"] * len(origins))
    assert verbs(taken.real["commands"]) == ["fullreport", *["lvcreate"] * len(origins), "lvchange", "fullreport"]
    for origin in origins:
        row = lvm.lv(f"{origin}_s", "origin,lv_role,lv_tags,lv_size")
        assert row["origin"] == origin.split("/")[1]
        assert "snapshot" in row["lv_role"]
        assert "safepoint.member.sealed" in row["lv_tags"].split(",")
    removed = four_runs("snapset", {"name": "s", "state": "absent"}, commands=3)
    assert states(removed.real) == ("absent", [])
    assert {f"{vg}/{name}" for vg in storage.SIZES for name in lvm.names(vg)} == set(storage.VOLUMES)
