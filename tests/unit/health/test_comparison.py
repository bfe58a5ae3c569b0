# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as a failure, by the rule of each probe, and what a baseline must have."""

from __future__ import annotations

import pytest
from health_directory import baseline, gate, observed
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._health.baseline import (
    baseline_of,
    ill_before,
    recording_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._health.comparison import (
    accept_problem,
    differences,
    outcomes,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import DEFAULT_LEVELS, KINDS, Check, Times
from ansible_collections.safepoint.lvm.plugins.module_utils._health.observation import parse_observation

ALL = gate(*DEFAULT_LEVELS, checks=[Check("commands", "c", "true", "required")])
WELL = "commands c ok"


def verdicts(
    before: list[str], now: list[str], *, again: list[str] | None = None, accept: tuple[str, ...] = ()
) -> list[str]:
    """What differs, each as `verdict: probe key before now`."""
    second = observed([WELL, *(before if again is None else again)], ALL)
    recorded = baseline(ALL, observed([WELL, *before], ALL), second)
    look = parse_observation(observed([WELL, *now], ALL))
    found = differences(recorded, accept, look, look)
    return [f"{one.verdict}: {one.probe} {one.key} {one.before} {one.now}" for one in found]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        # failed_units and packages: what was ill before is no failure, what is well now is a note.
        ([], ["failed_units a failed"], ["failure: failed_units a - failed"]),
        (["failed_units a failed"], ["failed_units a failed"], []),
        (["failed_units a failed"], [], ["note: failed_units a failed -"]),
        (
            ["packages a unpacked:ok"],
            ["packages a half-configured:ok"],
            ["note: packages a unpacked:ok half-configured:ok"],
        ),
        ([], ["packages dpkg interrupted"], ["failure: packages dpkg - interrupted"]),
        # boot: failed units are the matter of another probe.
        (["boot system running"], ["boot system degraded"], ["note: boot system running degraded"]),
        (["boot system degraded"], ["boot system maintenance"], ["failure: boot system degraded maintenance"]),
        (["boot system maintenance"], ["boot system starting"], ["note: boot system maintenance starting"]),
        # listeners: a socket of all addresses is as good as one of a single address.
        (["listeners tcp/1.2.3.4:80 open"], [], ["failure: listeners tcp/1.2.3.4:80 open -"]),
        (
            ["listeners tcp/1.2.3.4:80 open"],
            ["listeners tcp6/[::]:80 open"],
            ["note: listeners tcp/1.2.3.4:80 open -", "note: listeners tcp6/[::]:80 - open"],
        ),
        (
            ["listeners tcp/0.0.0.0:80 open"],
            ["listeners tcp/127.0.0.1:80 open"],
            ["failure: listeners tcp/0.0.0.0:80 open -", "note: listeners tcp/127.0.0.1:80 - open"],
        ),
        (
            ["listeners tcp6/[::]:80 open"],
            ["listeners tcp/0.0.0.0:80 open"],
            ["failure: listeners tcp6/[::]:80 open -", "note: listeners tcp/0.0.0.0:80 - open"],
        ),
        (
            ["listeners udp/0.0.0.0:80 open"],
            ["listeners tcp/0.0.0.0:80 open"],
            ["failure: listeners udp/0.0.0.0:80 open -", "note: listeners tcp/0.0.0.0:80 - open"],
        ),
        # mounts
        (["mounts /a rw"], [], ["failure: mounts /a rw -"]),
        (["mounts /a rw"], ["mounts /a ro"], ["failure: mounts /a rw ro"]),
        (["mounts /a ro"], ["mounts /a rw"], ["note: mounts /a ro rw"]),
        (["mounts /a ro"], [], ["failure: mounts /a ro -"]),
        # routes: another gateway is a note.
        (["routes 4/default a%b"], ["routes 4/default c%d"], ["note: routes 4/default a%b c%d"]),
        (
            ["routes 4/default a%b"],
            ["routes 6/default a%b"],
            ["failure: routes 4/default a%b -", "note: routes 6/default - a%b"],
        ),
        (
            ["time_sync clock synchronised"],
            ["time_sync clock unsynchronised"],
            ["failure: time_sync clock synchronised unsynchronised"],
        ),
        (["time_sync clock unsynchronised"], ["time_sync clock unsynchronised"], []),
    ],
)
def test_rules(before: list[str], now: list[str], expected: list[str]) -> None:
    assert verdicts(before, now) == expected


def test_what_comes_and_goes_is_not_demanded() -> None:
    there = ["listeners tcp/0.0.0.0:80 open", "mounts /a rw", "failed_units x failed"]
    for before, again in ((there, []), ([], there)):
        found = verdicts(before, [], again=again)
        assert [one for one in found if not one.startswith("note")] == []
    assert verdicts(["failed_units x failed"], ["failed_units x failed"], again=[]) == ["note: failed_units x - failed"]


def test_restarts_are_counted_while_the_host_is_watched() -> None:
    """The counters of two boots have nothing to do with each other."""
    recorded = baseline(
        ALL,
        observed([WELL, "restarts a 5", "restarts loop 1"], ALL),
        observed([WELL, "restarts a 5", "restarts loop 2"], ALL),
    )
    first, now = (
        parse_observation(observed([WELL, *facts], ALL))
        for facts in (["restarts a 9", "restarts loop 1"], ["restarts a 10", "restarts loop 5", "restarts new 1"])
    )
    found = differences(recorded, (), first, now)
    assert [str(one) for one in found] == ["restarts a: was 9, is 10", "restarts new: was 0, is 1"]
    assert differences(recorded, (), first, first) == ()
    assert ("restarts", "loop", "2") in list(ill_before(recorded))


