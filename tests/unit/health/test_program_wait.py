# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the health program waits, and when a host is well: the five times, on a simulated clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from health_directory import baseline, gate, observed

from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import Check, Times

if TYPE_CHECKING:
    from health_directory import Health

    from ansible_collections.safepoint.lvm.plugins.module_utils._health.baseline import Baseline

# The uptime at the beginning, in seconds. A look takes no time.
START = 500
LOOPS = "Id=loop.service\nTransient=no\nNRestarts={}"


@pytest.fixture
def before(health: Health) -> Baseline:
    """A command of the user is well unless there is a file `ill`."""
    one = gate(checks=[Check("commands", "c", f"test ! -e {health.top}/ill", "required")])
    return baseline(one, observed(["commands c ok"], one))


@pytest.fixture
def calm() -> Baseline:
    """No unit is restarted."""
    one = gate("restarts")
    return baseline(one, observed([], one))


def test_it_must_stay_well(health: Health, before: Baseline) -> None:
    assert health.wait(before) == (True, [])
    assert health.uptime == START + 60


def test_without_a_stable_time_one_look_is_enough(health: Health, before: Baseline) -> None:
    health.times = Times(settle=0, stable=0, retry=10, deadline=600, limit=30)
    assert health.wait(before) == (True, [])
    assert health.uptime == START


def test_it_waits_until_the_host_has_come_to_rest(health: Health, before: Baseline) -> None:
    health.write("ill", "")
    health.at(START + 10, "rm ill")
    health.times = Times(settle=15, stable=20, retry=10, deadline=600, limit=30)
    assert health.wait(before) == (True, [])
    assert health.uptime == START + 15 + 20


def test_what_becomes_well_is_well(health: Health, before: Baseline) -> None:
    health.write("ill", "")
    health.at(START + 100, "rm ill")
    assert health.wait(before) == (True, [])
    assert health.uptime == START + 100 + 60


def test_what_becomes_ill_again_begins_anew(health: Health, before: Baseline) -> None:
    health.at(START + 40, "touch ill")
    health.at(START + 50, "rm ill")
    assert health.wait(before) == (True, [])
    assert health.uptime == START + 50 + 60


def test_what_stays_ill_is_ill_at_the_deadline(health: Health, before: Baseline) -> None:
    health.write("ill", "")
    assert health.wait(before) == (False, ["required commands c ok failed:1"])
    assert health.uptime == START + 600


def test_what_is_well_too_late_is_not_well(health: Health, before: Baseline) -> None:
    health.write("ill", "")
    health.at(START + 580, "rm ill")
    # Also what was ill, until it was well.
    assert health.wait(before) == (False, ["required commands c ok failed:1", "required gate well_for 60 20"])
    assert health.uptime == START + 600


def test_what_is_ill_in_the_last_look_is_ill(health: Health, before: Baseline) -> None:
    health.write("ill", "")
    health.at(START + 560, "rm ill")
    health.at(START + 600, "touch ill")
    assert health.wait(before) == (False, ["required commands c ok failed:1"])


def test_what_is_accepted_is_well(health: Health, before: Baseline) -> None:
    health.write("ill", "")
    assert health.wait(before, "commands c") == (True, [])


def test_a_warning_does_not_delay(health: Health) -> None:
    one = gate(checks=[Check("commands", "c", "false", "warned")])
    found = health.wait(baseline(one, observed(["commands c ok"], one)))
    assert found == (True, ["warned commands c ok failed:1"])
    assert health.uptime == START + 60


def test_a_host_that_is_starting_is_waited_for(health: Health) -> None:
    health.write("state", "starting")
    health.tool("systemctl", 'cat "$TOP/state"')
    health.at(START + 200, "echo degraded >state")
    one = gate("boot")
    health.times = Times(settle=15, stable=60, retry=10, deadline=600, limit=30)
    assert health.wait(baseline(one, observed(["boot system running"], one))) == (True, [])
    assert health.uptime == START + 200 + 15 + 60


def test_a_host_that_never_ends_starting(health: Health) -> None:
    health.shows("systemctl", "starting")
    one = gate("boot")
    found = health.wait(baseline(one, observed(["boot system running"], one)))
    assert found == (False, ["required boot system running starting"])
    assert health.uptime == START + 600


def test_a_restart_loop(health: Health, calm: Baseline) -> None:
    """One that restarts every 40 s. It is well in most looks, but never for long enough."""
    health.write("systemctl.shows", LOOPS.format(0))
    health.tool("systemctl", 'cat "$TOP/systemctl.shows"')
    health.times = Times(settle=0, stable=60, retry=10, deadline=200, limit=30)
    for number in range(1, 9):
        health.at(START + number * 40, f"sed -i 's/NRestarts=.*/NRestarts={number}/' systemctl.shows")
    well, printed = health.wait(calm)
    assert not well
    assert printed == ["required restarts loop.service 4 5"]
    assert health.uptime == START + 200


def test_one_restart_is_not_a_loop(health: Health, calm: Baseline) -> None:
    health.write("systemctl.shows", LOOPS.format(7))
    health.tool("systemctl", 'cat "$TOP/systemctl.shows"')
    health.at(START + 30, "sed -i s/NRestarts=.*/NRestarts=8/ systemctl.shows")
    assert health.wait(calm) == (True, [])
    # Seen at 530. The time counts from the look after that.
    assert health.uptime == START + 30 + 10 + 60


def test_a_probe_that_hangs_cannot_hold_the_gate(health: Health) -> None:
    health.tool("systemctl", "exec /bin/sleep 1000")
    one = gate("failed_units", warned=["boot"])
    health.times = Times(settle=0, stable=5, retry=10, deadline=60, limit=7)
    found = health.wait(baseline(one, observed([], one)))
    assert found == (False, ["warned boot - ok timeout", "required failed_units - ok timeout"])
    # The deadline, and at most one look more.
    assert START + 60 <= health.uptime <= START + 60 + 2 * 10


def test_a_recording_has_two_looks(health: Health) -> None:
    one = gate(checks=[Check("commands", "c", f"test ! -e {health.top}/ill", "required")])
    health.at(START + 10, "touch ill")
    assert health.run(one, "record").returncode == 0
    texts = [(health.top / "here" / name).read_text() for name in ("first", "now")]
    assert texts == [observed(["commands c ok"], one), observed(["commands c failed:1"], one)]
    assert health.uptime == START + 10


@pytest.mark.parametrize("text", ["", "need required mounts / rw / rw", "stable required restarts\nend"])
def test_assertions_that_are_cut_off_are_an_error(text: str, health: Health, before: Baseline) -> None:
    health.write("here/assertions", text)
    done = health.run(before.gate, "wait")
    assert done.returncode == 2
    assert "assertion" in done.stderr
