# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the shell program of a rollback timer fires; the scenario `confirm` tests what ends in a reboot."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
from backups import backup, host, taken
from timer_directory import TAGS, call, executable, place_timer, sh

from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.program import FUNCTIONS
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from pathlib import Path


def _at(place: Path, *, clock: int, uptime: int, boot: str = b.BOOT) -> str:
    """Return shell code that sets the clock, the uptime and the boot."""
    executable(place / "lib" / "ld.date", f"#!/bin/sh\necho {clock}\n")
    (place / "uptime").write_text(f"{uptime}.75 9.00\n")
    return f"UPTIME='{place}/uptime'; boot_id={boot}; find_end"


def test_the_moment_is_filled_in_when_it_comes() -> None:
    host_state = host(taken(), backup())
    text = script.requests(driver.rollback_script_of(host_state), host_state)
    assert host_state.host.boot_id not in text
    assert str(host_state.host.now) not in text
    stubs = 'tool() { echo "$*"; }; merge() { echo "merge $*"; }; CONFIG=c boot_id=B now=7'
    said = sh(f"{stubs}\n{text}remember\nrequest")
    vg = taken().vg_uuid.replace("-", "")[:10]
    expected = [
        f"lvm lvchange --config c --yes --addtag safepoint.outcome.merging=s:{b.SET_ID}:1:B:7:{vg}:{b.HOST} vg/root"
    ]
    assert said == [*expected, f"merge {'/'.join(taken().key)} vg/root_s"]


OVER = "is_over && echo yes || echo no"
DAY = 86400


@pytest.mark.parametrize(("uptime", "over"), [(500, "no"), (2299, "no"), (2300, "yes"), (10**6, "yes")])
@pytest.mark.parametrize("clock", [b.NOW, 5, b.NOW + 365 * DAY])
def test_in_the_boot_of_the_arming_nobody_can_set_the_time(tmp_path: Path, clock: int, uptime: int, over: str) -> None:
    now = _at(place_timer(tmp_path), clock=clock, uptime=uptime)
    assert call(tmp_path, f"{now}; {OVER}") == [over]


@pytest.mark.parametrize(
    ("clock", "left"),
    [
        (b.NOW + 60, 1740),
        (b.NOW + 1799, 1),
        (b.NOW + 1800, 0),
        (b.NOW + 365 * DAY, 0),
        # A host whose clock has no battery starts again with the full time.
        (5, 1800),
    ],
)
def test_after_another_boot_as_much_is_left_as_the_clock_says(tmp_path: Path, clock: int, left: int) -> None:
    place = place_timer(tmp_path)
    first = _at(place, clock=clock, uptime=20, boot="another")
    assert call(tmp_path, f"{first}; echo $((end - 20)); {OVER}") == [str(left), "no" if left else "yes"]
    # The clock does not matter within that boot.
    (place / "uptime").write_text(f"{20 + left}.00 9.00\n")
    assert call(tmp_path, f"{first}; end=$((20 + {left})); {OVER}") == ["yes"]


def test_when_the_clock_is_set_the_next_boot_knows(tmp_path: Path) -> None:
    """The clock was an hour slow when the timer was armed, then set right: the timer still ends after half an hour."""
    place = place_timer(tmp_path)
    right = b.NOW + 3600
    now = _at(place, clock=right + 600, uptime=1100)
    assert call(tmp_path, f"{now}; keep_deadline; {OVER}") == ["no"]
    assert (place / "deadline").read_text() == f"{right + 1800}\n"
    later = _at(place, clock=right + 900, uptime=30, boot="another")
    assert call(tmp_path, f"{later}; echo $((end - uptime))") == ["900"]
    # The deadline is right now, so nothing is written.
    (place / "deadline").chmod(0o400)
    before = (place / "deadline").stat().st_mtime_ns
    assert call(tmp_path, f"{later}; keep_deadline") == []
    assert (place / "deadline").stat().st_mtime_ns == before


def test_failed_boots_are_counted_once_each_and_forgotten_when_one_succeeds(tmp_path: Path) -> None:
    place_timer(tmp_path)
    enough = "has_failed_boots && echo enough || echo $failed"
    assert call(tmp_path, f"boot_id={b.BOOT}; count_boot; {enough}") == ["0"]
    assert call(tmp_path, f"boot_id=2; count_boot; count_boot; {enough}") == ["1"]
    assert call(tmp_path, f"boot_id=3; count_boot; {enough}") == ["2"]
    assert call(tmp_path, f"boot_id=4; count_boot; {enough}") == ["enough"]
    assert call(tmp_path, f"boot_id=4; count_boot; note_failed 0; {enough}") == ["0"]
    assert call(tmp_path, f"boot_id=5; count_boot; {enough}") == ["1"]


