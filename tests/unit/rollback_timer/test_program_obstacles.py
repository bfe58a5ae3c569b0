# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of a rollback timer does when the time is over and something is in its way."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import pytest
from backups import ROOT, taken
from timer_directory import TAGS, TIMER, Volume, make_timer

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from timer_directory import Timer

OFF, SPENT = -9, 3
REBOOT = "systemctl --no-block reboot"
MERGE = "lvconvert --yes --merge --background vg/root_s"
OWN = f"safepoint.outcome.merging=s:{b.SET_ID}:1:{b.BOOT}:5:ef73fb8e44"
FOREIGN = "safepoint.outcome.rolled_back=other:" + "e" * 32 + ":1:5:ef73fb8e44"
SECOND = {
    "data": {"name": "vg/data", "uuid": b.lvm_uuid("vg/data")},
    "data_s": {"name": "vg/data_s", "uuid": b.lvm_uuid("vg/data_s"), "origin": b.lvm_uuid("vg/data")},
}


@pytest.fixture
def timer(tmp_path: Path, shell: str) -> Timer:
    """A timer whose time is over a minute after the program starts."""
    found = make_timer(tmp_path, shell=shell)
    found.term(after=60)
    return found


def add_member(timer: Timer) -> None:
    """Add a second member, data_s of data."""
    vg, snapshot, origin = (b.lvm_uuid(name) for name in ("vg", "vg/data_s", "vg/data"))
    timer.write("members", f"{timer.read('members')}\nthick {vg}/{snapshot} {origin}")
    sums = subprocess.run(["sha256sum", "facts", "members"], cwd=timer.top, capture_output=True, text=True, check=True)
    timer.write("SHA256SUMS", sums.stdout)


@contextmanager
def locked(timer: Timer, text: str = "snapset s (PID 1)") -> Iterator[None]:
    """Let another process hold the host lock."""
    timer.write("run/lock", text)
    with subprocess.Popen(["flock", str(timer.top / "run/lock"), "sleep", "600"], start_new_session=True) as holder:
        subprocess.run(["sh", "-c", f"while flock -n {timer.top}/run/lock true; do :; done"], check=True, timeout=60)
        yield
        subprocess.run(["kill", "--", f"-{holder.pid}"], check=True)


def end_lines(timer: Timer) -> str:
    """Shell code that ends what `show` has changed: LVM shows the usual volumes again."""
    lines = timer.read("lvs")
    timer.write("usual", lines)
    return "cp usual lvs"


def test_a_disk_that_comes_late_is_waited_for(timer: Timer) -> None:
    timer.at(2000, end_lines(timer))
    timer.show(missing=2)
    timer.at(1900, f"cp {timer.top}/run/status {timer.top}/before")
    assert timer.start() == OFF
    assert timer.fired_at(2000)
    assert timer.read("before").partition("\n")[2] == "PVs of VG vg are missing: 2"
    # The same message is not repeated.
    assert timer.log.count("postponed: PVs of VG vg are missing: 2") == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("5\n  The lvm.conf has a bad line.\n  More.\n", "LVM ended with 5 and said: The lvm.conf has a bad line."),
        ("0\n", f"LVM does not show the VG with the UUID {b.lvm_uuid('vg')}"),
    ],
)
def test_a_failure_of_lvm_is_not_called_a_missing_disk(timer: Timer, message: str, reason: str) -> None:
    timer.write("fault-lvs", message)
    timer.cut_power_at(1500)
    timer.start()
    assert (timer.phase, timer.reason, timer.calls) == ("postponed", reason, [])


@pytest.mark.parametrize("way", ['"/etc/lvm "*', """*'global_filter=["a|.*|"]'*"""])
def test_a_pv_that_joined_the_vg_is_found_in_another_way(timer: Timer, way: str) -> None:
    """The devices file of the host has it, the copy of the timer has not. Or neither has."""
    usual = timer.read("lvs")
    timer.show(missing=1)
    timer.write("partial", timer.read("lvs"))
    timer.write("lvs", usual)
    fake = (timer.top / "lib" / "ld.lvm").read_text().partition("\n")[2]
    partial = f"PATH=/bin; cat {timer.top}/partial; exit"
    timer.replace_tool(
        "lvm", f'case $1 in lvs) case "$LVM_SYSTEM_DIR $*" in {way}) ;; *) {partial} ;; esac ;; esac\n{fake}'
    )
    timer.start()
    assert timer.fired


