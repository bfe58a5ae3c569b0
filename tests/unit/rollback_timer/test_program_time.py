# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the program of a rollback timer fires: uptime, clock, boots, another time, another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders as b
import pytest
from timer_directory import make_timer

if TYPE_CHECKING:
    from pathlib import Path

    from timer_directory import Timer

MERGE = "lvconvert --yes --merge --background vg/root_s"
DAY = 86400
OFF = -9
# The timer is armed at 500 s, for 1800 s.
END = 2300


@pytest.fixture
def timer(tmp_path: Path, shell: str) -> Timer:
    return make_timer(tmp_path, shell=shell)


def test_it_fires_when_the_time_is_over(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, TICK="50")
    assert timer.start() == OFF
    assert END <= timer.now < END + 60
    assert [call.split()[0] for call in timer.calls] == ["lvchange", "lvconvert", "lvchange", "systemctl"]
    # The moment of the rollback, not of the arming.
    assert f":1:{b.BOOT}:18000018" in timer.calls[0]
    assert timer.calls[1] == MERGE


def test_the_time_counts_from_when_the_program_starts(timer: Timer) -> None:
    """The module looked at the host at 500 s. On a busy host it takes minutes until the program runs."""
    timer.write("uptime", "900.00 9.00")
    timer.cut_power_at(2500)
    assert timer.start() == OFF
    assert (timer.fired, timer.read("end").split()[2]) == (False, "2700")


def test_the_spread_is_added_but_not_shown(timer: Timer) -> None:
    timer.term(delay=150)
    timer.cut_power_at(END + 100)
    assert timer.start() == OFF
    assert not timer.fired
    assert timer.read("run/status").split(" ")[2] == str(b.NOW + 1800)
    assert timer.start() == OFF
    assert timer.fired
    assert timer.now >= END + 150


@pytest.mark.parametrize("clock", [5, b.NOW + 365 * DAY])
def test_within_a_boot_nobody_can_set_the_time(timer: Timer, clock: int) -> None:
    timer.at(1000, f"echo {clock} >clock")
    timer.cut_power_at(END - 120)
    assert timer.start() == OFF
    assert not timer.fired
    # The end by the clock is corrected on the disk, for the next boot.
    assert abs(int(timer.read("end").split()[3]) - clock - (END - 1000)) < 300


def test_a_killed_program_starts_again_with_the_same_end(timer: Timer) -> None:
    timer.at(1000, 'kill -9 "$PPID"')
    assert timer.start() == OFF
    # Whatever happens to the clock meanwhile.
    timer.write("clock", str(b.NOW + 365 * DAY))
    assert timer.start() == OFF
    assert timer.fired_at(END)


@pytest.mark.parametrize(
    ("late", "left"),
    [
        # As much as the clock says.
        (-900, 900),
        # Everybody gets ten minutes in each boot.
        (-30, 600),
        (3500, 600),
        # A clock without a battery shows a time before the arming.
        (-365 * DAY, 1800),
    ],
)
def test_after_another_boot(timer: Timer, late: int, left: int) -> None:
    timer.cut_power_at(1000)
    timer.start()
    assert timer.boot("b2", clock=b.NOW + 1800 + late) == OFF
    assert timer.fired_at(20 + left)


def test_a_short_time_leaves_a_short_grace(timer: Timer) -> None:
    timer.term(after=60)
    timer.cut_power_at(500)
    timer.start()
    assert timer.boot("b2", clock=b.NOW + 3000) == OFF
    assert timer.fired_at(80)


def test_a_host_that_resets_in_every_grace_is_rolled_back_all_the_same(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, TICK="30")
    timer.term(boots=0)
    timer.cut_power_at(600)
    timer.start()
    timer.cut_power_at(200)
    ups = []
    for number, clock in enumerate(range(b.NOW + 1800, b.NOW + 3000, 240)):
        timer.cut_power_at(200)
        timer.boot(f"b{number}", clock=clock)
        ups.append(timer.fired)
    # Graces of 600, 300 and 150 s.
    assert ups == [False, False, False, True, True]


@pytest.mark.parametrize(("after", "late", "is_late"), [(60, 3500, False), (60, 3700, True), (7 * DAY, 2 * DAY, True)])
def test_it_waits_for_a_decision_if_the_host_was_off_for_long(
    timer: Timer,
    after: int,
    late: int,
    is_late: bool,  # noqa: FBT001
) -> None:
    timer.term(after=after)
    timer.cut_power_at(500)
    timer.start()
    timer.cut_power_at(2000)
    assert timer.boot("b2", clock=b.NOW + after + late) == OFF
    assert (timer.fired, timer.phase) == ((False, "stale") if is_late else (True, "firing"))


