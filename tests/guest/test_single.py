# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module snapshot: one snapshot, with the same rules as a set."""

from __future__ import annotations

from typing import Any

import lvm
import pytest
import storage
from calls import absent, call, four_runs, ok, predicted_and_done, present, processes, refused, rolled_back, states


def single(origin: str, name: str = "one", **more: Any) -> dict[str, Any]:
    vg, lv = origin.split("/")
    return {"vg": vg, "lv": lv, "snapshot": name, **more}


@pytest.mark.parametrize("origin", ["thick/c", "thin/t2"])
def test_create_merge_and_remove(origin: str) -> None:
    taken = four_runs("snapshot", single(origin), commands=3)
    assert states(taken.real, "snapshot") == ("active", ["active"])
    row = lvm.lv(f"{origin.split('/', maxsplit=1)[0]}/one", "origin,lv_uuid,lv_tags")
    assert row["origin"] == origin.split("/")[1]
    assert taken.real["snapshot"]["id"] == row["lv_uuid"]
    assert "safepoint.single" in row["lv_tags"].split(",")
    predicted_and_done("snapshot", single(origin, state="merged"), commands=4)
    done = rolled_back("snapshot", single(origin, state="merged"), "snapshot")
    assert done["snapshot"]["rolled_back_at"]
    again = ok("snapshot", single(origin, state="merged"))
    assert (again["changed"], processes(again)) == (False, 1)
    four_runs("snapshot", single(origin), commands=4)
    four_runs("snapshot", single(origin, state="absent"), commands=3)
    assert not lvm.tags(origin)


def test_a_snapshot_that_does_not_exist() -> None:
    refused("snapshot", single("thick/c", state="merged"), "no such snapshot of thick/c")
    assert not ok("snapshot", single("thick/c", state="absent"))["changed"]


@pytest.mark.parametrize("origin", ["thick/b", "thin/t2"])
def test_made_by_hand(origin: str) -> None:
    size = ["-L", "8m"] if origin.startswith("thick") else []
    lvm.run("lvcreate", "-q", "-s", "-n", "one", *size, origin)
    assert not ok("snapshot", single(origin))["changed"]
    if size:
        four_runs("snapshot", single(origin, size="16MiB"), commands=3)
        four_runs("snapshot", single(origin, min_headroom="20MiB"), commands=3)
        refused("snapshot", single(origin, min_headroom="24MiB", reserve="100%VG"), "too little space")
    assert ok("snapshot", single(origin, state="merged"), check=True)["changed"]
    four_runs("snapshot", single(origin, state="absent"), commands=3)


def test_a_member_of_a_set_is_not_changed() -> None:
    ok("snapset", present("s", "thick/c"))
    for state in ("present", "merged", "absent"):
        refused("snapshot", single("thick/c", "c_s", state=state), "thick/c_s belongs to snapset s")
    assert ok("snapset_info", {})["unmanaged_snapshots"] == []
    ok("snapset", absent("s"))


def test_another_lv_is_not_changed() -> None:
    lvm.run("lvcreate", "-q", "-s", "-L", "8m", "-n", "one", "thick/b")
    for state in ("present", "merged", "absent"):
        refused("snapshot", single("thick/c", state=state), "thick/one exists and is a snapshot of thick/b")
        refused("snapshot", single("thick/c", "a_x", state=state), "thick/a_x exists and is not a snapshot")


def test_the_same_rules_as_for_a_set() -> None:
    refused("snapshot", single("nowhere/c"), "there is no VG nowhere")
    refused("snapshot", single("thick/nothing"), "there is no LV thick/nothing")
    refused("snapshot", single("thin/pool"), "thin/pool is a pool")
    refused("snapshot", single("thick/c", "snapshot_c"), "an LV name cannot begin with snapshot or pvmove")
    refused("snapshot", single("thick/c", "c_cdata"), "an LV name cannot contain _cdata")
    refused("snapshot", single("thin/t2", size="8MiB"), "thin/t2 is thin")
    refused("snapshot", single("thick/c", reserve="100%VG"), "VG thick has too little space")


def test_damage() -> None:
    ok("snapshot", single("thick/b", size="8MiB"))
    storage.write("thick/b", 12)
    refused("snapshot", single("thick/b"), "thick/one overflowed")
    refused("snapshot", single("thick/b", state="merged"), "thick/one overflowed")
    four_runs("snapshot", single("thick/b", state="absent"), commands=3)
    ok("snapshot", single("thick/b"))
    lvm.run("lvconvert", "-y", "--splitsnapshot", "thick/one")
    assert call("snapshot", single("thick/b", state="merged")).get("failed")
    four_runs("snapshot", single("thick/b", state="absent"), commands=3)
