# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of a rollback timer does when the time is over and something is in its way."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import builders as b
import pytest
from backups import ROOT, taken
from timer_directory import make_timer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from timer_directory import Timer

OFF, SPENT, STOPPED = -9, 3, 143
REBOOT = "systemctl --no-block reboot"
MERGE = "lvconvert --yes --merge --background vg/root_s"
FOREIGN = "safepoint.outcome.rolled_back=other:" + "e" * 32 + ":1:5:ef73fb8e44"


@contextmanager
def locked(due: Timer, text: str = "snapset s (PID 1)") -> Iterator[None]:
    """Let another process hold the host lock."""
    due.write("run/lock", text)
    with subprocess.Popen(["flock", str(due.top / "run/lock"), "sleep", "600"], start_new_session=True) as holder:
        subprocess.run(["sh", "-c", f"while flock -n {due.top}/run/lock true; do :; done"], check=True, timeout=60)
        yield
        subprocess.run(["kill", "--", f"-{holder.pid}"], check=True)


def end_lines(due: Timer) -> str:
    """Shell code that ends what `show` has changed: LVM shows the usual volumes again."""
    lines = due.read("lvs")
    due.write("usual", lines)
    return "cp usual lvs"


def test_a_disk_that_comes_late_is_waited_for(due: Timer) -> None:
    due.at(2000, end_lines(due))
    due.show(missing=2)
    due.at(1900, f"cp {due.top}/run/status {due.top}/before")
    assert due.start() == OFF
    assert due.fired_at(2000)
    assert due.read("before").partition("\n")[2] == "PVs of VG vg are missing: 2"
    # The same message is not repeated.
    assert due.log.count("postponed: PVs of VG vg are missing: 2") == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("5\n  The lvm.conf has a bad line.\n  More.\n", "LVM ended with 5 and said: The lvm.conf has a bad line."),
        ("0\n", f"LVM does not show the VG with the UUID {b.lvm_uuid('vg')}"),
    ],
)
def test_a_failure_of_lvm_is_not_called_a_missing_disk(due: Timer, message: str, reason: str) -> None:
    due.write("fault-lvs", message)
    due.cut_power_at(1500)
    due.start()
    assert (due.phase, due.reason, due.calls) == ("postponed", reason, [])


@pytest.mark.parametrize("way", ['"/etc/lvm "*', """*'global_filter=["a|.*|"]'*"""])
def test_a_pv_that_joined_the_vg_is_found_in_another_way(due: Timer, way: str) -> None:
    """The devices file of the host has it, the copy of the timer has not. Or neither has."""
    usual = due.read("lvs")
    due.show(missing=1)
    due.write("partial", due.read("lvs"))
    due.write("lvs", usual)
    fake = (due.top / "lib" / "ld.lvm").read_text().partition("\n")[2]
    partial = f"PATH=/bin; cat {due.top}/partial; exit"
    due.replace_tool(
        "lvm", f'case $1 in lvs) case "$LVM_SYSTEM_DIR $*" in {way}) ;; *) {partial} ;; esac ;; esac\n{fake}'
    )
    due.start()
    assert due.fired


def let_lvm_hang(due: Timer, but: str = "nothing") -> None:
    """Let LVM hang whenever it is to list volumes, except with these words."""
    fake = (due.top / "lib" / "ld.lvm").read_text().partition("\n")[2]
    hang = f"echo >{due.top}/hanging; exec /bin/sleep 60"
    due.replace_tool("lvm", f"case $* in *lvs*{but}*) ;; *lvs*) {hang} ;; esac\n/bin/rm -f {due.top}/hanging\n{fake}")


def test_if_lvm_hangs_only_our_disks_are_asked(due: Timer) -> None:
    let_lvm_hang(due, but="lvm-pv-uuid")
    due.start()
    assert due.fired


def test_if_lvm_hangs_for_long_the_host_reboots_once(tmp_path: Path, shell: str) -> None:
    due = make_timer(tmp_path, shell=shell, LOOK_LIMIT="5", TICK="700")
    due.term(after=60)
    let_lvm_hang(due)
    assert due.start() == OFF
    assert due.calls == [REBOOT]
    assert 560 + 1200 <= due.now < 560 + 2700
    assert due.log[-1] == "rebooting once, because LVM has not answered within 5 s"
    due.cut_power_at(4000)
    due.boot("b2")
    assert (due.calls, due.phase) == ([REBOOT], "postponed")


