# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell program of a rollback timer.

The functions run in the shell of this machine, with its own tools instead of a toolbox, and with a fake `lvm`. The
scenario `confirm` tests what ends in a reboot.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
from backups import backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.program import FUNCTIONS
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from collections.abc import Mapping


TAGS = _tags.TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=1800, boots=2)
# Called like the loader: with its own options, then the path of a program and its arguments.
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
    """Fill the directory of a timer, with the tools of this machine."""
    (top / "lib").mkdir()
    (top / "bin").mkdir()
    _executable(top / "lib" / "ld", LOADER)
    for name in ("mount", "umount", "lvm"):
        _executable(top / "lib" / f"ld.{name}", "#!/bin/sh\n")
    (top / "failed").write_text(f"0 {b.BOOT}\n")
    (top / "deadline").write_text(f"{TAGS.deadline}\n")
    (top / "menus").write_text("")
    (top / "filesystems").write_text("")
    armed_on = host(taken(), backup())
    facts = script.facts(TAGS, "vg/t", driver.rollback_script_of(armed_on), replace(armed_on.host, uptime=500))
    more = "".join(f"{name}='{value}'\n" for name, value in {"KERNEL_LOG": str(top / "kernel"), **values}.items())
    (top / "facts").write_text(facts + more)
    return top


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _call(top: Path, command: str) -> list[str]:
    return _sh(f"set -- '{top}'\n{FUNCTIONS}\n{command}")


def _at(place: Path, *, clock: int, uptime: int, boot: str = b.BOOT) -> str:
    """Return shell code that sets the clock, the uptime and the boot."""
    _executable(place / "lib" / "ld.date", f"#!/bin/sh\necho {clock}\n")
    (place / "uptime").write_text(f"{uptime}.75 9.00\n")
    return f"UPTIME='{place}/uptime'; boot_id={boot}; find_end"


def test_the_moment_is_filled_in_when_it_comes() -> None:
    host_state = host(taken(), backup())
    text = script.requests(driver.rollback_script_of(host_state), host_state)
    assert host_state.host.boot_id not in text
    assert str(host_state.host.now) not in text
    stubs = 'tool() { echo "$*"; }; merge() { echo "merge $*"; }; CONFIG=c boot_id=B now=7'
    said = _sh(f"{stubs}\n{text}remember\nrequest")
    vg = taken().vg_uuid.replace("-", "")[:10]
    expected = [f"lvm lvchange --config c --yes --addtag safepoint.outcome.merging=s:{b.SET_ID}:1:B:7:{vg} vg/root"]
    assert said == [*expected, f"merge {'/'.join(taken().key)} vg/root_s"]


OVER = "is_over && echo yes || echo no"
DAY = 86400


@pytest.mark.parametrize(("uptime", "over"), [(500, "no"), (2299, "no"), (2300, "yes"), (10**6, "yes")])
@pytest.mark.parametrize("clock", [b.NOW, 5, b.NOW + 365 * DAY])
def test_in_the_boot_of_the_arming_nobody_can_set_the_time(tmp_path: Path, clock: int, uptime: int, over: str) -> None:
    now = _at(_place(tmp_path), clock=clock, uptime=uptime)
    assert _call(tmp_path, f"{now}; {OVER}") == [over]


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
    place = _place(tmp_path)
    first = _at(place, clock=clock, uptime=20, boot="another")
    assert _call(tmp_path, f"{first}; echo $((end - 20)); {OVER}") == [str(left), "no" if left else "yes"]
    # The clock does not matter within that boot.
    (place / "uptime").write_text(f"{20 + left}.00 9.00\n")
    assert _call(tmp_path, f"{first}; end=$((20 + {left})); {OVER}") == ["yes"]