def let_lvm_hang(timer: Timer, but: str = "nothing") -> None:
    """Let LVM hang whenever it is to list volumes, except with these words."""
    fake = (timer.top / "lib" / "ld.lvm").read_text().partition("\n")[2]
    hang = f"echo >{timer.top}/hanging; exec /bin/sleep 60"
    timer.replace_tool(
        "lvm", f"case $* in *lvs*{but}*) ;; *lvs*) {hang} ;; esac\n/bin/rm -f {timer.top}/hanging\n{fake}"
    )


def test_if_lvm_hangs_only_our_disks_are_asked(timer: Timer) -> None:
    let_lvm_hang(timer, but="lvm-pv-uuid")
    timer.start()
    assert timer.fired


def test_if_lvm_hangs_for_long_the_host_reboots_once(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, LOOK_LIMIT="5", TICK="700")
    timer.term(after=60)
    let_lvm_hang(timer)
    assert timer.start() == OFF
    assert timer.calls == [REBOOT]
    assert 560 + 1200 <= timer.now < 560 + 2700
    assert timer.log[-1] == "rebooting once, because LVM has not answered within 5 s"
    timer.cut_power_at(4000)
    timer.boot("b2")
    assert (timer.calls, timer.phase) == ([REBOOT], "postponed")


def test_a_held_lock_is_waited_for_then_ignored(timer: Timer) -> None:
    timer.replace_tool("dmsetup", f'echo "dmsetup $*" >>{timer.top}/calls')
    timer.at(900, f"cp {timer.top}/run/status {timer.top}/before")
    with locked(timer):
        timer.start()
    assert timer.read("before").partition("\n")[2] == "another run holds the host lock: snapset s (PID 1)"
    assert timer.fired_at(560 + 600)
    assert timer.calls[0] == "dmsetup udevcomplete_all --yes 5"
    assert len([call for call in timer.calls if call.startswith("dmsetup")]) == 1
    assert any("continuing without the host lock" in line for line in timer.log)
    # The holder is not this program.
    assert timer.read("run/lock") == "snapset s (PID 1)"


def test_while_it_rolls_back_the_lock_says_what_to_expect(timer: Timer) -> None:
    timer.start()
    first, second = timer.read("run/lock").splitlines()
    assert first.startswith("the rollback timer of s (PID ")
    assert "is rolling back to s by itself and will reboot" in second


def test_renamed_volumes_are_found(timer: Timer) -> None:
    timer.write("lvs", timer.read("lvs").replace("vg/root", "new/system").replace("|vg/", "|new/"))
    timer.start()
    assert timer.fired
    assert timer.calls[0].endswith(" new/system")
    assert timer.calls[1].endswith(" new/system_s")
    assert timer.calls[2].endswith(" new/safepoint_timer_s")


def test_another_lv_with_the_name_of_a_member_is_not_merged(timer: Timer) -> None:
    snapshot = taken()
    timer.show(
        root_s={"name": "vg/kept"}, other={"name": snapshot.full_name, "uuid": b.lvm_uuid("x"), "origin": ROOT.uuid}
    )
    timer.start()
    assert "lvconvert --yes --merge --background vg/kept" in timer.calls


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (None, "the snapshot of vg/root is gone"),
        ({"invalid": "snapshot invalid"}, "vg/root_s has overflowed"),
        ({"origin": ""}, "vg/root_s is no longer a snapshot of vg/root"),
    ],
)
def test_a_lost_member_ends_it(timer: Timer, fields: dict[str, Any] | None, reason: str) -> None:
    timer.show(root_s=fields)
    assert timer.start() == SPENT
    assert (timer.phase, timer.reason, timer.calls, timer.now) == ("spent", reason, [], 500)


def test_a_member_that_is_lost_later_ends_it_when_the_time_is_over(timer: Timer) -> None:
    timer.at(550, "sed -i /root_s/d lvs")
    assert timer.start() == SPENT
    assert (timer.phase, timer.calls) == ("spent", [])


