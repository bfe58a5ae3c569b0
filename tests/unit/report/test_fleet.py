# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a report: the outcome of each host, their order, the reasons, and which hosts are not as wanted."""

from __future__ import annotations

from typing import Any

import pytest
from fleets import DAY, NOW, filesystem, iso, large, member, outcome, report, small, snapset, timer, visit

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.findings import OUTCOMES
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import Row, Visit
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.summary import lines


def row(*arguments: Any, **more: Any) -> Row:
    (found,) = report([visit("h", *arguments, **more)]).rows
    return found


def about(found: Row) -> list[tuple[str, str, str]]:
    return [(one.level, one.reason, one.detail) for one in found.findings]


def test_the_order_is_the_worst_first_and_then_by_name() -> None:
    fleet = report(small())
    assert [(one.name, one.outcome, one.level) for one in fleet.rows] == [
        ("db3", "unreachable", "bad"),
        ("new1", "unknown", "bad"),
        ("mail1", "damaged", "bad"),
        ("late1", "not_begun", "attention"),
        ("app2", "rolling_back", "attention"),
        ("db1", "refused", "attention"),
        ("db2", "refused", "attention"),
        ("web10", "rolled_back", "attention"),
        ("old1", "expired", "attention"),
        ("app1", "protected", "attention"),
        ("kvm1", "no_snapset", "attention"),
        ("web1", "patched", "good"),
        ("web2", "patched", "good"),
        ("idle1", "no_snapset", "good"),
    ]
    assert fleet.levels() == {"bad": 3, "attention": 8, "good": 3}
    assert list(fleet.outcomes())[:3] == ["unreachable", "unknown", "damaged"]


def test_numbers_in_names_are_in_the_order_of_numbers() -> None:
    names = ["web10", "web9", "web09", "Web1", "web", "10", "9"]
    assert [one.name for one in report([visit(name) for name in names]).rows] == [
        "9",
        "10",
        "web",
        "Web1",
        "web09",
        "web9",
        "web10",
    ]


def test_reasons_that_differ_only_in_numbers_are_one_group() -> None:
    fleet = report(small())
    found = {group.reason: [fleet.rows[place].name for place in group.places] for group in fleet.groups}
    assert found["VG sysvg lacks 1.2 GiB for the snapsets"] == ["db1", "db2"]
    assert "VG sysvg lacks 3.4 GiB for the snapsets" not in found
    levels = [group.level for group in fleet.groups]
    assert levels == sorted(levels, key=("bad", "attention", "note").index)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("active", "protected"),
        ("damaged", "damaged"),
        ("invalid", "damaged"),
        ("merge_failed", "damaged"),
        ("partly_merged", "damaged"),
        ("merging", "rolling_back"),
        ("merge_pending", "rolling_back"),
        ("rolled_back", "rolled_back"),
        ("incomplete", "no_snapset"),
    ],
)
def test_the_outcome_follows_from_the_snapsets_if_no_change_has_reported(state: str, expected: str) -> None:
    assert row(snapsets=[snapset(state)]).outcome == expected
    assert row(snapsets=[snapset("rolled_back"), snapset(state)]).outcome in (expected, "rolled_back")


def test_a_change_says_more_than_the_snapsets_unless_those_are_bad() -> None:
    assert row(outcome("committed"), snapsets=[]).outcome == "committed"
    assert row(outcome("committed"), snapsets=[snapset("rolled_back")]).outcome == "committed"
    assert row(outcome("patched"), snapsets=[snapset("invalid")]).outcome == "damaged"
    assert row(outcome("patched"), looked={"unreachable": True, "msg": "no route"}).outcome == "unreachable"


