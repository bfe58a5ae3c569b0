# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback timers: tags, what stands against one, what its files say, and what its shell program makes of them.

The functions run in the shell of this machine, with its own tools instead of a toolbox and an `lvm` that prints
what a test wants. What ends in a reboot is for the scenario `confirm`.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from test_boot_backups import ROOT, backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils import _tags, _timers
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backups import situation
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import CreateThick
from ansible_collections.safepoint.lvm.plugins.module_utils._timer_program import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    assert _tags.is_own(words)
    assert tags.deadline - tags.armed == tags.after


@pytest.mark.parametrize("missing", range(5))
def test_tags_with_a_part_missing_are_no_timer(missing: int) -> None:
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
    (found,) = _timers.timers_in(host(timer(*more)))
    view = _timers.timer_view(found)
    assert (view["state"], view["after"], view["failed_boots"]) == (state, 1800, 2)
    assert (view["fired_at"] is not None) == (state == "fired")
    assert view["deadline"] == "2027-01-15T08:30:00+00:00"


def test_it_is_no_origin_and_no_data_of_the_group() -> None:
    picture = b.picture([ROOT, timer(_tags.TIMER_READY)])
    (reason,) = driver.reasons(picture, b.request("vg/safepoint_timer_s"))
    assert "kept by this collection for a snapset" in reason
    steps = driver.plan(picture, b.request("vg")).steps
    assert [step.origin for step in steps if isinstance(step, CreateThick)] == ["root"]


def test_what_it_is_to_do() -> None:
    found = _timers.orders(situation(host(taken(), backup()), "s"))
    assert [member.name for member in found.members] == ["root_s"]
    assert found.backup is not None
    assert [step.render()["step"] for step in found.steps] == ["remember_merge", "merge"]