def test_a_stale_timer_is_told_to_everybody_and_starts_again_when_the_clock_is_right(timer: Timer) -> None:
    timer.cut_power_at(1000)
    timer.start()
    timer.at(8000, f"echo {b.NOW + 2000} >clock")
    assert timer.boot("b2", clock=b.NOW + 40 * DAY) == OFF
    # The grace.
    assert timer.fired_at(8600)
    stale = [line for line in timer.read("kernel_log").splitlines() if "does nothing until somebody decides" in line]
    # At once, and every hour. On the console whatever its log level.
    assert [line[:3] for line in stale] == ["<1>"] * 3


def test_armed_again_while_it_watches(timer: Timer) -> None:
    timer.at(2000, f"echo 't2 600 0 60 0 kiosk.target M1 m1' >{timer.top}/term")
    timer.start()
    assert timer.fired_at(2600)
    assert timer.read("run/status").split(" ")[0] == "t2"


def test_armed_again_while_it_is_stale(timer: Timer) -> None:
    """The machine on which it is armed again counts from then on."""
    timer.cut_power_at(1000)
    timer.start()
    timer.write("machine", "another")
    timer.at(5000, "echo 't2 1200 0 60 0 kiosk.target ANOTHER another' >term")
    timer.boot("b2", clock=b.NOW + 40 * DAY)
    assert timer.fired_at(6200)


def test_armed_again_while_it_is_postponed(timer: Timer) -> None:
    timer.show(missing=1)
    timer.at(2500, "echo 't2 1800 0 60 0 kiosk.target M1 m1' >term")
    timer.cut_power_at(3000)
    timer.start()
    assert (timer.fired, timer.phase, timer.reason) == (False, "watching", "")


@pytest.mark.parametrize(
    ("machine", "phase"), [("another", "stale"), ("m1", "firing"), ("M1", "firing"), (None, "firing")]
)
def test_on_another_machine_it_waits_for_a_decision(timer: Timer, machine: str | None, phase: str) -> None:
    timer.cut_power_at(1000)
    timer.start()
    (timer.top / "machine").unlink()
    if machine is not None:
        timer.write("machine", machine)
    timer.cut_power_at(2000)
    timer.boot("b2")
    assert (timer.phase, timer.fired) == (phase, phase == "firing")


def test_a_clone_of_a_running_machine_is_noticed_too(timer: Timer) -> None:
    timer.at(1000, "echo another >machine")
    timer.cut_power_at(END + 500)
    timer.start()
    assert (timer.phase, timer.fired) == ("stale", False)
    assert "another machine" in timer.reason


def test_without_dmi_no_machine_is_another_one(timer: Timer) -> None:
    timer.term(machine="")
    timer.cut_power_at(1000)
    timer.start()
    timer.write("machine", "whatever")
    timer.boot("b2")
    assert timer.fired


def test_warnings_before_it_fires(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, TICK="110")
    (timer.top / "bin" / "wall").write_text("")
    (timer.top / "bin" / "wall").chmod(0o755)
    timer.replace_tool("wall", f'echo "$*" >>{timer.top}/said')
    timer.start()
    warned = [line.split(" ", 1) for line in timer.read("log").splitlines() if "this host rolls back to s" in line]
    left = [b.NOW + 1800 - int(moment.partition("-")[2]) for moment, _text in warned]
    assert [least <= one <= most for one, least, most in zip(left, (490, 10), (600, 120))] == [True, True]
    assert "-e snapset=s" in warned[0][1]
    # Nothing waits for wall, so the host may be gone before the last message is shown.
    assert f"-n safepoint.lvm: {warned[0][1]}" in timer.read("said").splitlines()
    assert "<1>safepoint.lvm: timer of s: rolling back to s and rebooting" in timer.read("kernel_log").splitlines()


def test_a_terminal_that_hangs_delays_nothing(timer: Timer) -> None:
    (timer.top / "bin" / "wall").write_text("")
    (timer.top / "bin" / "wall").chmod(0o755)
    timer.replace_tool("wall", "sleep 60")
    timer.start()
    assert timer.fired


def test_the_message_of_the_day(timer: Timer) -> None:
    timer.cut_power_at(1000)
    timer.start()
    text = timer.read("run/motd.d/s")
    assert f"rolls back to the snapset s by itself at date @{b.NOW + 1800} or a little later" in text
    assert "ansible-playbook safepoint.lvm.commit -e snapset=s" in text