def test_a_held_lock_is_waited_for_then_ignored(due: Timer) -> None:
    due.replace_tool("dmsetup", f'echo "dmsetup $*" >>{due.top}/calls')
    due.at(900, f"cp {due.top}/run/status {due.top}/before")
    with locked(due):
        due.start()
    assert due.read("before").partition("\n")[2] == "another run holds the host lock: snapset s (PID 1)"
    assert due.fired_at(560 + 600)
    assert due.calls[0] == "dmsetup udevcomplete_all --yes 5"
    assert len([call for call in due.calls if call.startswith("dmsetup")]) == 1
    assert any("continuing without the host lock" in line for line in due.log)
    # The holder is not this program.
    assert due.read("run/lock") == "snapset s (PID 1)"


def test_the_time_may_change_while_it_waits_for_the_lock(due: Timer) -> None:
    """The module holds the lock while it gives the timer another time."""
    moment = "read_uptime; read_term; find_end"
    again = f"echo 't2 1800 0 60 0 kiosk.target M1 m1' >{due.top}/term"
    assert due.call(f"make_scratch; {moment}; {again}; attempt; echo $?")[-1] == "0"
    assert due.calls == []


def test_while_it_rolls_back_the_lock_says_what_to_expect(due: Timer) -> None:
    due.start()
    first, second = due.read("run/lock").splitlines()
    assert first.startswith("the rollback timer of s (PID ")
    assert "is rolling back to s by itself and will reboot" in second


def test_renamed_volumes_are_found(due: Timer) -> None:
    due.write("lvs", due.read("lvs").replace("vg/root", "new/system").replace("|vg/", "|new/"))
    due.start()
    assert due.fired
    assert due.calls[0].endswith(" new/system")
    assert due.calls[1].endswith(" new/system_s")
    assert due.calls[2].endswith(" new/safepoint_timer_s")


def test_the_same_lvs_in_a_copy_of_the_vg_are_not_touched(due: Timer) -> None:
    """They have the same UUIDs."""
    copy = due.read("lvs").replace(b.lvm_uuid("vg"), b.lvm_uuid("copy")).replace("|vg/", "|copy/")
    due.write("lvs", f"{copy}\n{due.read('lvs')}")
    due.start()
    assert due.fired
    assert not [call for call in due.calls if "copy/" in call]


def test_another_lv_with_the_name_of_a_member_is_not_merged(due: Timer) -> None:
    snapshot = taken()
    due.show(
        root_s={"name": "vg/kept"}, other={"name": snapshot.full_name, "uuid": b.lvm_uuid("x"), "origin": ROOT.uuid}
    )
    due.start()
    assert "lvconvert --yes --merge --background vg/kept" in due.calls


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (None, "the snapshot of vg/root is gone"),
        ({"invalid": "snapshot invalid"}, "vg/root_s has overflowed"),
        ({"origin": ""}, "vg/root_s is no longer a snapshot of vg/root"),
    ],
)
def test_a_lost_member_ends_it(due: Timer, fields: dict[str, Any] | None, reason: str) -> None:
    due.show(root_s=fields)
    assert due.start() == SPENT
    assert (due.phase, due.reason, due.calls, due.now) == ("spent", reason, [], 500)


def test_a_member_that_is_lost_later_ends_it_when_the_time_is_over(due: Timer) -> None:
    due.at(550, "sed -i /root_s/d lvs")
    assert due.start() == SPENT
    assert (due.phase, due.calls) == ("spent", [])


def test_a_member_of_unknown_validity_is_activated_first(due: Timer) -> None:
    """LVM would merge an inactive snapshot even if it had overflowed."""
    due.show(root_s={"invalid": "unknown"})
    due.start()
    assert due.fired
    assert due.calls[0] == "lvchange --yes --activate y vg/root"
    assert "unknown whether it is valid" in "".join(due.log)


def test_the_validity_of_a_thin_member_is_never_known(due: Timer) -> None:
    due.write("members", due.read("members").replace("thick", "thin"))
    sums = subprocess.run(["sha256sum", "facts", "members"], cwd=due.top, capture_output=True, text=True, check=True)
    due.write("SHA256SUMS", sums.stdout)
    due.show(root_s={"invalid": "unknown"})
    due.start()
    assert (due.fired, due.calls[1]) == (True, MERGE)


def test_the_merge_of_another_snapshot_is_waited_for(due: Timer) -> None:
    due.at(2000, end_lines(due))
    due.show(x={"name": "vg/x", "uuid": b.lvm_uuid("vg/x"), "origin": ROOT.uuid, "merging": "merging"})
    due.start()
    assert due.fired_at(2000)
    assert "postponed: another snapshot of vg/root is being merged: vg/x" in due.log


