# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes of thick snapshots: LVM allocates exactly what is planned. Extents have 4 MiB."""

from __future__ import annotations

import os

import lvm
import pytest
import storage
from calls import Result, four_runs, ok, present, refused
from storage import EXTENT, MIB

# The free extents of the VG thick: 119 minus 10, 3, 10 and 5 of the origins.
FREE = 91


def planned(result: Result) -> dict[str, int]:
    """The sizes of the planned snapshots, by VG/LV of the origin."""
    return {f"{step['vg']}/{step['origin']}": step["size"] for step in result["planned"] if step.get("kind") == "thick"}


def allocated(result: Result) -> dict[str, int]:
    """The extents that the lvcreate commands request, by VG/LV of the origin."""
    creations = [argv for argv in result["commands"] if argv[1] == "lvcreate"]
    return {argv[-1]: int(argv[argv.index("--extents") + 1]) for argv in creations if "--extents" in argv}


def test_every_unit_matches_what_lvm_allocates() -> None:
    sizes = {
        "thick/a": "150%USED",
        "thick/a_x": "1GiB",  # reduced to the maximum: 12 MiB and LVM's own overhead
        "thick/b": "50%ORIGIN",
        "thick/c": "9M",
        "other/a": "10%VG",  # of 39 extents
        "thin/z": "5%FREE",  # of 44 extents
    }
    with storage.mounted("thick/a") as root:
        (root / "content").write_bytes(os.urandom(storage.MIB) * 6)
        lvm.run("sync", "-f", str(root))
        numbers = os.statvfs(root)
        used = (numbers.f_blocks - numbers.f_bfree) * numbers.f_frsize
        assert used > EXTENT, "the content is too small to test %USED"
        task = {
            "name": "s",
            "volumes": [{**one, "size": sizes[f"{one['vg']}/{one['lv']}"]} for one in present("", *sizes)["volumes"]],
        }
        taken = four_runs("snapset", task, commands=len(sizes) + 3)
        (root / "content").unlink()
    assert allocated(taken.real) == {
        "thick/a": min(11, -(-3 * used // 2 // EXTENT)),
        "thick/a_x": 4,
        "thick/b": 6,
        "thick/c": 3,
        "other/a": 3,
        "thin/z": 2,
    }
    real = {origin: int(lvm.lv(f"{origin}_s", "lv_size")["lv_size"]) for origin in sizes}
    # LVM would have reduced a larger size, with a warning, and rounded a smaller size up.
    assert real == planned(taken.real) == {origin: count * EXTENT for origin, count in allocated(taken.real).items()}
    bases = {f"{m['vg']}/{m['origin']}": m["auto_basis"] for m in taken.real["snapset"]["members"]}
    assert {origin for origin, basis in bases.items() if basis == "cannot_overflow"} - {"thick/a"} == {"thick/a_x"}


@pytest.mark.parametrize(
    ("origin", "size"), [("thick/b", "50%ORIGIN"), ("thick/a", "33%ORIGIN"), ("thick/c", "150%ORIGIN")]
)
def test_percent_of_the_origin_as_in_lvcreate(origin: str, size: str) -> None:
    lvm.run("lvcreate", "-q", "-s", "-l", size, "-n", "by_hand", origin)
    by_hand = int(lvm.lv("thick/by_hand", "lv_size")["lv_size"])
    assert planned(ok("snapset", present("s", origin, size=size), check=True)) == {origin: by_hand}


def test_notations_of_sizes() -> None:
    written = {
        "8388608": 2,
        "8192K": 2,
        "8MiB": 2,
        "8m": 2,
        "8388609": 3,
        "0.01GiB": 3,
        "5%VG": 5,
        "3%free": 2,
        "auto": 6,
        "150%ORIGIN": 6,
    }
    found = {
        size: planned(ok("snapset", present("s", "thick/c", size=size), check=True))["thick/c"] for size in written
    }
    assert found == {size: count * EXTENT for size, count in written.items()}


@pytest.mark.parametrize("size", ["8 apples", "-1", "50%LV", "101%FREE", "0", "2%ORIGIN%"])
def test_invalid_sizes(size: str) -> None:
    refused("snapset", present("s", "thick/c", size=size), "size|too small")


def test_automatic_sizes_share_the_available_space() -> None:
    """Twelve extents for two members that would get eleven and six."""
    task = present("s", "thick/b", "thick/c", reserve=str((FREE - 12) * EXTENT))
    taken = four_runs("snapset", task, commands=2 + 3)
    shares = allocated(taken.real)
    assert sum(shares.values()) in (11, 12)
    assert 6 <= shares["thick/b"] < 11
    assert 3 <= shares["thick/c"] < 6
    assert [member["auto_basis"] for member in taken.real["snapset"]["members"]] == ["estimate"] * 2


def test_too_little_space() -> None:
    everything = present("s", "thick/b", "other/a", reserve="100%VG")
    refused(
        "snapset",
        everything,
        "VG thick has too little space: .*thick/b|VG thick.* for b",
        "VG other has too little space",
    )
    exactly = str((FREE - 5) * EXTENT)
    assert ok("snapset", present("s", "thick/b", size="20MiB", reserve=exactly), check=True)["changed"]
    refused("snapset", present("s", "thick/b", size="21MiB", reserve=exactly), "VG thick has too little space")
    # The default reserve is 5% of 119 extents. 91 are free, so 86 are available: not enough for nine stores of eleven.
    assert 0.05 * 119 * EXTENT > 20 * MIB


def test_thin_members_have_no_size() -> None:
    sized = {"name": "s", "volumes": [{"vg": "thin", "lv": "t2", "size": "8MiB"}]}
    refused("snapset", sized, "thin/t2 is thin, .* no size")
    taken = ok("snapset", present("s", "thick/c", "thin/t2", size="8MiB"))
    assert planned(taken) == {"thick/c": 2 * EXTENT}
    assert lvm.lv("thin/t2_s", "segtype,lv_size") == {"segtype": "thin", "lv_size": str(40 * MIB)}
    refused("snapset", {**sized, "volumes": [*sized["volumes"], {"vg": "thick", "lv": "c"}]}, "thin/t2(_s)? is thin")
