# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Existing sets that are too small are extended once, and never made smaller."""

from __future__ import annotations

import lvm
import storage
from calls import four_runs, merged, ok, predicted, predicted_and_done, present, processes, refused, verbs
from storage import EXTENT, MIB


def extents(name: str) -> int:
    return int(lvm.lv(name, "lv_size")["lv_size"]) // EXTENT


def test_by_size() -> None:
    ok("snapset", present("s", "thick/b", "thin/t2", size="8MiB"))
    for size, expected in (
        ("16MiB", 4),
        ("4MiB", 4),  # never smaller
        ("auto", 4),  # a size relative to something that changes is used at creation only
        ("90%FREE", 4),
        ("70%ORIGIN", 8),  # seven of ten, and one for LVM
        ("8%VG", 9),  # of 119
        ("10GiB", 11),  # the maximum
        ("20GiB", 11),
    ):
        before = extents("thick/b_s")
        done = ok("snapset", present("s", "thick/b", "thin/t2", size=size))
        assert extents("thick/b_s") == expected, size
        assert done["changed"] is (expected > before)
        assert processes(done) == (3 if expected > before else 1)
        assert done["snapset"]["members"][0]["size"] == expected * EXTENT


def test_two_members_in_four_runs() -> None:
    ok("snapset", present("s", "thick/b", "thick/c", size="8MiB"))
    done = four_runs("snapset", present("s", "thick/b", "thick/c", size="12MiB"), commands=2 + 2)
    assert [step["step"] for step in done.real["planned"]] == ["extend", "extend"]
    own = {"name": "s", "volumes": [{"vg": "thick", "lv": "b", "size": "16MiB"}, {"vg": "thick", "lv": "c"}]}
    assert [step["snapshot"] for step in predicted("snapset", own)["planned"]] == ["b_s"]


def test_by_headroom() -> None:
    ok("snapset", present("s", "thick/b", "thick/c", size="8MiB"))
    storage.write("thick/b", 6)
    done = four_runs("snapset", present("s", "thick/b", "thick/c", min_headroom="50%"), commands=1 + 2)
    assert [step["snapshot"] for step in done.real["planned"]] == ["b_s"]
    row = lvm.lv("thick/b_s", "lv_size,data_percent")
    assert float(row["data_percent"]) <= 50
    assert extents("thick/b_s") == 4
    absolute = predicted("snapset", present("s", "thick/b", "thick/c", min_headroom="16MiB"))
    assert [(step["snapshot"], step["size"]) for step in absolute["planned"]] == [("b_s", 24 * MIB), ("c_s", 20 * MIB)]
    refused(
        "snapset", present("s", "thick/b", "thick/c", min_headroom="16MiB", reserve="100%VG"), "VG thick has too little"
    )


def test_headroom_before_a_merge() -> None:
    """A pending merge still records changes and cannot be extended, so the store is extended first."""
    ok("snapset", present("s", "thick/b", size="8MiB"))
    steps = [step["step"] for step in predicted("snapset", merged("s"))["planned"]]
    assert steps == ["forbid_hibernation", "remember_merge", "merge"]
    storage.write("thick/b", 7.5)
    # The reserve does not block this: the merge frees the store.
    assert predicted("snapset", merged("s", reserve="100%VG"))["planned"][0]["step"] == "extend"
    larger = predicted("snapset", merged("s", min_headroom="16MiB"))
    assert [step.get("size") for step in larger["planned"]] == [24 * MIB, None, None, None]
    requested = predicted_and_done("snapset", merged("s"), commands=4 + 1)
    assert verbs(requested["commands"]) == ["lvextend", "lvchange", "lvconvert"]