def test_after_a_rollback_to_another_snapset_it_never_goes_forward(due: Timer) -> None:
    due.show(root={"tags": FOREIGN})
    assert due.start() == SPENT
    assert due.reason == f"vg/root was rolled back to another snapset since: {FOREIGN}"


def test_an_older_rollback_to_another_snapset_is_replaced(tmp_path: Path, shell: str) -> None:
    due = make_timer(tmp_path, shell=shell, KNOWN_OUTCOMES=FOREIGN)
    due.show(root={"tags": FOREIGN})
    due.start()
    assert due.fired
    assert f"--deltag {FOREIGN}" in due.calls[0]


def test_lvm_that_refuses_the_tags_leaves_everything(due: Timer) -> None:
    due.write("fault-lvchange", "5\n  VG is read-only.\n")
    due.cut_power_at(1500)
    due.start()
    assert (due.phase, due.calls) == ("postponed", [])
    assert due.reason == "LVM cannot change the tags of the origins"


def test_the_check_of_the_module(due: Timer) -> None:
    check = f"set -- '{due.top}' --check; check; echo $?"
    assert due.call(check) == ["0"]
    due.show(root_s=None)
    assert due.call(check) == ["the snapshot of vg/root is gone", "3"]
    due.write("fault-lvs", "5\nNothing works.\n")
    assert due.call(check) == ["LVM ended with 5 and said: Nothing works.", "1"]
    assert (due.calls, due.read("run/status")) == ([], "")


def test_lvm_that_would_refuse_the_merge_leaves_everything(due: Timer) -> None:
    """Nobody is told that the host rolls back, and /boot stays as it is: LVM is asked before."""
    due.write(
        "fault-lvconvert-test", "5\n  TEST MODE: Metadata will NOT be updated.\n  Command not permitted.\n  More.\n"
    )
    due.cut_power_at(1500)
    due.start()
    assert (due.phase, due.calls) == ("postponed", [])
    assert due.reason == "LVM cannot merge vg/root_s and said: Command not permitted."
    assert not any("rolling back" in line for line in due.log)


def test_a_merge_that_is_refused_after_the_restoration(tmp_path: Path, shell: str) -> None:
    """It says what it has done. A person who accepts the change after all can write to /boot again."""
    due = make_timer(tmp_path, shell=shell, boot=True)
    due.term(after=60)
    due.write("filesystems", f"/dev/x ext4 {due.top}/backup needed ")
    due.replace_tool("mount", f'echo "mount $*" >>{due.top}/mounts')
    due.write("fault-lvconvert", "5\n  Disk full.\n")
    due.at(1500, "kill -TERM $PPID")
    assert due.start() == STOPPED
    assert due.phase == "postponed"
    assert due.reason == (
        "LVM cannot merge vg/root_s and said: Disk full.; /boot is restored already, so roll back, or make it fit the "
        "change again"
    )
    mounts = [line for line in due.read("mounts").splitlines() if "remount" in line]
    assert mounts[-1] == f"mount -o remount,rw {due.top}/backup"
    assert f"mount -o remount,ro {due.top}/backup" in mounts


@pytest.mark.parametrize(
    ("member", "other", "moved"),
    [
        ({"moving": "locked"}, {}, "vg/root_s"),
        ({"pool": "pool"}, {"name": "vg/pool_tdata", "moving": "locked"}, "thin pool vg/pool"),
        ({"pool": "pool"}, {"name": "vg/pool_tmeta_rimage_0", "moving": "locked"}, "thin pool vg/pool"),
    ],
)
def test_pvmove_is_waited_for(due: Timer, member: dict[str, Any], other: dict[str, Any], moved: str) -> None:
    due.at(2000, end_lines(due))
    due.show(root_s=member, x={"name": "vg/x", "uuid": b.lvm_uuid("x"), **other})
    due.start()
    assert due.fired_at(2000)
    assert f"postponed: pvmove moves {moved}" in due.log


@pytest.mark.parametrize(
    ("member", "other"),
    [
        ({}, {"name": "vg/pool_tdata", "moving": "locked"}),
        ({"pool": "pool"}, {"name": "vg/pool_tdata"}),
        ({"pool": "pool"}, {"name": "vg/pool2_tdata", "moving": "locked"}),
    ],
)
def test_pvmove_of_something_else_delays_nothing(due: Timer, member: dict[str, Any], other: dict[str, Any]) -> None:
    due.show(root_s=member, x={"name": "vg/x", "uuid": b.lvm_uuid("x"), **other})
    due.start()
    assert due.fired_at(560)
