# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback timers: their tags, what prevents one, and the content of its files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
import strategies
from backups import ROOT, backup, host, taken
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.timers import timer_view, timers_in
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.unit import unit
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateThick

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume


TAGS = _tags.TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=1800, boots=2)
TIMERS = st.builds(
    _tags.TimerTags,
    set_name=strategies.set_names,
    set_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    armed=strategies.seconds,
    after=st.integers(60, 30 * 86400),
    boots=st.integers(0, 99),
)


def timer(*more: str) -> Volume:
    return b.volume("vg/safepoint_timer_s", 32 * b.MIB, tags=(*TAGS.to_tags(), *more))


@given(TIMERS)
def test_tags_are_read_as_they_were_written(tags: _tags.TimerTags) -> None:
    words = ["another", *tags.to_tags()]
    assert _tags.parse_timer(words) == tags
    assert _tags.parse_timer([*words, _tags.TIMER_READY]) == replace(tags, ready=True)
    assert _tags.parse_timer([*words, f"{_tags.TIMER_FIRED}=5"]) == replace(tags, fired=5)
    assert _tags.is_auxiliary(words)
    assert tags.deadline - tags.armed == tags.after


@pytest.mark.parametrize("missing", range(5))
def test_tags_with_a_part_missing_are_not_a_timer(missing: int) -> None:
    tags = list(TAGS.to_tags())
    del tags[missing]
    assert _tags.parse_timer(tags) is None


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ((), "incomplete"),
        ((_tags.TIMER_READY,), "armed"),
        ((_tags.TIMER_READY, f"{_tags.TIMER_FIRED}={b.NOW}"), "fired"),
    ],
)
def test_what_a_timer_does(more: tuple[str, ...], state: str) -> None:
    (found,) = timers_in(host(timer(*more)))
    view = timer_view(found)
    assert (view["state"], view["after"], view["failed_boots"]) == (state, 1800, 2)
    assert (view["fired_at"] is not None) == (state == "fired")
    assert view["deadline"] == "2027-01-15T08:30:00+00:00"


def test_it_is_not_an_origin_and_not_data_of_the_group() -> None:
    host_state = b.host_state([ROOT, timer(_tags.TIMER_READY)])
    (reason,) = driver.reasons(host_state, b.request("vg/safepoint_timer_s"))
    assert "an auxiliary LV of this collection" in reason
    steps = driver.plan(host_state, b.request("vg")).steps
    assert [step.origin for step in steps if isinstance(step, CreateThick)] == ["root"]


def test_what_it_is_to_do() -> None:
    found = driver.rollback_script_of(host(taken(), backup()))
    assert [member.name for member in found.members] == ["root_s"]
    assert found.backup is not None
    assert [step.render()["step"] for step in found.steps] == ["remember_merge", "merge"]


@pytest.mark.parametrize(
    ("volumes", "reason"),
    [
        ([taken(sealed=False)], "snapset s is incomplete"),
        ([taken()], "/ would be rolled back without /boot"),
        ([taken(invalid=True), backup()], "snapset s is invalid"),
    ],
)
def test_it_is_refused_where_it_could_not_work(volumes: list[Volume], reason: str) -> None:
    now = snapset_context(host(*volumes), "s")
    assert any(reason in problem for problem in (*script.set_problems(now), *script.boot_problems(now)))


def test_without_a_boot_filesystem_of_its_own_no_backup_is_needed() -> None:
    assert driver.rollback_script_of(host(taken(), boot=())).backup is None


@pytest.mark.parametrize("name", ["a\nb", "a\tb"])
def test_names_that_a_list_cannot_hold(name: str) -> None:
    with pytest.raises(Refused, match="name with a tab or line feed"):
        script.boot_list([Tree("/boot", "ext4", {name: Entry(kind="file", sha256="0")})])


def test_the_unit_waits_for_nothing_and_is_wanted_early() -> None:
    lines = unit("s", b.NOW, "/dev/mapper/vg-safepoint_timer_s").splitlines()
    assert {"DefaultDependencies=no", "PrivateMounts=yes", "WantedBy=sysinit.target"} <= set(lines)
    assert not [line for line in lines if line.startswith(("After=", "Requires="))]
    # systemd would expand both.
    assert not {"%", "$"} & set("".join(lines))
