# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rollback timer ends: it fires once, whatever interrupts it, and nothing delays the reboot."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import pytest
from timer_directory import TAGS, make_timer

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from pathlib import Path

    from timer_directory import Timer

OFF, SPENT = -9, 3
REBOOT = "systemctl --no-block reboot"
MERGE = "lvconvert --yes --merge --background vg/root_s"
OWN = f"safepoint.outcome.merging=s:{b.SET_ID}:1:{b.BOOT}:5:ef73fb8e44"
SECOND: dict[str, Any] = {
    "data": {"name": "vg/data", "uuid": b.lvm_uuid("vg/data")},
    "data_s": {"name": "vg/data_s", "uuid": b.lvm_uuid("vg/data_s"), "origin": b.lvm_uuid("vg/data")},
}


def add_member(due: Timer) -> None:
    """Add a second member, data_s of data."""
    vg, snapshot, origin = (b.lvm_uuid(name) for name in ("vg", "vg/data_s", "vg/data"))
    due.write("members", f"{due.read('members')}\nthick {vg}/{snapshot} {origin}")
    sums = subprocess.run(["sha256sum", "facts", "members"], cwd=due.top, capture_output=True, text=True, check=True)
    due.write("SHA256SUMS", sums.stdout)


@pytest.mark.parametrize(
    ("tags", "code", "phase"),
    [
        (f"{','.join(TAGS.to_tags())},{_tags.TIMER_FIRED}=5", 0, "fired"),
        (",".join(replace(TAGS, set_id="f" * 32).to_tags()), SPENT, "spent"),
    ],
)
def test_it_fires_once_and_only_for_its_own_set(due: Timer, tags: str, code: int, phase: str) -> None:
    due.show(safepoint_timer_s={"tags": tags})
    assert (due.start(), due.phase, due.calls) == (code, phase, [])


def test_the_lv_of_the_timer_need_not_be_visible(due: Timer) -> None:
    """Its VG may have lost a disk. Then it cannot be tagged, and the host must still reboot only once."""
    due.show(safepoint_timer_s=None)
    assert due.start() == OFF
    assert due.fired
    assert due.boot("b2") == 0
    assert due.calls.count(REBOOT) == 1


def test_no_endless_reboots_if_nothing_can_be_recorded(due: Timer) -> None:
    due.show(safepoint_timer_s=None)
    due.replace_tool("mv", f'case $* in *{due.top}/fired) exit 1 ;; esac\nexec /bin/mv "$@"')
    assert due.start() == OFF
    for number in range(3):
        assert due.boot(f"b{number}") == 0
        assert due.phase == "fired"
    assert due.calls.count(REBOOT) == 1


def test_a_program_that_is_killed_between_the_merges_and_the_reboot_reboots(due: Timer) -> None:
    due.write("no-reboot", "")
    due.at(850, 'rm -f no-reboot; kill -9 "$PPID"')
    due.start()
    assert due.start() == OFF
    assert due.calls.count(REBOOT) == 2
    assert due.calls.count(MERGE) == 1


def test_a_power_cut_between_two_merges(due: Timer) -> None:
    """The next boot continues at once, and reboots again, because the second merge needs that."""
    add_member(due)
    due.show(root={"tags": OWN}, root_s={"merging": "merging"}, **SECOND)
    due.write("run/unused", "")
    assert due.boot("b2") == OFF
    assert due.fired_at(0)
    assert [call for call in due.calls if call.startswith("lvconvert")] == [MERGE.replace("root_s", "data_s")]
    assert due.boot("b3") == 0
    assert due.calls.count(REBOOT) == 1


@pytest.mark.parametrize(("clock", "machine"), [(b.NOW + 864000, "m1"), (b.NOW + 300, "another")])
def test_a_rollback_that_has_begun_needs_no_decision(due: Timer, clock: int, machine: str) -> None:
    """However late the host boots again, and wherever: half a rollback is worse."""
    add_member(due)
    due.show(root={"tags": OWN}, root_s={"merging": "merging"}, **SECOND)
    due.write("end", f"t1 {b.BOOT} 560 {b.NOW + 60} 0")
    due.write("machine", machine)
    assert due.boot("b2", clock=clock) == OFF
    assert due.fired_at(0)


