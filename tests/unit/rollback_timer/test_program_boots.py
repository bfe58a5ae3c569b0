# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which boots the program of a rollback timer counts as failed, and that it rolls back when there are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from timer_directory import make_timer

if TYPE_CHECKING:
    from pathlib import Path

    from timer_directory import Timer

OFFLINE_UPDATE = "/usr/lib/systemd/system/system-update.target"
RELABEL = "/usr/lib/systemd/system/selinux-autorelabel.target"


@pytest.fixture
def timer(tmp_path: Path, shell: str) -> Timer:
    """A timer that fires after two failed boots, long before its time is over."""
    found = make_timer(tmp_path, shell=shell, TICK="60")
    found.term(after=86400)
    found.write("active", "kiosk.target")
    return found


def fail(timer: Timer, *boots: str) -> None:
    """Boots that end before they reach their target."""
    timer.write("active", "sysinit.target")
    for boot in boots:
        timer.cut_power_at(80)
        timer.boot(boot)
        assert not timer.fired


def succeed(timer: Timer, boot: str, target: str = "kiosk.target") -> None:
    """A boot that reaches its target."""
    timer.write("active", target)
    timer.cut_power_at(200)
    timer.boot(boot)
    assert not timer.fired


def test_two_failed_boots_are_enough(timer: Timer) -> None:
    fail(timer, "b1", "b2")
    timer.boot("b3")
    # Without waiting for anything.
    assert timer.fired_at(0)


@pytest.mark.parametrize("target", ["kiosk.target", "multi-user.target", "graphical.target"])
def test_a_good_boot_in_between(timer: Timer, target: str) -> None:
    fail(timer, "b1", "b2")
    timer.write("failed", "1 b2")
    succeed(timer, "b3", target)
    fail(timer, "b4", "b5")


def test_a_program_that_starts_again_counts_the_boot_once(timer: Timer) -> None:
    timer.write("active", "sysinit.target")
    for _try in range(4):
        timer.at(timer.now + 60 if timer.read("boot_id") == "b1" else 80, 'kill -9 "$PPID"')
        timer.boot("b1")
    assert timer.read("failed") == "1 b1"


def test_the_boot_of_the_arming_does_not_count(timer: Timer) -> None:
    timer.write("active", "sysinit.target")
    timer.cut_power_at(600)
    timer.start()
    assert timer.read("failed").startswith("0 ")


@pytest.mark.parametrize("target", [OFFLINE_UPDATE, RELABEL])
def test_offline_updates_and_relabelling_do_not_count(timer: Timer, target: str) -> None:
    """Generators of systemd select another target for these boots."""
    (timer.top / "early_target").symlink_to(target)
    fail(timer, "b1", "b2", "b3", "b4")
    assert timer.read("failed").startswith("0 ")
    assert f"this boot does not count: {target.rpartition('/')[2]}" in timer.log
    (timer.top / "early_target").unlink()
    fail(timer, "b5", "b6")
    timer.boot("b7")
    assert timer.fired


@pytest.mark.parametrize("word", ["systemd.unit=rescue.target", "single", "rd.break=pre-mount", "emergency", "1"])
def test_what_somebody_selected_in_the_boot_menu_does_not_count(timer: Timer, word: str) -> None:
    """And nobody at the console is rolled back for failed boots before."""
    fail(timer, "b1", "b2")
    timer.write("cmdline", f"root=/dev/vg/root * {word} quiet")
    timer.cut_power_at(200)
    timer.boot("b3")
    assert not timer.fired
    assert timer.read("failed").startswith("2 ")


@pytest.mark.parametrize("words", ["systemd.unit=kiosk.target", "systemd.unit=graphical.target", "init=/sbin/init 15"])
def test_a_usual_command_line_counts(timer: Timer, words: str) -> None:
    timer.write("cmdline", words)
    fail(timer, "b1", "b2")
    timer.boot("b3")
    assert timer.fired


def test_with_zero_no_boot_counts(timer: Timer) -> None:
    timer.term(after=86400, boots=0)
    fail(timer, "b1", "b2", "b3", "b4")


def test_a_systemd_that_does_not_answer_is_not_waited_for(timer: Timer) -> None:
    (timer.top / "systemctl").write_text("#!/bin/sh\ncase $* in is-active*) exec /bin/sleep 60 ;; esac\nkill -9 0\n")
    fail(timer, "b1")
    timer.cut_power_at(200)
    timer.boot("b2")
    assert timer.now >= 200
