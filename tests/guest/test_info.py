# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""snapset_info: everything with one LVM process, and without any change."""

from __future__ import annotations

import lvm
import storage
from calls import ok, present

SECTIONS = {
    "boot_backups",
    "boot_entries",
    "booted_from",
    "changed",
    "reads",
    "remarks",
    "coverage",
    "rollback_timers",
    "copies",
    "foreign",
    "host_id",
    "snapsets",
    "thin_pools",
    "unmanaged_snapshots",
    "volume_groups",
}


def test_every_section() -> None:
    lvm.run("lvcreate", "-q", "-s", "-L", "8m", "-n", "by_hand", "thick/b")
    with storage.mounted("thick/a") as thick, storage.mounted("thin/t1") as thin:
        ok("snapset", present("s", "thick/a", "thin/t2"))
        before = storage.seqnos()
        shown = ok("snapset_info", {})
        assert set(shown) - {"warnings"} == SECTIONS
        assert not shown["changed"]
        assert shown["reads"] == 1
        assert ok("snapset_info", {}, check=True)["snapsets"][0]["members"] == shown["snapsets"][0]["members"]
        assert storage.seqnos() == before
        coverage = {one["mountpoint"]: one for one in shown["coverage"]}
        assert coverage[str(thick)]["snapsets"] == ["s"]
        assert (coverage[str(thin)]["kind"], coverage[str(thin)]["snapsets"]) == ("thin", [])
    (one,) = shown["snapsets"]
    assert (one["name"], one["state"], [m["state"] for m in one["members"]]) == ("s", "active", ["active"] * 2)
    assert one["age"] >= 0
    assert one["created"].endswith("+00:00")
    (unmanaged,) = shown["unmanaged_snapshots"]
    assert {key: unmanaged[key] for key in ("vg", "snapshot", "origin", "kind", "state", "size")} == {
        "vg": "thick",
        "snapshot": "by_hand",
        "origin": "b",
        "kind": "thick",
        "state": "active",
        "size": 8 * storage.MIB,
    }


def test_the_name_is_a_filter() -> None:
    ok("snapset", present("s", "thick/c"))
    ok("snapset", present("t", "thick/c", "thin/t2"))
    assert [one["name"] for one in ok("snapset_info", {})["snapsets"]] == ["s", "t"]
    only = ok("snapset_info", {"name": "t"})
    assert [one["name"] for one in only["snapsets"]] == ["t"]
    assert only["coverage"]
    assert ok("snapset_info", {"name": "nothing"})["snapsets"] == []


def test_groups_and_pools_match_lvm() -> None:
    shown = ok("snapset_info", {})
    for row in lvm.report("vgs", "vg_name,vg_size,vg_free,vg_extent_size"):
        group = next(one for one in shown["volume_groups"] if one["name"] == row["vg_name"])
        assert (group["size"], group["free"]) == (int(row["vg_size"]), int(row["vg_free"]))
        assert (group["extent_size"], group["partial"]) == (int(row["vg_extent_size"]), False)
    row = lvm.lv("thin/pool", "lv_size,data_percent,metadata_percent")
    (pool,) = shown["thin_pools"]
    assert pool == {
        "vg": "thin",
        "pool": "pool",
        "size": int(row["lv_size"]),
        **{key: float(row[key]) for key in ("data_percent", "metadata_percent")},
    }


def test_coverage_of_the_guest() -> None:
    lvm.run("mkswap", "-q", "/dev/thick/c")
    lvm.run("swapon", "/dev/thick/c")
    try:
        coverage = {one["mountpoint"]: one for one in ok("snapset_info", {})["coverage"]}
    finally:
        lvm.run("swapoff", "/dev/thick/c")
    assert (coverage["/"]["vg"], coverage["/"]["lv"], coverage["/"]["protectable"]) == ("sysvg", "root", True)
    assert (coverage["/var"]["fstype"], coverage["/var"]["reason"]) == ("xfs", None)
    assert (coverage["/boot"]["lv"], coverage["/boot"]["protectable"]) == (None, False)
    assert coverage["/boot"]["reason"].endswith("is not on LVM")
    shown = {point: (one["system"], one["boot"]) for point, one in coverage.items()}
    assert {point: shown[point] for point in ("/", "/var", "/boot", "/home", "[SWAP]")} == {
        **dict.fromkeys(("/", "/var"), (True, False)),
        "/boot": (False, True),
        **dict.fromkeys(("/home", "[SWAP]"), (False, False)),
    }
    assert (coverage["[SWAP]"]["vg"], coverage["[SWAP]"]["lv"]) == ("thick", "c")
    of_the_boot = ("/dev", "/proc", "/run", "/sys")
    mounted = set(lvm.run("findmnt", "-rno", "TARGET").splitlines())
    assert set(coverage) - {"[SWAP]"} == {point for point in mounted if not point.startswith(of_the_boot)}
    memory = [one for one in coverage.values() if one["fstype"] == "tmpfs"]
    assert {one["reason"] for one in memory} <= {"it is in memory (tmpfs)"}
