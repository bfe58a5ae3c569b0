# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import string
from dataclasses import replace

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import outcome_tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

HOST = "5cc98959658b4035"
# lib/misc/lvm-string.c of LVM 2.03.
VALID_TAG = re.compile(r"[A-Za-z0-9._\-+/=!:&#]+")
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
HOSTS = st.just("") | st.text("0123456789abcdef", min_size=16, max_size=16)
BOOT_IDS = st.uuids().map(str)
SINGLE_NAMES = strategies.lv_names.map(lambda name: f"/{name}")

MEMBERS = st.builds(
    _tags.MemberTags,
    set_name=strategies.set_names,
    set_id=HEX,
    count=strategies.counts,
    origin_uuid=strategies.lv_uuids,
    taken=strategies.seconds,
    pvs=st.none() | st.lists(HEX, min_size=1).map(tuple),
    # Release 0.1.0 wrote neither.
    vg=st.just("") | strategies.lv_uuids,
    host=HOSTS,
)
GROUPS = st.lists(strategies.lv_uuids, max_size=3)
THIN_IDS = st.dictionaries(st.tuples(strategies.lv_uuids, strategies.lv_uuids), st.integers(0, 2**24), max_size=4)
VGS = st.builds(lambda groups, ids: outcome_tags.vg_marks({*groups, *(vg for vg, _lv in ids)}, ids), GROUPS, THIN_IDS)
# As release 0.1.0 wrote them.
OLD_VGS = THIN_IDS.map(
    lambda ids: {"": {lv.replace("-", "")[:10]: one for (_vg, lv), one in ids.items()}} if ids else {}
)
MERGING = st.builds(
    outcome_tags.Outcome,
    kind=st.just("merging"),
    set_name=strategies.set_names | SINGLE_NAMES,
    set_id=HEX | strategies.lv_uuids,
    count=strategies.counts,
    at=strategies.seconds,
    boot_id=BOOT_IDS,
    vgs=VGS | OLD_VGS,
    host=HOSTS,
)
OUTCOMES = MERGING | st.builds(lambda o, vgs: replace(o, kind="rolled_back", boot_id="", vgs=vgs), MERGING, VGS)
# Tags of this collection that were edited by hand, and any other tags.
PARTS = st.sampled_from(
    ["safepoint.member.", "safepoint.outcome.", "merging=", "rolled_back=", "count=", "id=", ":", "="]
)
ANY_TAGS = st.lists(PARTS | st.text(string.printable, max_size=6), max_size=8).map("".join)


@given(MEMBERS)
def test_members_are_read_as_they_were_written(member: _tags.MemberTags) -> None:
    tags = member.to_tags()
    assert all(VALID_TAG.fullmatch(tag) for tag in tags)
    assert _tags.parse_member(["another", *reversed(tags)]) == member
    assert _tags.membership_tags(["another", *tags]) == tags
    assert _tags.parse_member([*tags, _tags.SEALED]) == replace(member, sealed=True)


@given(MEMBERS)
def test_the_seal_is_never_given_at_creation(member: _tags.MemberTags) -> None:
    assert _tags.SEALED not in replace(member, sealed=True).to_tags()


@given(MEMBERS, st.integers(0, 4))
def test_a_membership_with_a_part_missing_is_not_valid(member: _tags.MemberTags, missing: int) -> None:
    tags = list(member.to_tags())
    del tags[missing]
    assert _tags.parse_member(tags) is None


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "99999999999"])
def test_a_membership_with_an_invalid_count_is_not_valid(count: str) -> None:
    member = _tags.MemberTags(set_name="s", set_id="1", count=1, origin_uuid="u", taken=0)
    tags = [f"safepoint.member.count={count}" if ".count=" in tag else tag for tag in member.to_tags()]
    assert _tags.parse_member(tags) is None


@pytest.mark.parametrize("host", ["x" * 16, "0" * 15, "0" * 17, "0123456789ABCDEF", "0123456789abcde:"])
def test_tags_with_an_invalid_host_are_not_valid(host: str) -> None:
    member = _tags.MemberTags(set_name="s", set_id="1", count=1, origin_uuid="u", taken=0)
    boot = _tags.BootTags(set_name="s", set_id="1", taken=0)
    timer = _tags.TimerTags(set_name="s", set_id="1", armed=0, after=60, boots=0)
    assert _tags.parse_member((*member.to_tags(), f"safepoint.member.host={host}")) is None
    assert _tags.parse_boot((*boot.to_tags(), f"safepoint.boot.host={host}")) is None
    assert _tags.parse_timer((*timer.to_tags(), f"safepoint.timer.host={host}")) is None
    assert outcome_tags.parse_outcome(f"safepoint.outcome.rolled_back=s:1f:2:7:va:{host}") is None