@pytest.mark.parametrize(
    ("volumes", "reason"),
    [
        ([], "snapset s is absent"),
        ([taken(sealed=False)], "snapset s is incomplete"),
        ([taken()], "/ would go back and /boot would not"),
        ([taken(invalid=True), backup()], "snapset s is invalid"),
    ],
)
def test_it_is_refused_where_it_could_not_work(volumes: list[Volume], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        _timers.orders(situation(host(*volumes), "s"))


def test_without_a_boot_filesystem_of_its_own_no_backup_is_needed() -> None:
    assert _timers.orders(situation(host(taken(), boot=()), "s")).backup is None


def test_the_moment_is_filled_in_when_it_comes() -> None:
    picture = host(taken(), backup())
    text = _timers.requests(_timers.orders(situation(picture, "s")), picture)
    assert picture.host.boot_id not in text
    assert str(picture.host.now) not in text
    shown = 'tool() { echo "$*"; }; merge() { echo "merge $*"; }; CONFIG=c boot_id=B now=7'
    said = _sh(f"{shown}\n{text}remember\nrequest")
    expected = [f"lvm lvchange --config c --yes --addtag safepoint.outcome.merging=s:{b.SET_ID}:1:B:7 vg/root"]
    assert said == [*expected, f"merge {taken().uuid} vg/root_s"]


@pytest.mark.parametrize("name", ["a\nb", "a\tb"])
def test_names_that_a_list_cannot_hold(name: str) -> None:
    with pytest.raises(Refused, match="no list can hold"):
        _timers.boot_list([Tree("/boot", "ext4", {name: Entry(kind="file", sha256="0")})])


def test_the_unit_waits_for_nothing_and_is_wanted_early() -> None:
    lines = _timers.unit("s", b.NOW, "/dev/mapper/vg-safepoint_timer_s").splitlines()
    assert {"DefaultDependencies=no", "PrivateMounts=yes", "WantedBy=sysinit.target"} <= set(lines)
    assert not [line for line in lines if line.startswith(("After=", "Requires="))]
    # Neither a specifier nor a variable of systemd.
    assert not {"%", "$"} & set("".join(lines))


# What follows runs the program's functions.


# Called as the loader is, with the path of a program behind its own options.
LOADER = """\
#!/bin/sh
name=${3##*/}
shift 3
[ ! -x "$0.$name" ] || exec "$0.$name" "$@"
PATH=/usr/bin:/bin exec "$name" "$@"
"""


def _sh(text: str) -> list[str]:
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def _place(top: Path, **values: str) -> Path:
    """The directory of a timer, with the tools of this machine."""
    (top / "lib").mkdir()
    (top / "bin").mkdir()
    _executable(top / "lib" / "ld", LOADER)
    for name in ("mount", "umount", "lvm"):
        _executable(top / "lib" / f"ld.{name}", "#!/bin/sh\n")
    (top / "failed").write_text(f"0 {b.BOOT}\n")
    (top / "menus").write_text("")
    (top / "filesystems").write_text("")
    facts = _timers.facts(TAGS, "vg/t", _timers.orders(situation(host(taken(), backup()), "s")))
    more = "".join(f"{name}='{value}'\n" for name, value in {"KERNEL_LOG": str(top / "kernel"), **values}.items())
    (top / "facts").write_text(facts + more)
    return top


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _call(top: Path, command: str) -> list[str]:
    return _sh(f"set -- '{top}'\n{FUNCTIONS}\n{command}")


@pytest.mark.parametrize(
    ("now", "over"),
    [(b.NOW, False), (b.NOW + 1799, False), (b.NOW + 1800, True), (b.NOW + 10**6, True)],
)
def test_when_the_time_is_over(tmp_path: Path, now: int, over: bool) -> None:  # noqa: FBT001
    _executable(_place(tmp_path) / "lib" / "ld.date", f"#!/bin/sh\necho {now}\n")
    assert _call(tmp_path, "is_over && echo yes || echo no") == ["yes" if over else "no"]


@pytest.mark.parametrize(("after", "over"), [("1", True), ("2000000000", False)])
def test_with_a_clock_that_is_wrong_the_time_since_the_boot_counts(tmp_path: Path, after: str, over: bool) -> None:  # noqa: FBT001
    _executable(_place(tmp_path, AFTER=after) / "lib" / "ld.date", "#!/bin/sh\necho 5\n")
    assert _call(tmp_path, "is_over && echo yes || echo no") == ["yes" if over else "no"]


def test_failed_boots_are_counted_once_each_and_forgotten_when_one_succeeds(tmp_path: Path) -> None:
    _place(tmp_path)
    enough = "has_failed_boots && echo enough || echo $failed"
    assert _call(tmp_path, f"boot_id={b.BOOT}; count_boot; {enough}") == ["0"]
    assert _call(tmp_path, f"boot_id=2; count_boot; count_boot; {enough}") == ["1"]
    assert _call(tmp_path, f"boot_id=3; count_boot; {enough}") == ["2"]
    assert _call(tmp_path, f"boot_id=4; count_boot; {enough}") == ["enough"]
    assert _call(tmp_path, f"boot_id=4; count_boot; note_failed 0; {enough}") == ["0"]
    assert _call(tmp_path, f"boot_id=5; count_boot; {enough}") == ["1"]


def test_without_a_number_of_boots_none_is_enough(tmp_path: Path) -> None:
    _place(tmp_path, BOOTS="0")
    assert _call(tmp_path, "failed=99; has_failed_boots || echo no") == ["no"]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (",".join(TAGS.to_tags()), ["armed"]),
        (",".join([*TAGS.to_tags(), f"{_tags.TIMER_FIRED}=5"]), ["it has fired already"]),
        (",".join(replace(TAGS, set_id="f" * 32).to_tags()), ["it is not armed any more"]),
        ("", ["it is not armed any more"]),
    ],
)
def test_it_fires_once_and_only_for_its_own_set(tmp_path: Path, tags: str, said: list[str]) -> None:
    _executable(_place(tmp_path) / "lib" / "ld.lvm", f"#!/bin/sh\necho '  {tags}  '\n")
    assert _call(tmp_path, "is_armed && echo armed") == said


