# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module and the assertions that it compiles for the program come to the same verdict, and name the same things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from health_directory import baseline, gate, observed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._health.comparison import differences
from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import DEFAULT_LEVELS, KINDS, Check, Gate
from ansible_collections.safepoint.lvm.plugins.module_utils._health.observation import parse_observation

if TYPE_CHECKING:
    from health_directory import Health

LEVELS = {"failure": "required", "warning": "warned"}
KEYS = {
    "boot": ["system"],
    "failed_units": ["a.service", "b.service", r"c\x20d.mount", "e[1]?.service"],
    "restarts": ["a.service", "b.service", "known.service"],
    "listeners": [
        *("tcp/0.0.0.0:80", "tcp/127.0.0.1:80", "tcp/192.0.2.1:80", "tcp6/[::]:80", "tcp6/[::1]:80", "tcp/0.0.0.0:8"),
        *("udp/0.0.0.0:53", "udp6/[::]:53", "udp/127.0.0.53:53"),
    ],
    "mounts": ["/", "/var", "/var/lib", r"/srv/\x2a\x20", "/-"],
    "routes": ["4/default", "6/default", "4/10.0.0.0/8"],
    "time_sync": ["clock"],
    "packages": ["dpkg", "bash", "libc6:amd64"],
}
VALUES = {
    "boot": ["running", "degraded", "starting", "maintenance", "offline"],
    "failed_units": ["failed"],
    "restarts": ["0", "1", "2", "010", "9", "10", "4294967295", "x", "99999999999"],
    "listeners": ["open"],
    "mounts": ["rw", "ro"],
    "routes": ["192.0.2.1%eth0", "-", "192.0.2.2%eth1"],
    "time_sync": ["synchronised", "unsynchronised"],
    "packages": ["half-configured:ok", "interrupted"],
}
OF_CHECKS = ["ok", "failed:1", "timeout", "missing"]
ENDED = ["missing x", "timeout 30", "failed 1", "too_much 9"]
CHECK_KEYS = ["one", r"t\xffo"]
IDS = [f"{probe} {key}" for probe, keys in KEYS.items() for key in keys] + [f"{kind} one" for kind in KINDS]
ACCEPT = st.lists(
    st.sampled_from([*IDS, *(f"{one[:-2]}*" for one in IDS), "mounts *", "routes -", "boot -", "listeners tcp*"]),
    max_size=3,
)


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    levels = {probe: draw(st.sampled_from(["required", "required", "warned", "ignored"])) for probe in DEFAULT_LEVELS}
    pairs = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(CHECK_KEYS)), unique=True, max_size=4))
    checks = [Check(kind, key, "", draw(st.sampled_from(["required", "warned"]))) for kind, key in pairs]
    chosen = [probe for probe, level in levels.items() if level == "required"]
    return gate(*chosen, checks=checks, warned=[probe for probe, level in levels.items() if level == "warned"])


@st.composite
def texts(draw: st.DrawFn, one: Gate) -> str:
    facts = []
    for probe in one.probes:
        keys = draw(st.lists(st.sampled_from(KEYS[probe]), max_size=6))
        facts += [f"{probe} {key} {draw(st.sampled_from(VALUES[probe]))}" for key in keys]
    facts += [f"{check.kind} {check.key} {draw(st.sampled_from(OF_CHECKS))}" for check in one.checks]
    few = st.dictionaries(st.sampled_from(one.probes), st.sampled_from(ENDED), max_size=2)
    ended = draw(st.just({}) | few) if one.probes else {}
    return observed(facts, one, ended=ended, end=draw(st.sampled_from(["end"] * 15 + ["fact mounts"])))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Gate, list[str]]:
    one = draw(gates())
    before = draw(texts(one))
    # Often only little differs.
    other = st.just(before) | texts(one)
    return one, [before, draw(other), draw(other), draw(other)]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases(), accept=ACCEPT)
def test_module_and_program_agree(judge: Health, case: tuple[Gate, list[str]], accept: list[str]) -> None:
    one, (before, again, first, now) = case
    recorded = baseline(one, before, again)
    found = differences(recorded, accept, parse_observation(first), parse_observation(now))
    mine = [f"{LEVELS[d.verdict]} {d.probe} {d.key} {d.before} {d.now}" for d in found if d.verdict in LEVELS]
    well, printed = judge.judge(recorded, accept, first, now)
    assert sorted(printed) == sorted(mine)
    assert well == (not any(d.verdict == "failure" for d in found))


@given(case=cases(), accept=ACCEPT)
def test_a_host_that_has_not_changed_is_well(case: tuple[Gate, list[str]], accept: list[str]) -> None:
    """Whatever was ill before: the look itself, compared with the baseline that it is part of, shows no failure."""
    one, (before, again, _first, _now) = case
    recorded = baseline(one, before, again)
    looks = recorded.looks
    if all(look.whole for look in looks):
        for look in looks:
            found = differences(recorded, accept, look, look)
            assert [d for d in found if d.verdict in LEVELS] == []