@given(OUTCOMES)
def test_outcomes_are_read_as_they_were_written(outcome: outcome_tags.Outcome) -> None:
    tag = outcome.to_tag()
    assert VALID_TAG.fullmatch(tag)
    assert outcome_tags.outcomes_of(["another", tag]) == (outcome,)
    assert _tags.membership_tags([tag]) == ()


@given(OUTCOMES, st.data())
def test_a_cut_outcome_is_invalid_or_formats_to_itself(outcome: outcome_tags.Outcome, data: st.DataObject) -> None:
    cut = outcome.to_tag()[: data.draw(st.integers(0, 60))]
    parsed = outcome_tags.parse_outcome(cut)
    assert parsed is None or parsed.to_tag() == cut


@given(st.lists(ANY_TAGS, max_size=5))
def test_any_tag_can_be_parsed(tags: list[str]) -> None:
    _tags.parse_member(tags)
    for outcome in outcome_tags.outcomes_of(tags):
        # Every outcome that is parsed can also be deleted.
        assert outcome.to_tag() in tags


@pytest.mark.parametrize(
    "tag",
    [
        "safepoint.outcome.rolled_back=s:id:1:0100",
        "safepoint.outcome.rolled_back=s:id:1:100:more:more",
        "safepoint.outcome.rolled_back=s:id:1_0:100",
        "safepoint.outcome.rolled_back=s:id:0:100",
        "safepoint.outcome.rolled_back=s:id:99999999999:100",
        "safepoint.outcome.merging=s:id:1:boot:100:a=1=2",
        "safepoint.outcome.merging=s:id:1:100",
        "safepoint.outcome.done=s:id:1:100",
    ],
)
def test_invalid_outcomes(tag: str) -> None:
    assert outcome_tags.parse_outcome(tag) is None


def test_single_snapshots() -> None:
    tags = _tags.single_tags("uuid-1")
    assert tags == ("safepoint.single", "safepoint.single.origin=uuid-1")
    assert _tags.is_single_of(tags, "uuid-1")
    assert not _tags.is_single_of(tags, "uuid-2")
    assert _tags.membership_tags(["x", *tags]) == tags
    assert _tags.parse_member(tags) is None


def test_exact_tags() -> None:
    """The tags on hosts. If any of them changes, older sets cannot be parsed."""
    member = _tags.MemberTags(set_name="s", set_id="1f", count=2, origin_uuid="a-b", taken=5, pvs=("c0", "d1"))
    prefix = "safepoint.member."
    values = ("set=s", "id=1f", "count=2", "origin=a-b", "taken=5", "pvs=c0:d1")
    assert member.to_tags() == tuple(prefix + value for value in values)
    here = replace(member, vg="e-f", host=HOST).to_tags()
    assert here[len(values) :] == ("safepoint.member.vg=e-f", f"safepoint.member.host={HOST}")
    boot = _tags.BootTags(set_name="s", set_id="1f", taken=5, vg="e-f", host=HOST).to_tags()
    assert boot == tuple(f"safepoint.boot.{value}" for value in ("set=s", "id=1f", "taken=5", "vg=e-f", f"host={HOST}"))
    timer = _tags.TimerTags(set_name="s", set_id="1f", armed=5, after=6, boots=7, vg="e-f", host=HOST).to_tags()
    parts = ("set=s", "id=1f", "armed=5", "after=6", "spread=0", "boots=7", "vg=e-f", f"host={HOST}")
    assert timer == tuple(f"safepoint.timer.{value}" for value in parts)
    outcome = outcome_tags.Outcome(kind="merging", set_name="s", set_id="1f", count=2, at=7, boot_id="b")
    told = {
        "": {},
        ":a=4/x=3": {"": {"x": 3, "a": 4}},
        ":va+vt/a=4/x=3": {"vt": {"x": 3, "a": 4}, "va": {}},
    }
    for text, vgs in told.items():
        assert replace(outcome, vgs=vgs).to_tag() == f"safepoint.outcome.merging=s:1f:2:b:7{text}"
    back = replace(outcome, kind="rolled_back", boot_id="", vgs={"va": {}, "vt": {}})
    assert back.to_tag() == "safepoint.outcome.rolled_back=s:1f:2:7:va+vt"
    assert replace(back, host=HOST).to_tag() == f"safepoint.outcome.rolled_back=s:1f:2:7:va+vt:{HOST}"
    assert replace(back, vgs={}, host=HOST).to_tag() == f"safepoint.outcome.rolled_back=s:1f:2:7::{HOST}"
    assert _tags.SEALED == "safepoint.member.sealed"