def test_without_a_number_of_boots_none_is_enough(tmp_path: Path) -> None:
    place_timer(tmp_path, BOOTS="0")
    assert call(tmp_path, "failed=99; has_failed_boots || echo no") == ["no"]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (",".join(TAGS.to_tags()), ["armed"]),
        (",".join([*TAGS.to_tags(), f"{_tags.TIMER_FIRED}=5"]), ["the timer has already fired"]),
        (",".join(replace(TAGS, set_id="f" * 32).to_tags()), ["the timer is no longer armed"]),
        ("", ["the timer is no longer armed"]),
    ],
)
def test_it_fires_once_and_only_for_its_own_set(tmp_path: Path, tags: str, said: list[str]) -> None:
    executable(place_timer(tmp_path) / "lib" / "ld.lvm", f"#!/bin/sh\necho '  {tags}  '\n")
    assert call(tmp_path, "is_armed && echo armed") == said


# For vgs it prints the number of missing PVs, for lvs an LV's UUID. `code` is the exit code of lvs.
LVM = """#!/bin/sh
case $1 in vgs) echo "  {missing}" ;; *) printf %s "{known}"; exit {code} ;; esac
"""


@pytest.mark.parametrize(
    ("lvm", "said"),
    [
        (LVM.format(missing=1, known="uuid", code=0), "a PV of the snapset is missing"),
        ("#!/bin/sh\nexit 5\n", "a PV of the snapset is missing"),
        (LVM.format(missing=0, known="", code=5), "LVM failed"),
    ],
)
def test_a_disk_that_comes_late_is_waited_for(tmp_path: Path, lvm: str, said: str) -> None:
    """With exit code 1 systemd starts the program again. Only 3 ends it forever."""
    place = place_timer(tmp_path, BACKUP="")
    (place / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  menus\n")
    executable(place / "lib" / "ld.lvm", lvm)
    assert call(place, "check; echo $?") == [said, "1"]


def test_lvm_that_does_not_answer_does_not_disarm(tmp_path: Path) -> None:
    executable(place_timer(tmp_path) / "lib" / "ld.lvm", "#!/bin/sh\nexit 5\n")
    assert call(tmp_path, "is_armed; echo $?; merge uuid vg/lv; echo $?") == ["LVM failed", "2", "1"]


def test_damaged_files_and_lost_members_are_noticed(tmp_path: Path) -> None:
    place = place_timer(tmp_path, BACKUP="")
    (place / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  menus\n")
    executable(place / "lib" / "ld.lvm", LVM.format(missing=0, known="uuid", code=0))
    assert call(place, "check && echo good") == ["good"]
    executable(place / "lib" / "ld.lvm", LVM.format(missing=0, known="", code=0))
    lost, code = call(place, "check; echo $?")
    assert code == "3"
    assert lost.endswith("is lost or has overflowed: no rollback possible")
    (place / "begun").touch()
    assert call(place, "check && echo good") == ["good"]
    (place / "menus").write_text("x")
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -- '{place}'\n{FUNCTIONS}\ncheck"], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "the files of the timer are damaged"


@pytest.mark.parametrize(("merging", "said"), [(False, ["lvconvert vg/root_s"]), (True, [])])
def test_what_is_merging_already_is_not_asked_again(tmp_path: Path, merging: bool, said: list[str]) -> None:  # noqa: FBT001
    answer = "" if merging else "uuid"
    asked = tmp_path / "asked"
    lvs = f'for last; do :; done; echo "$last" >"{asked}"; echo "{answer}"'
    lvm = f'case $1 in lvs) {lvs} ;; *) verb=$1; for last; do :; done; echo "$verb $last" ;; esac'
    executable(place_timer(tmp_path) / "lib" / "ld.lvm", f"#!/bin/sh\n{lvm}\n")
    assert [line for line in call(tmp_path, "merge of-vg/of-lv vg/root_s") if line] == said
    # A copy of the VG has an LV with the same UUID, so the UUID of the VG is selected too.
    assert asked.read_text() == 'vg_uuid=of-vg && lv_uuid=of-lv && lv_merging!="merging"\n'