def test_a_member_of_unknown_validity_is_activated_first(timer: Timer) -> None:
    """LVM would merge an inactive snapshot even if it had overflowed."""
    timer.show(root_s={"invalid": "unknown"})
    timer.start()
    assert timer.fired
    assert timer.calls[0] == "lvchange --yes --activate y vg/root"
    assert "unknown whether it is valid" in "".join(timer.log)


def test_the_validity_of_a_thin_member_is_never_known(timer: Timer) -> None:
    timer.write("members", timer.read("members").replace("thick", "thin"))
    sums = subprocess.run(["sha256sum", "facts", "members"], cwd=timer.top, capture_output=True, text=True, check=True)
    timer.write("SHA256SUMS", sums.stdout)
    timer.show(root_s={"invalid": "unknown"})
    timer.start()
    assert (timer.fired, timer.calls[1]) == (True, MERGE)


def test_the_merge_of_another_snapshot_is_waited_for(timer: Timer) -> None:
    timer.at(2000, end_lines(timer))
    timer.show(x={"name": "vg/x", "uuid": b.lvm_uuid("vg/x"), "origin": ROOT.uuid, "merging": "merging"})
    timer.start()
    assert timer.fired_at(2000)
    assert "postponed: another snapshot of vg/root is being merged: vg/x" in timer.log


def test_after_a_rollback_to_another_snapset_it_never_goes_forward(timer: Timer) -> None:
    timer.show(root={"tags": FOREIGN})
    assert timer.start() == SPENT
    assert timer.reason == f"vg/root was rolled back to another snapset since: {FOREIGN}"


def test_an_older_rollback_to_another_snapset_is_replaced(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, KNOWN_OUTCOMES=FOREIGN)
    timer.show(root={"tags": FOREIGN})
    timer.start()
    assert timer.fired
    assert f"--deltag {FOREIGN}" in timer.calls[0]


@pytest.mark.parametrize(
    ("tags", "code", "phase"),
    [
        (f"{','.join(TAGS.to_tags())},{_tags.TIMER_FIRED}=5", 0, "fired"),
        (",".join(replace(TAGS, set_id="f" * 32).to_tags()), SPENT, "spent"),
    ],
)
def test_it_fires_once_and_only_for_its_own_set(timer: Timer, tags: str, code: int, phase: str) -> None:
    timer.show(safepoint_timer_s={"tags": tags})
    assert (timer.start(), timer.phase, timer.calls) == (code, phase, [])


def test_the_lv_of_the_timer_need_not_be_visible(timer: Timer) -> None:
    """Its VG may have lost a disk. Then it cannot be tagged, and the host must still reboot only once."""
    timer.show(safepoint_timer_s=None)
    assert timer.start() == OFF
    assert timer.fired
    assert timer.boot("b2") == 0
    assert timer.calls.count(REBOOT) == 1


def test_no_endless_reboots_if_nothing_can_be_recorded(timer: Timer) -> None:
    timer.show(safepoint_timer_s=None)
    timer.replace_tool("mv", f'case $* in *{timer.top}/fired) exit 1 ;; esac\nexec /bin/mv "$@"')
    assert timer.start() == OFF
    for number in range(3):
        assert timer.boot(f"b{number}") == 0
        assert timer.phase == "fired"
    assert timer.calls.count(REBOOT) == 1


def test_a_program_that_is_killed_between_the_merges_and_the_reboot_reboots(timer: Timer) -> None:
    timer.write("no-reboot", "")
    timer.at(850, 'rm -f no-reboot; kill -9 "$PPID"')
    timer.start()
    assert timer.start() == OFF
    assert timer.calls.count(REBOOT) == 2
    assert timer.calls.count(MERGE) == 1


def test_a_power_cut_between_two_merges(timer: Timer) -> None:
    """The next boot continues at once, and reboots again, because the second merge needs that."""
    add_member(timer)
    timer.show(root={"tags": OWN}, root_s={"merging": "merging"}, **SECOND)
    timer.write("run/unused", "")
    assert timer.boot("b2") == OFF
    assert timer.fired_at(0)
    assert [call for call in timer.calls if call.startswith("lvconvert")] == [MERGE.replace("root_s", "data_s")]
    assert timer.boot("b3") == 0
    assert timer.calls.count(REBOOT) == 1