def test_hibernation_and_kexec_are_forbidden_before_the_merges(due: Timer) -> None:
    """A loaded kernel is unloaded, and none can be loaded any more."""
    for name, text in (("kexec_loaded", "1"), ("kexec_limit", "-1"), ("kexec_disabled", "0")):
        due.write(name, text)
    due.write("bin/kexec", "")
    (due.top / "bin" / "kexec").chmod(0o755)
    due.replace_tool("kexec", f'echo "kexec $*" >>{due.top}/calls; echo 0 >{due.top}/kexec_loaded')
    assert due.start() == OFF
    assert due.fired
    assert [call for call in due.calls if call in ("kexec -u", MERGE)] == ["kexec -u", MERGE]
    assert "AllowHibernation=no" in due.read("no_hibernation")
    assert (due.read("kexec_limit"), due.read("kexec_disabled")) == ("0", "0")


def test_a_loaded_kernel_that_cannot_be_unloaded_is_not_started(due: Timer) -> None:
    """No service is stopped, so none can start it. Older kernels have no limit for kernels that a reboot starts."""
    due.write("kexec_loaded", "1")
    due.write("kexec_disabled", "0")
    assert due.start() == OFF
    assert due.calls[-1] == "systemctl --force reboot"
    assert "cannot unload the kernel that is loaded for kexec" in due.log
    assert due.read("kexec_disabled") == "1"


def test_neither_can_stop_the_rollback(due: Timer) -> None:
    due.write("kexec_loaded", "0")
    due.replace_tool("mkdir", f'[ "$2" != {due.top} ] || exit 1\nexec /bin/mkdir "$@"')
    assert due.start() == OFF
    assert due.fired
    assert "cannot forbid hibernation" in due.log


def test_a_power_cut_after_the_merges(due: Timer) -> None:
    due.show(root={"tags": OWN}, root_s=None)
    assert due.boot("b2") == 0
    assert [call.split()[0] for call in due.calls] == ["lvchange"]
    # Started again by hand, it does not reboot either.
    assert due.start() == 0
    assert len(due.calls) == 1


def test_a_power_cut_before_the_merges_leaves_a_grace(due: Timer) -> None:
    due.show(root={"tags": OWN})
    due.write("end", f"t1 {b.BOOT} 560 {b.NOW + 60} 0")
    assert due.boot("b2", clock=b.NOW + 300) == OFF
    assert due.fired_at(80)
    # What the origin recorded in the earlier boot is replaced.
    assert f"--deltag {OWN}" in due.calls[0]
    assert ":b2:" in due.calls[0]


def test_a_rollback_that_has_begun_goes_on_without_a_lost_member(due: Timer) -> None:
    add_member(due)
    due.show(root={"tags": OWN}, root_s={"merging": "merging"}, data=SECOND["data"])
    assert due.boot("b2") == 0
    assert due.phase == "fired"


def test_its_disk_is_read_only(due: Timer) -> None:
    due.replace_tool("mv", f'case $* in *{due.top}/run*) exec /bin/mv "$@" ;; esac\nexit 1')
    due.start()
    assert due.fired
    assert "cannot write to the disk of the timer" in due.log


def test_damaged_files_are_noticed(due: Timer) -> None:
    due.write("members", "thick x/y z")
    assert due.start() == 1
    assert (due.phase, due.reason) == ("postponed", "the files of the timer are damaged")
    # systemd starts it every 30 s.
    assert due.start() == 1
    assert due.log == ["postponed: the files of the timer are damaged"]


def test_another_filesystem_that_hangs_delays_nothing(due: Timer) -> None:
    """sync(2) of all filesystems waits for it forever."""
    due.replace_tool("sync", "[ $# -gt 0 ] || exec /bin/sleep 600")
    due.write("no-reboot", "")
    due.cut_power_at(1000)
    due.start()
    # Also in the way out when the regular reboot does not happen.
    assert due.read("sysrq") == "b"
    assert "systemctl --force --force reboot" in due.calls


def test_the_reboot_is_asked_for_until_it_happens(due: Timer) -> None:
    due.write("no-reboot", "")
    due.at(1200, "rm -f no-reboot")
    due.start()
    assert due.calls.count(REBOOT) > 2
    assert due.phase == "firing"


def test_the_log_does_not_fill_the_disk(tmp_path: Path, shell: str) -> None:
    due = make_timer(tmp_path, shell=shell, LOG_LINES="3")
    due.write("log", "at-1 a\nat-2 b\nat-3 c")
    due.cut_power_at(600)
    due.start()
    assert due.log == ["watching for 1800 s"]
    assert due.read("log.old").endswith("at-3 c")