def test_an_outcome_of_a_later_release_needs_attention() -> None:
    found = row(outcome("paused"), snapsets=[])
    assert (found.outcome, found.level) == ("paused", "attention")
    assert "paused" not in OUTCOMES


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"thin_pools": [{"vg": "d", "pool": "p", "data_percent": 80.0}]},
            ("attention", "a thin pool is nearly full", "d/p 80 %"),
        ),
        (
            {"thin_pools": [{"vg": "d", "pool": "p", "metadata_percent": 99}]},
            ("bad", "the metadata of a thin pool is full", "d/p 99 %"),
        ),
        ({"volume_groups": [{"name": "d", "partial": True}]}, ("bad", "a PV is missing", "VG d")),
        (
            {"rollback_timers": [timer(running=False)]},
            ("bad", "a rollback timer is armed but does not run", "patch_2026_11"),
        ),
        ({"booted_from": {"name": "s", "id": "0"}}, ("attention", "the host runs in a preview boot", "s")),
        ({"remarks": ["udev does not run"]}, ("attention", "udev does not run", "")),
        (
            {"snapsets": [snapset(expires=NOW)]},
            ("attention", "a snapset is kept longer than it should be", "patch_2026_11"),
        ),
        (
            {"snapsets": [snapset(expires=NOW + 3 * DAY)]},
            ("note", "a snapset expires within three days", "patch_2026_11"),
        ),
        (
            {"snapsets": [snapset(members=[member("var", "/var", used_percent=96.0, auto_basis="estimate")])]},
            ("bad", "a snapshot is full", "patch_2026_11 /var 96 %"),
        ),
        (
            {"coverage": [filesystem("/opt", "it is on nas", system=True)]},
            ("attention", "/opt is not protected", "it is on nas"),
        ),
        ({"boot_backups": [{"name": "s", "state": "restoring"}]}, ("attention", "a backup of /boot is restoring", "s")),
    ],
)
def test_what_is_worth_knowing_is_found(more: dict[str, Any], expected: tuple[str, str, str]) -> None:
    found = row(**more)
    assert expected in about(found)
    assert found.level == {"note": "good"}.get(expected[0], expected[0])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"thin_pools": [{"vg": "d", "pool": "p", "data_percent": 79.9, "metadata_percent": None}]},
        {"snapsets": [snapset(expires=NOW + 3 * DAY + 1)]},
        {"snapsets": [snapset(members=[member("var", "/var", used_percent=99.0)])]},
        {"snapsets": [], "coverage": [filesystem("/", "it is on nas", system=True)]},
        {"coverage": [filesystem("/boot", "it is not on LVM", boot=True)]},
        {"rollback_timers": [timer()]},
    ],
)
def test_what_is_as_it_should_be_is_not_mentioned(more: dict[str, Any]) -> None:
    assert about(row(**more)) == []


def test_a_boot_filesystem_that_is_not_saved_is_found() -> None:
    found = row(boot_backups=[], coverage=[filesystem("/boot", "it is not on LVM", boot=True)])
    assert about(found) == [("attention", "/boot is not protected", "it is not on LVM")]


def test_differences_of_the_gate_are_named_after_the_reason() -> None:
    web10 = next(one for one in report(small()).rows if one.name == "web10")
    assert [one.reason for one in web10.findings] == [
        "the health gate has failed",
        "not as before: failed units: nginx.service failed",
        "not as before: sockets: 0.0.0.0:443 is not listening",
        "not as before: routes: 10.9.0.0/16 via 10.0.0.1 is new",
    ]
    assert web10.level == "attention"


def names(fail_on: list[str]) -> set[str]:
    return set(report(small()).not_as_wanted(fail_on))


def test_hosts_that_are_not_as_wanted_are_those_that_are_named() -> None:
    assert names([]) == set()
    assert names(["not_looked"]) == {"db3", "new1"}
    assert names(["bad"]) == {"db3", "new1", "mail1"}
    assert names(["attention"]) == {one.name for one in small()} - {"web1", "web2", "idle1"}
    assert names(["refused", "expired"]) == {"db1", "db2", "old1"}
    assert report(small()).not_as_wanted(["refused"])["db2"] == "refused: VG sysvg lacks 3.4 GiB for the snapsets"


def test_names_of_hosts_that_look_the_same_stay_apart() -> None:
    twins = [visit("x" * 300 + end, looked={"failed": True, "msg": "no"}) for end in "ab"]
    assert set(report(twins).not_as_wanted(["not_looked"])) == {one.name for one in twins}
    (group,) = (one for one in report(twins).groups if one.reason == "cannot look at the host")
    assert len(group.places) == 2


def test_the_lines_for_the_console_are_few() -> None:
    shown = lines(report(large()), ["a.html", "b.json", "c.csv"])
    assert len(shown) <= 35
    assert shown[0].startswith("2000 hosts: 18 unreachable, ")
    assert shown[-3:] == ["report: a.html", "report: b.json", "report: c.csv"]
    assert lines(report([]), []) == ["no hosts"]


def test_a_skipped_look_counts_as_none() -> None:
    (known,) = report([visit("h", looked={"skipped": True, "changed": False})]).rows
    (new,) = report([Visit("h", None, None, {"skipped": True})]).rows
    assert (known.outcome, new.outcome) == ("protected", "unknown")
    assert known.look is not None
    assert known.look["looked_at"] == iso(NOW - 90)
