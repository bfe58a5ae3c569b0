# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback timers: their tags, what prevents one, and the content of its files."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import strategies
from backups import ROOT, backup, host, taken
from hypothesis import given
from hypothesis import strategies as st
from timer_directory import executable

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.timers import (
    TimerStatus,
    parse_status,
    timer_view,
    warnings_about,
    with_status,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.unit import unit
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateThick
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.timers import timers_in

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume


TAGS = _tags.TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=1800, boots=2, spread=180)
STATUS = TimerStatus("t", "watching", b.NOW + 1801, after=1800, spread=180, boots=2)
TIMERS = st.builds(
    _tags.TimerTags,
    set_name=strategies.set_names,
    set_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    armed=strategies.seconds,
    after=st.integers(60, 30 * 86400),
    boots=st.integers(0, 99),
    spread=st.integers(0, 86400),
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


@pytest.mark.parametrize("missing", ["set", "id", "armed", "after", "boots"])
def test_tags_with_a_part_missing_are_not_a_timer(missing: str) -> None:
    tags = [tag for tag in TAGS.to_tags() if not tag.startswith(f"{_tags.TIMER}{missing}=")]
    assert _tags.parse_timer(tags) is None


def test_a_timer_of_an_earlier_release_has_no_spread() -> None:
    found = _tags.parse_timer([tag for tag in TAGS.to_tags() if "spread" not in tag])
    assert found == replace(TAGS, spread=0)


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


@pytest.mark.parametrize("reason", ["", "a PV is missing"])
def test_what_the_program_says(reason: str) -> None:
    text = f"t watching {b.NOW + 1801} 1800 180 2\n{reason}\n"
    assert parse_status(text) == replace(STATUS, reason=reason)


@pytest.mark.parametrize("text", ["", "\n", "t watching\n", "t watching soon 1800 180 2\n", "t watching 1 2 3 4 5\n"])
def test_what_no_program_says(text: str) -> None:
    """An earlier release wrote an empty file."""
    assert parse_status(text) is None


@pytest.mark.parametrize(
    ("status", "runs", "shown"),
    [
        (STATUS, True, (True, "watching", "2027-01-15T08:30:01+00:00")),
        (STATUS, False, (False, None, "2027-01-15T08:30:00+00:00")),
        (None, True, (False, None, "2027-01-15T08:30:00+00:00")),
        # Its program has ended, and says why.
        (replace(STATUS, phase="spent", reason="gone"), False, (False, "spent", "2027-01-15T08:30:01+00:00")),
        (
            replace(STATUS, phase="postponed", deadline=-180, reason="x"),
            True,
            (True, "postponed", "2027-01-15T08:30:00+00:00"),
        ),
    ],
)
def test_a_timer_with_its_program(status: TimerStatus | None, runs: bool, shown: tuple[Any, ...]) -> None:  # noqa: FBT001
    (found,) = timers_in(host(timer(_tags.TIMER_READY)))
    view = with_status(timer_view(found), status, runs=runs)
    assert (view["running"], view["phase"], view["deadline"]) == shown


@pytest.mark.parametrize(
    ("tags", "status", "runs", "warning"),
    [
        ((), None, False, None),
        (
            (_tags.TIMER_READY,),
            STATUS,
            True,
            "the host rolls back to s by itself at 2027-01-15T08:30:01+00:00 or a little later",
        ),
        ((_tags.TIMER_READY,), STATUS, False, "is armed but does not run"),
        ((_tags.TIMER_READY,), replace(STATUS, phase="postponed", reason="busy"), True, "as soon as it can: busy"),
        ((_tags.TIMER_READY,), replace(STATUS, phase="stale", reason="late"), True, "until somebody decides: late"),
        ((_tags.TIMER_READY,), replace(STATUS, phase="spent", reason="gone"), False, "can no longer roll back: gone"),
        ((_tags.TIMER_READY,), replace(STATUS, phase="firing"), True, "is rolling back to s by itself"),
        ((_tags.TIMER_READY, f"{_tags.TIMER_FIRED}=5"), None, False, "has started the rollback of the host"),
    ],
)
def test_warnings(tags: tuple[str, ...], status: TimerStatus | None, runs: bool, warning: str | None) -> None:  # noqa: FBT001
    (found,) = timers_in(host(timer(*tags)))
    said = [*warnings_about(with_status(timer_view(found), status, runs=runs))]
    assert len(said) == (warning is not None)
    assert warning is None or warning in said[0]


def test_it_is_not_an_origin_and_not_data_of_the_group() -> None:
    host_state = b.host_state([ROOT, timer(_tags.TIMER_READY)])
    (reason,) = driver.reasons(host_state, b.request("vg/safepoint_timer_s"))
    assert "an auxiliary LV of this collection" in reason
    steps = driver.plan(host_state, b.request("vg")).steps
    assert [step.origin for step in steps if isinstance(step, CreateThick)] == ["root"]


def test_what_it_is_to_do() -> None:
    found = driver.rollback_script_of(host(taken(), backup()))
    assert [member.label for member in found.members] == ["vg/root_s"]
    assert found.backup is not None
    assert found.record.purpose == "remember_merge"


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
    lines = unit("s", "vg/safepoint_timer_s", "/dev/mapper/vg-safepoint_timer_s", b.BOOT).splitlines()
    assert {"DefaultDependencies=no", "IgnoreOnIsolate=yes", "PrivateMounts=yes", "WantedBy=sysinit.target"} <= set(
        lines
    )
    assert not [line for line in lines if line.startswith(("After=", "Requires="))]
    # systemd would expand both.
    assert not {"%", "$"} & set("".join(lines))


def test_the_unit_activates_the_timer_if_nobody_else_has(tmp_path: Path) -> None:
    """It tries the name, then the UUID, and asks LVM of the host without waiting for it."""
    (stub,) = re.findall("ExecStart=/bin/sh -c '(.*)'", unit("s", "vg/t", "/dev/mapper/vg-t", b.BOOT))
    stub = stub.replace("/run/safepoint.lvm/timer", f"{tmp_path}/timer").replace("/dev/kmsg", f"{tmp_path}/kmsg")
    for name, text in {
        # The third try succeeds.
        "mount": f'echo "mount $5" >>{tmp_path}/said; [ "$(wc -l <{tmp_path}/said)" -ge 5 ]',
        "flock": f'shift 2; exec {tmp_path}/"$@"',
        "lvm": f'echo "lvm $*" >>{tmp_path}/asked; exec sleep 3',
        "sleep": f"until [ -s {tmp_path}/asked ]; do sleep 0.1; done",
    }.items():
        executable(tmp_path / name, f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    (tmp_path / "timer" / "lib").mkdir(parents=True)
    executable(tmp_path / "timer" / "lib" / "ld", f'#!/bin/sh\necho "$*" >{tmp_path}/started\n')
    subprocess.run(["sh", "-c", stub], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, timeout=60)
    assert (tmp_path / "started").read_text().endswith("/timer/go-back " + f"{tmp_path}/timer\n")
    tries = (tmp_path / "said").read_text().splitlines()
    assert tries == ["mount /dev/mapper/vg-t", f"mount UUID={b.BOOT}"] * 2 + ["mount /dev/mapper/vg-t"]
    assert (tmp_path / "asked").read_text() == "lvm lvchange --yes --activate y vg/t\n"
    assert "waiting for /dev/mapper/vg-t" in (tmp_path / "kmsg").read_text()