def test_damaged_files_and_lost_members_are_noticed(tmp_path: Path) -> None:
    place = _place(tmp_path, BACKUP="")
    (place / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  menus\n")
    _executable(place / "lib" / "ld.lvm", "#!/bin/sh\necho uuid\n")
    assert _call(place, "check && echo good") == ["good"]
    _executable(place / "lib" / "ld.lvm", "#!/bin/sh\n")
    lost, code = _call(place, "check; echo $?")
    assert code == "3"
    assert lost.endswith("is gone or has overflowed: there is no way back")
    (place / "begun").touch()
    assert _call(place, "check && echo good") == ["good"]
    (place / "menus").write_text("x")
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -- '{place}'\n{FUNCTIONS}\ncheck"], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "its own files are damaged"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _files(top: Path) -> Mapping[str, Any]:
    return {str(path.relative_to(top)): _what(path) for path in sorted(top.rglob("*"))}


def _what(path: Path) -> str | None:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return path.read_text() if path.is_file() else None


def test_what_boots_the_host_comes_back_beside_what_was_added(tmp_path: Path) -> None:
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    _place(place)
    kept = place / "backup" / "tree" / boot.relative_to("/")
    wanted = {"vmlinuz-1": "kernel", "a b": "odd", "grub/grub.cfg": "menu of 1", "loader/entries/1.conf": "1"}
    for path, text in wanted.items():
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (kept / path).write_text(text)
    entries = {path: Entry(kind="file", sha256=_sha256(text)) for path, text in wanted.items()}
    entries |= {path: Entry(kind="directory") for path in ("grub", "loader", "loader/entries")}
    entries |= {"vmlinuz": Entry(kind="link", target="vmlinuz-1"), "efi": Entry(kind="mountpoint")}
    trees = [Tree(str(boot), "ext4", entries)]
    (place / "boot").write_text(_timers.boot_list(trees))
    (place / "menus").write_text(_timers.menu_directories(trees))
    changed = {"vmlinuz-2": "new", "grub": "a file", "loader/entries/2.conf": "2", "vmlinuz-1/x": "in a directory"}
    for path, text in changed.items():
        (boot / path).parent.mkdir(parents=True, exist_ok=True)
        (boot / path).write_text(text)
    (boot / "vmlinuz").symlink_to("vmlinuz-2")
    assert _call(place, "restore_boot && echo done") == ["done"]
    now = _files(boot)
    assert {path: now[path] for path in wanted} == wanted
    assert (now["vmlinuz"], now["vmlinuz-2"], now["efi"]) == ("-> vmlinuz-1", "new", None)
    assert "loader/entries/2.conf" not in now
    assert (place / "boot").read_text().splitlines()[-1].split("\t")[1] == f"{boot}/grub/grub.cfg"
    assert _call(place, "restore_boot && echo done") == ["done"]
    assert _files(boot) == now


def test_a_copy_that_is_damaged_takes_no_place(tmp_path: Path) -> None:
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    _place(place)
    copy = place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz"
    copy.parent.mkdir(parents=True)
    copy.write_text("damaged")
    (boot / "vmlinuz").write_text("new")
    tree = Tree(str(boot), "ext4", {"vmlinuz": Entry(kind="file", sha256=_sha256("kernel"))})
    (place / "boot").write_text(_timers.boot_list([tree]))
    (said,) = _call(place, "restore_boot || :")
    assert said == f"{boot}/vmlinuz could not be brought back"
    assert (boot / "vmlinuz").read_text() == "new"


@pytest.mark.parametrize(("merging", "said"), [(False, ["lvconvert vg/root_s"]), (True, [])])
def test_what_is_merging_already_is_not_asked_again(tmp_path: Path, merging: bool, said: list[str]) -> None:  # noqa: FBT001
    answer = "" if merging else "uuid"
    said_by_lvm = f'case $1 in lvs) echo "{answer}" ;; *) verb=$1; for last; do :; done; echo "$verb $last" ;; esac'
    _executable(_place(tmp_path) / "lib" / "ld.lvm", f"#!/bin/sh\n{said_by_lvm}\n")
    assert [line for line in _call(tmp_path, "merge some-uuid vg/root_s") if line] == said