def test_when_the_clock_is_set_the_next_boot_knows(tmp_path: Path) -> None:
    """The clock was an hour slow when the timer was armed, then set right: the timer still ends after half an hour."""
    place = _place(tmp_path)
    right = b.NOW + 3600
    now = _at(place, clock=right + 600, uptime=1100)
    assert _call(tmp_path, f"{now}; keep_deadline; {OVER}") == ["no"]
    assert (place / "deadline").read_text() == f"{right + 1800}\n"
    later = _at(place, clock=right + 900, uptime=30, boot="another")
    assert _call(tmp_path, f"{later}; echo $((end - uptime))") == ["900"]
    # The deadline is right now, so nothing is written.
    (place / "deadline").chmod(0o400)
    before = (place / "deadline").stat().st_mtime_ns
    assert _call(tmp_path, f"{later}; keep_deadline") == []
    assert (place / "deadline").stat().st_mtime_ns == before


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
        (",".join([*TAGS.to_tags(), f"{_tags.TIMER_FIRED}=5"]), ["the timer has already fired"]),
        (",".join(replace(TAGS, set_id="f" * 32).to_tags()), ["the timer is no longer armed"]),
        ("", ["the timer is no longer armed"]),
    ],
)
def test_it_fires_once_and_only_for_its_own_set(tmp_path: Path, tags: str, said: list[str]) -> None:
    _executable(_place(tmp_path) / "lib" / "ld.lvm", f"#!/bin/sh\necho '  {tags}  '\n")
    assert _call(tmp_path, "is_armed && echo armed") == said


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
    place = _place(tmp_path, BACKUP="")
    (place / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  menus\n")
    _executable(place / "lib" / "ld.lvm", lvm)
    assert _call(place, "check; echo $?") == [said, "1"]


def test_lvm_that_does_not_answer_does_not_disarm(tmp_path: Path) -> None:
    _executable(_place(tmp_path) / "lib" / "ld.lvm", "#!/bin/sh\nexit 5\n")
    assert _call(tmp_path, "is_armed; echo $?; merge uuid vg/lv; echo $?") == ["LVM failed", "2", "1"]


def test_damaged_files_and_lost_members_are_noticed(tmp_path: Path) -> None:
    place = _place(tmp_path, BACKUP="")
    (place / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  menus\n")
    _executable(place / "lib" / "ld.lvm", LVM.format(missing=0, known="uuid", code=0))
    assert _call(place, "check && echo good") == ["good"]
    _executable(place / "lib" / "ld.lvm", LVM.format(missing=0, known="", code=0))
    lost, code = _call(place, "check; echo $?")
    assert code == "3"
    assert lost.endswith("is lost or has overflowed: no rollback possible")
    (place / "begun").touch()
    assert _call(place, "check && echo good") == ["good"]
    (place / "menus").write_text("x")
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -- '{place}'\n{FUNCTIONS}\ncheck"], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "the files of the timer are damaged"


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
    copies = place / "backup" / "tree" / boot.relative_to("/")
    saved = {"vmlinuz-1": "kernel", "a b": "odd", "grub/grub.cfg": "menu of 1", "loader/entries/1.conf": "1"}
    for path, text in saved.items():
        (copies / path).parent.mkdir(parents=True, exist_ok=True)
        (copies / path).write_text(text)
    entries = {path: Entry(kind="file", sha256=_sha256(text)) for path, text in saved.items()}
    entries |= {path: Entry(kind="directory") for path in ("grub", "loader", "loader/entries")}
    entries |= {"vmlinuz": Entry(kind="link", target="vmlinuz-1"), "efi": Entry(kind="mountpoint")}
    trees = [Tree(str(boot), "ext4", entries)]
    (place / "boot").write_text(script.boot_list(trees))
    (place / "menus").write_text(script.menu_directories(trees))
    changed = {"vmlinuz-2": "new", "grub": "a file", "loader/entries/2.conf": "2", "vmlinuz-1/x": "in a directory"}
    for path, text in changed.items():
        (boot / path).parent.mkdir(parents=True, exist_ok=True)
        (boot / path).write_text(text)
    (boot / "vmlinuz").symlink_to("vmlinuz-2")
    assert _call(place, "restore_boot && echo done") == ["done"]
    now = _files(boot)
    assert {path: now[path] for path in saved} == saved
    assert (now["vmlinuz"], now["vmlinuz-2"], now["efi"]) == ("-> vmlinuz-1", "new", None)
    assert "loader/entries/2.conf" not in now
    assert (place / "boot").read_text().splitlines()[-1].split("\t")[1] == f"{boot}/grub/grub.cfg"
    assert _call(place, "restore_boot && echo done") == ["done"]
    assert _files(boot) == now


def test_a_damaged_copy_is_never_put_in_place(tmp_path: Path) -> None:
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    _place(place)
    copy = place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz"
    copy.parent.mkdir(parents=True)
    copy.write_text("damaged")
    (boot / "vmlinuz").write_text("new")
    tree = Tree(str(boot), "ext4", {"vmlinuz": Entry(kind="file", sha256=_sha256("kernel"))})
    (place / "boot").write_text(script.boot_list([tree]))
    (boot / "vmlinuz-2").write_text("of the change")
    (said,) = _call(place, f"BOOT='{boot}'; restore_boot || :")
    assert said == f"cannot restore {boot}/vmlinuz"
    assert sorted(_files(boot)) == ["vmlinuz", "vmlinuz-2"]
    assert (boot / "vmlinuz").read_text() == "new"


def test_if_boot_is_full_the_kernels_of_the_change_are_deleted(tmp_path: Path) -> None:
    """Except the running kernel, which may have to boot again."""
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    _place(place)
    running = Path("/proc/sys/kernel/osrelease").read_text().strip()
    full = f'#!/bin/sh\n[ ! -e "{boot}/vmlinuz-2" ] || {{ echo part >"$4"; exit 1; }}\nexec /bin/cp "$@"\n'
    _executable(place / "lib" / "ld.cp", full)
    copy = place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz-1"
    copy.parent.mkdir(parents=True)
    copy.write_text("kernel")
    for name in ("vmlinuz-2", "initrd.img-2", f"vmlinuz-{running}", "config-2"):
        (boot / name).write_text("of the change")
    tree = Tree(str(boot), "ext4", {"vmlinuz-1": Entry(kind="file", sha256=_sha256("kernel"))})
    (place / "boot").write_text(script.boot_list([tree]))
    said = _call(place, f"BOOT='{boot}'; restore_boot && echo done")
    assert said == [
        f"deleting {boot}/vmlinuz-2 to free space",
        f"deleting {boot}/initrd.img-2 to free space",
        "done",
    ]
    assert sorted(_files(boot)) == sorted(["config-2", "vmlinuz-1", f"vmlinuz-{running}"])


def test_an_esp_that_cannot_be_mounted_does_not_prevent_the_rollback(tmp_path: Path) -> None:
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    _place(place)
    _executable(place / "lib" / "ld.mount", f"#!/bin/sh\ncase $* in *{boot}/efi*) exit 1 ;; esac\n")
    (place / "filesystems").write_text(f"/dev/vda2 ext4 {boot}\n/dev/vda1 vfat {boot}/efi\n")
    copies = place / "backup" / "tree" / boot.relative_to("/")
    (copies / "efi").mkdir(parents=True)
    for name in ("vmlinuz-1", "efi/boot.efi"):
        (copies / name).write_text("saved")
    file = Entry(kind="file", sha256=_sha256("saved"))
    trees = [
        Tree(str(boot), "ext4", {"vmlinuz-1": file, "efi": Entry(kind="mountpoint")}),
        Tree(f"{boot}/efi", "vfat", {".": Entry(kind="directory"), "boot.efi": file}),
    ]
    (place / "boot").write_text(script.boot_list(trees))
    said = _call(place, f"BOOT='{boot}'; restore_boot && echo done")
    assert said == [f"cannot mount /dev/vda1 on {boot}/efi", "done"]
    assert _files(boot) == {"efi": None, "vmlinuz-1": "saved"}
    (place / "filesystems").write_text(f"/dev/vda2 ext4 {boot}/efi\n")
    assert _call(place, f"BOOT='{boot}/efi'; restore_boot || echo not") == [
        f"cannot mount /dev/vda2 on {boot}/efi",
        "not",
    ]


# Like mount(2) it refuses to mount a filesystem over itself. It keeps a list of all mounts.
MOUNT = """#!/bin/sh
case $* in *remount*) exit ;; esac
device=
for directory; do previous=$device; device=$directory; done
top=
while read -r what where; do [ "$where" != "$directory" ] || top=$what; done <"{mounts}"
[ "$top" != "$previous" ] || exit 32
echo "$previous $directory" >>"{mounts}"
"""


def test_a_boot_filesystem_is_mounted_already_as_a_rule(tmp_path: Path) -> None:
    boot, place, mounts = tmp_path / "boot", tmp_path / "timer", tmp_path / "mounts"
    place.mkdir()
    _executable(_place(place) / "lib" / "ld.mount", MOUNT.format(mounts=mounts))
    mounts.write_text(f"/dev/vda2 {boot}\n")
    (place / "filesystems").write_text(f"/dev/vda2 ext4 {boot}\n")
    (place / "boot").write_text("")
    assert _call(place, f"BOOT='{boot}'; restore_boot && echo done") == ["done"]
    assert mounts.read_text().splitlines()[-1] == f"/dev/vda2 {boot}"


@pytest.mark.parametrize(("merging", "said"), [(False, ["lvconvert vg/root_s"]), (True, [])])
def test_what_is_merging_already_is_not_asked_again(tmp_path: Path, merging: bool, said: list[str]) -> None:  # noqa: FBT001
    answer = "" if merging else "uuid"
    asked = tmp_path / "asked"
    lvs = f'for last; do :; done; echo "$last" >"{asked}"; echo "{answer}"'
    lvm = f'case $1 in lvs) {lvs} ;; *) verb=$1; for last; do :; done; echo "$verb $last" ;; esac'
    _executable(_place(tmp_path) / "lib" / "ld.lvm", f"#!/bin/sh\n{lvm}\n")
    assert [line for line in _call(tmp_path, "merge of-vg/of-lv vg/root_s") if line] == said
    # A copy of the VG has an LV with the same UUID, so the UUID of the VG is selected too.
    assert asked.read_text() == 'vg_uuid=of-vg && lv_uuid=of-lv && lv_merging!="merging"\n'
