# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure parts of the power cuts: the cuts are derived correctly, and the checks find problems."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from power_cuts import cases, checks, cli, table

BEFORE = {"/srv/one/cuts/00": "a", "/srv/one/cuts/01": "b", "/srv/one/cuts/02": "c", "/srv/one/cuts/03": "d"}
CHANGES = {"/srv/one/cuts/01": "B", "/srv/one/cuts/new-01": "N", "/srv/one/cuts/03": None}
CHANGED = {"/srv/one/cuts/00": "a", "/srv/one/cuts/01": "B", "/srv/one/cuts/02": "c", "/srv/one/cuts/new-01": "N"}


def test_forty_cuts_are_spread_over_all_moments() -> None:
    cuts = [cases.derive(1, number) for number in range(1, 41)]
    assert sum(cut.layout == "root" for cut in cuts) >= 12
    for name, moment in cases.MOMENTS.items():
        assert {cut.layout for cut in cuts if cut.moment == name} == set(moment.layouts)
    assert {cut.suite for cut in cuts if cut.layout == "root"} == {"trixie", "bookworm"}
    assert {cut.ending for cut in cuts if cut.moment == "changing"} == {"commit", "rollback"}
    assert all(0 <= cut.fraction < 1 for cut in cuts)
    rounds = [cut.moment for cut in cuts if cut.layout == "data"]
    assert rounds[:9] != rounds[9:18]
    assert set(rounds[:9]) == set(rounds[9:18])


def test_a_cut_depends_only_on_its_seed_and_number() -> None:
    assert cases.derive(1, 7) == cases.derive(1, 7)
    assert len({cases.derive(seed, 7).fraction for seed in range(20)}) == 20
    assert cases.chance(1, 7, "delay") == pytest.approx(0.5406, abs=1e-4)


def test_only_volumes_of_the_layout_data_are_unmounted() -> None:
    for number in range(1, 200):
        cut = cases.derive(2, number)
        assert cut.mounted or (cut.layout == "data" and cases.MOMENTS[cut.moment].closed)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({**BEFORE, "/srv/one/cuts/new-01": "N"}, "did not exist before"),
        ({path: BEFORE[path] for path in list(BEFORE)[1:]}, "is gone"),
        ({**BEFORE, "/srv/one/cuts/02": "torn"}, "differs from before"),
    ],
)
def test_restored_files_are_compared(now: dict[str, str], words: str) -> None:
    assert checks.restored_problems(BEFORE, dict(BEFORE)) == []
    problems = checks.restored_problems(BEFORE, now)
    assert len(problems) == 1
    assert words in problems[0]


@pytest.mark.parametrize(
    "now",
    [
        {**CHANGED, "/srv/one/cuts/00": "torn"},
        {**CHANGED, "/srv/one/cuts/01": "b"},
        {**CHANGED, "/srv/one/cuts/03": "d"},
        {path: value for path, value in CHANGED.items() if "new" not in path},
        {**CHANGED, "/srv/one/cuts/44": "who"},
    ],
)
def test_kept_files_must_have_every_finished_change(now: dict[str, str]) -> None:
    assert checks.kept_problems(BEFORE, CHANGES, CHANGED) == []
    assert len(checks.kept_problems(BEFORE, CHANGES, now)) == 1


def test_an_unfinished_change_may_have_any_result() -> None:
    for half in ({"/srv/one/cuts/01": "torn"}, {"/srv/one/cuts/new-01": "torn"}, {"/srv/one/cuts/03": "d"}, {}):
        assert checks.kept_problems(BEFORE, {}, {**BEFORE, **half}) == []


def volume(name: str, **values: str) -> dict[str, str]:
    return {"vg_name": "data", "lv_name": name, "origin": "", "lv_attr": "-wi-a-----", "lv_tags": "", **values}


def host(*volumes: dict[str, str], **values: list[str]) -> dict[str, Any]:
    return {"volumes": volumes, "devices": [], "suspended": [], "commands": [], "trouble": [], "failed": [], **values}


def test_a_plain_volume_with_the_tags_of_a_snapshot_is_not_a_snapshot() -> None:
    whole = {"state": "active", "id": "1f", "members": [{}, {}]}
    tags = {"lv_tags": "safepoint.member.id=1f,safepoint.member.count=2"}
    one = volume("one_x", origin="one", lv_attr="swi-a-s---", **tags)
    thin = volume("thin_x", origin="thin", lv_attr="Vwi---tz-k", **tags)
    assert checks.snapset_problems(whole, host(one, thin), 2) == []
    problem = "the set is reported as active, but has 1 of 2 snapshots"
    for other in (volume("thin_x", **tags), volume("thin_x", lv_attr="Vwi---tz-k", **tags)):
        assert checks.snapset_problems(whole, host(one, other), 2) == [problem]
    assert checks.snapset_problems({**whole, "members": [{}]}, host(one), 2)
    assert checks.snapset_problems({"state": "incomplete", "members": [{}]}, host(one), 2) == []


def test_leftovers_are_reported() -> None:
    clean = host(volume("one"), devices=["data-one"])
    assert checks.leftover_problems(clean, clean) == []
    assert checks.leftover_problems(host(volume("one"), volume("one_x"), devices=["data-one"]), clean)
    assert checks.leftover_problems(host(volume("one"), devices=["data-one", "data-one-real"]), clean)
    assert checks.leftover_problems(
        host(volume("one", lv_tags="safepoint.outcome.merging=x"), devices=["data-one"]), clean
    )


@pytest.mark.parametrize("what", ["suspended", "commands", "trouble", "failed"])
def test_an_unhealthy_host_is_detected(what: str) -> None:
    assert checks.host_problems(host()) == []
    assert len(checks.host_problems(host(**{what: ["data-one"]}))) == 1


def test_the_table_records_which_cuts_are_done(tmp_path: Path) -> None:
    path = tmp_path / "tests" / "results.csv"
    assert table.load(path) == []
    row = table.Row(**{field.name: "1" for field in fields(table.Row)})
    rows = [replace(row, number="3", verdict="right"), replace(row, number="4", verdict="wrong: a, b")]
    for each in (*rows, replace(row, seed="2", number="5", verdict="right")):
        table.append(path, each)
    assert table.load(path)[:2] == rows
    assert table.done(table.load(path), 1) == {3}


def test_the_cuts_in_the_table_are_still_derived_the_same_way() -> None:
    """Otherwise the table would describe other cuts."""
    made = table.load(Path(cases.__file__).with_name("results.csv"))
    for row in made:
        cut = cases.derive(int(row.seed), int(row.number))
        assert (row.suite, row.layout, row.moment) == (cut.suite, cut.layout, cut.moment), row.number
    assert len(made) >= 40


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shards_contain_every_cut(count: int) -> None:
    cuts = [cases.derive(1, number) for number in range(1, 41)]
    shards = [cli.Shard(number, count).of(cuts) for number in range(1, count + 1)]
    assert sorted(cut.number for shard in shards for cut in shard) == list(range(1, 41))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/x"])
def test_invalid_shards(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="as in 1/2"):
        cli.Shard.parse(text)