@pytest.mark.parametrize(
    ("accept", "left"),
    [
        (("failed_units a.service",), ["mounts /a"]),
        (("failed_units a*", "mounts /a"), []),
        (("failed_units a", "mounts /"), ["failed_units a.service", "mounts /a"]),
        (("failed_units *", "mounts *"), []),
    ],
)
def test_accepted_differences_are_named_but_no_failure(accept: tuple[str, ...], left: list[str]) -> None:
    found = verdicts(["mounts /a rw"], ["failed_units a.service failed"], accept=accept)
    assert sorted(line.split(": ")[1].rsplit(" ", 2)[0] for line in found if line.startswith("failure")) == left
    assert len(found) == 2


def test_a_probe_that_did_not_end_is_one_failure_and_not_many() -> None:
    recorded = baseline(ALL, observed([WELL, "mounts /a rw", "mounts /b rw"], ALL))
    look = parse_observation(observed([WELL], ALL, ended={"mounts": "timeout 30"}))
    found = differences(recorded, (), look, look)
    assert [str(one) for one in found if one.verdict == "failure"] == ["mounts -: was ok, is timeout"]
    (mounts,) = [one for one in outcomes(recorded, found) if one["check"] == "mounts"]
    assert (mounts["outcome"], mounts["differences"]) == ("failed", ["mounts -: was ok, is timeout"])


def test_an_observation_that_is_cut_off_is_a_failure() -> None:
    recorded = baseline(ALL, observed([WELL], ALL))
    for text in ("", "end", observed([WELL], ALL, end="fact mounts"), observed([WELL], ALL)[:-2]):
        look = parse_observation(text)
        assert [one.verdict for one in differences(recorded, (), look, look)] == ["failure"]


def test_a_warned_probe_that_was_impossible_is_not_compared() -> None:
    one = gate("mounts", warned=["time_sync"], checks=[Check("commands", "c", "", "required")])
    recorded = baseline(one, observed(["commands c failed:1"], one, ended={"time_sync": "missing x"}))
    assert list(recording_problems(recorded)) == []
    assert list(ill_before(recorded)) == [("time_sync", "", "missing"), ("commands", "c", "failed:1")]
    look = parse_observation(observed(["commands c failed:2"], one, ended={"time_sync": "timeout 3"}))
    found = differences(recorded, (), look, look)
    assert [d.verdict for d in found] == ["note"]
    assert [o["outcome"] for o in outcomes(recorded, found)] == ["passed", "not_compared", "not_compared"]


@pytest.mark.parametrize(
    ("facts", "ended", "says"),
    [
        (
            [WELL],
            {"time_sync": r"missing chronyc\x20or\x20timedatectl"},
            "time_sync: chronyc or timedatectl is missing: install it",
        ),
        ([WELL], {"mounts": "timeout 30"}, "mounts: it has not ended within 30 s: raise probe_timeout"),
        ([WELL], {"packages": "too_much 9"}, "packages: it wrote more than 9 bytes"),
        ([WELL], {"routes": "failed 2"}, "routes: it failed with exit code 2"),
        (["commands c missing"], {}, "commands c: a program that it needs is missing."),
        ([WELL, "boot system starting"], {}, "the host has not finished starting"),
    ],
)
def test_what_is_required_must_be_possible_when_it_is_recorded(
    facts: list[str], ended: dict[str, str], says: str
) -> None:
    for looks in (
        (observed(facts, ALL, ended=ended), observed([WELL], ALL))[::-1],
        (observed(facts, ALL, ended=ended),),
    ):
        (problem,) = recording_problems(baseline(ALL, *looks))
        assert problem.startswith(says)
    assert list(recording_problems(baseline(ALL, observed(["commands c failed:1"], ALL)))) == []


@given(st.text(), st.text(), st.sampled_from(KINDS), st.text())
def test_a_baseline_survives_its_file(first: str, second: str, kind: str, text: str) -> None:
    one = gate("mounts", warned=["boot"], checks=[Check(kind, "k", text, "warned")])  # type: ignore[arg-type]
    recorded = baseline(one, first, second)
    assert baseline_of(recorded.to_json()) == recorded


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 2}', '{"version": 1, "name": "s", "gate": []}'])
def test_what_is_not_a_baseline(text: str) -> None:
    assert baseline_of(text) is None


@pytest.mark.parametrize("text", ["mounts /a", "mounts /*", "failed_units *", r"commands a\x20b", "routes -"])
def test_what_can_be_accepted(text: str) -> None:
    assert accept_problem(text) is None


@pytest.mark.parametrize(
    "text", ["", "mounts", "mounts ", "mount /a", "mounts a b", "mounts *a", "gate well_for", "mounts ä", "a*"]
)
def test_what_cannot_be_accepted(text: str) -> None:
    assert accept_problem(text) is not None


def test_a_gate_that_nobody_could_pass() -> None:
    assert Times(15, 60, 10, 76, 30).problem() is None
    assert "75 s" in str(Times(15, 60, 10, 75, 30).problem())