def test_a_power_cut_after_the_merges(timer: Timer) -> None:
    timer.show(root={"tags": OWN}, root_s=None)
    assert timer.boot("b2") == 0
    assert [call.split()[0] for call in timer.calls] == ["lvchange"]
    # Started again by hand, it does not reboot either.
    assert timer.start() == 0
    assert len(timer.calls) == 1


def test_a_power_cut_before_the_merges_leaves_a_grace(timer: Timer) -> None:
    timer.show(root={"tags": OWN})
    timer.write("end", f"t1 {b.BOOT} 560 {b.NOW + 60} 0")
    assert timer.boot("b2", clock=b.NOW + 300) == OFF
    assert timer.fired_at(80)
    # What the origin recorded in the earlier boot is replaced.
    assert f"--deltag {OWN}" in timer.calls[0]
    assert ":b2:" in timer.calls[0]


def test_a_rollback_that_has_begun_goes_on_without_a_lost_member(timer: Timer) -> None:
    add_member(timer)
    timer.show(root={"tags": OWN}, root_s={"merging": "merging"}, data=SECOND["data"])
    assert timer.boot("b2") == 0
    assert timer.phase == "fired"


def test_lvm_that_refuses_the_tags_leaves_everything(timer: Timer) -> None:
    timer.write("fault-lvchange", "5\n  VG is read-only.\n")
    timer.cut_power_at(1500)
    timer.start()
    assert (timer.phase, timer.calls) == ("postponed", [])
    assert timer.reason == "LVM cannot change the tags of the origins"


def test_its_disk_is_read_only(timer: Timer) -> None:
    timer.replace_tool("mv", f'case $* in *{timer.top}/run*) exec /bin/mv "$@" ;; esac\nexit 1')
    timer.start()
    assert timer.fired
    assert "cannot write to the disk of the timer" in timer.log


def test_damaged_files_are_noticed(timer: Timer) -> None:
    timer.write("members", "thick x/y z")
    assert timer.start() == 1
    assert (timer.phase, timer.reason) == ("postponed", "the files of the timer are damaged")
    # systemd starts it every 30 s.
    assert timer.start() == 1
    assert timer.log == ["postponed: the files of the timer are damaged"]


def test_another_filesystem_that_hangs_delays_nothing(timer: Timer) -> None:
    """sync(2) of all filesystems waits for it forever."""
    timer.replace_tool("sync", "[ $# -gt 0 ] || exec /bin/sleep 600")
    timer.write("no-reboot", "")
    timer.cut_power_at(1000)
    timer.start()
    # Also in the way out when the regular reboot does not happen.
    assert timer.read("sysrq") == "b"
    assert "systemctl --force --force reboot" in timer.calls


def test_the_reboot_is_asked_for_until_it_happens(timer: Timer) -> None:
    timer.write("no-reboot", "")
    timer.at(1200, "rm -f no-reboot")
    timer.start()
    assert timer.calls.count(REBOOT) > 2
    assert timer.phase == "firing"


def test_the_log_does_not_fill_the_disk(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, LOG_LINES="3")
    timer.write("log", "at-1 a\nat-2 b\nat-3 c")
    timer.cut_power_at(600)
    timer.start()
    assert timer.log == ["watching for 1800 s"]
    assert timer.read("log.old").endswith("at-3 c")


def test_the_check_of_the_module(timer: Timer) -> None:
    check = f"set -- '{timer.top}' --check; check; echo $?"
    assert timer.call(check) == ["0"]
    timer.show(root_s=None)
    assert timer.call(check) == ["the snapshot of vg/root is gone", "3"]
    timer.write("fault-lvs", "5\nNothing works.\n")
    assert timer.call(check) == ["LVM ended with 5 and said: Nothing works.", "1"]
    assert (timer.calls, timer.read("run/status")) == ([], "")


def test_names_of_the_report() -> None:
    """The fake shows what the program asks for."""
    one = Volume("vg/a", "u", tags="t,u")
    assert one.line() == f"{b.lvm_uuid('vg')}|u|vg/a|/dev/mapper/vg-a|0||||t,u"
    assert TIMER.startswith("vg/")
