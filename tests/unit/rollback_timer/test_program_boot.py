# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the shell program of a rollback timer restores /boot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from timer_directory import Timer, call, executable, list_boot, make_timer, place_timer

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    place_timer(place)
    copies = place / "backup" / "tree" / boot.relative_to("/")
    saved = {"vmlinuz-1": "kernel", "a b": "odd", "grub/grub.cfg": "menu of 1", "loader/entries/1.conf": "1"}
    for path, text in saved.items():
        (copies / path).parent.mkdir(parents=True, exist_ok=True)
        (copies / path).write_text(text)
    entries = {path: Entry(kind="file", sha256=_sha256(text)) for path, text in saved.items()}
    entries |= {path: Entry(kind="directory") for path in ("grub", "loader", "loader/entries")}
    entries |= {"vmlinuz": Entry(kind="link", target="vmlinuz-1"), "efi": Entry(kind="mountpoint")}
    trees = [Tree(str(boot), "ext4", entries)]
    list_boot(place, *trees)
    changed = {"vmlinuz-2": "new", "grub": "a file", "loader/entries/2.conf": "2", "vmlinuz-1/x": "in a directory"}
    for path, text in changed.items():
        (boot / path).parent.mkdir(parents=True, exist_ok=True)
        (boot / path).write_text(text)
    (boot / "vmlinuz").symlink_to("vmlinuz-2")
    assert call(place, "restore_boot && echo done") == ["done"]
    now = _files(boot)
    assert {path: now[path] for path in saved} == saved
    assert (now["vmlinuz"], now["vmlinuz-2"], now["efi"]) == ("-> vmlinuz-1", "new", None)
    assert "loader/entries/2.conf" not in now
    assert (place / "boot").read_text().splitlines()[-1].split("\t")[4] == f"{boot}/grub/grub.cfg"
    assert call(place, "restore_boot && echo done") == ["done"]
    assert _files(boot) == now


def test_a_damaged_copy_is_never_put_in_place(tmp_path: Path) -> None:
    boot, place = _one_file(tmp_path, vmlinuz="kernel")
    (place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz").write_text("damaged")
    (boot / "vmlinuz").write_text("new")
    (boot / "vmlinuz-2").write_text("of the change")
    assert call(place, "restore_boot || :") == [f"cannot restore {boot}/vmlinuz"]
    assert sorted(_files(boot)) == ["vmlinuz", "vmlinuz-2"]
    assert (boot / "vmlinuz").read_text() == "new"


# The filesystem has blocks of 4096 bytes and reports as free what the file "free" contains, and what was deleted.
STAT = """#!/bin/sh
[ "$1" = -f ] || exec /usr/bin/stat "$@"
echo "100 $(/bin/cat "{place}/free") 4096"
"""


def _full(tmp_path: Path, free: int, running: str = "") -> tuple[Path, Path]:
    """A timer and a /boot with `free` free blocks, to which a change has added kernels of one block each."""
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    place_timer(place)
    executable(place / "lib" / "ld.stat", STAT.format(place=place))
    (place / "free").write_text(str(free + 2))
    copy = place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz-1"
    copy.parent.mkdir(parents=True)
    copy.write_text("kernel" * 1000)
    for name in ("vmlinuz-2", "initrd.img-2", f"vmlinuz-{running}", "config-2"):
        (boot / name).write_text("of the change")
    list_boot(place, Tree(str(boot), "ext4", {"vmlinuz-1": Entry("file", size=6000, sha256=_sha256("kernel" * 1000))}))
    return boot, place


def test_if_boot_is_full_the_kernels_of_the_change_are_deleted(tmp_path: Path) -> None:
    """Only as many as needed, and never the running kernel, which may have to boot again."""
    running = Path("/proc/sys/kernel/osrelease").read_text().strip()
    boot, place = _full(tmp_path, 1, running)
    assert call(place, "restore_boot && echo done") == [f"deleting {boot}/vmlinuz-2 to free space", "done"]
    assert sorted(_files(boot)) == sorted(["config-2", "initrd.img-2", "vmlinuz-1", f"vmlinuz-{running}"])


def test_if_that_would_not_be_enough_nothing_is_deleted(tmp_path: Path) -> None:
    boot, place = _full(tmp_path, -2, Path("/proc/sys/kernel/osrelease").read_text().strip())
    before = _files(boot)
    short = "-8192 bytes are free, 8192 are needed, and deleting the kernels of the change would not be enough"
    assert call(place, "restore_boot || echo not") == ["not", f"cannot restore {boot}: {short}"]
    assert _files(boot) == before


def _with_esp(tmp_path: Path) -> tuple[Path, Path]:
    """A timer, and a /boot with an ESP after a change: all files say "new", those in the backup "saved"."""
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    place_timer(place)
    copies = place / "backup" / "tree" / boot.relative_to("/")
    names = ("vmlinuz-1", "grub/x86_64-efi/a.mod", "efi/EFI/x/a.efi", "efi/EFI/x/b.efi", "efi/EFI/x/grub.cfg")
    for name in names:
        for top, text in ((copies, "saved"), (boot, "new")):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(text)
    file = Entry("file", size=5, sha256=_sha256("saved"))
    directory = Entry("directory")
    inside = {path.removeprefix("efi/"): file for path in names[2:]}
    list_boot(
        place,
        Tree(
            str(boot),
            "ext4",
            {
                **dict.fromkeys(names[:2], file),
                "efi": Entry("mountpoint"),
                "grub": directory,
                "grub/x86_64-efi": directory,
            },
        ),
        Tree(f"{boot}/efi", "vfat", {".": directory, "EFI": directory, "EFI/x": directory, **inside}),
    )
    return boot, place


# By what is left: all files with their text.
RESTORED = {"vmlinuz-1": "saved", "grub/x86_64-efi/a.mod": "saved", "efi/EFI/x/a.efi": "saved"}
ESP_AS_IT_WAS = {"vmlinuz-1": "saved", "grub/x86_64-efi/a.mod": "new", "efi/EFI/x/a.efi": "new"}


def _texts(boot: Path) -> dict[str, Any]:
    return {path: text for path, text in _files(boot).items() if text is not None}


def _check_esp(boot: Path, expected: Mapping[str, str]) -> None:
    esp = expected["efi/EFI/x/a.efi"]
    assert _texts(boot) == {**expected, "efi/EFI/x/b.efi": esp, "efi/EFI/x/grub.cfg": esp}


def test_the_esp_is_restored(tmp_path: Path) -> None:
    boot, place = _with_esp(tmp_path)
    assert call(place, "restore_boot && echo done") == ["done"]
    _check_esp(boot, RESTORED)


def test_an_esp_that_cannot_be_mounted_does_not_prevent_the_rollback(tmp_path: Path) -> None:
    """Modules of GRUB that fit only its boot loader stay too."""
    boot, place = _with_esp(tmp_path)
    executable(place / "lib" / "ld.mount", f"#!/bin/sh\ncase $* in *{boot}/efi*) exit 1 ;; esac\n")
    said = call(place, "restore_boot && echo done")
    assert said == [f"cannot mount /dev/x on {boot}/efi", "done"]
    _check_esp(boot, ESP_AS_IT_WAS)


def test_without_boot_there_is_no_rollback(tmp_path: Path) -> None:
    boot, place = _with_esp(tmp_path)
    executable(place / "lib" / "ld.mount", f"#!/bin/sh\ncase $* in *efi*) ;; *{boot}*) exit 1 ;; esac\n")
    assert call(place, "restore_boot || echo not") == ["not", f"cannot mount /dev/x on {boot}"]


@pytest.mark.parametrize("name", ["a.efi", "b.efi"])
def test_an_esp_that_cannot_be_written_stays_as_it_is(tmp_path: Path, name: str) -> None:
    """If the last of several files cannot be copied, none of them is used."""
    boot, place = _with_esp(tmp_path)
    executable(place / "lib" / "ld.cp", f'#!/bin/sh\ncase $* in *{name}*) exit 1 ;; esac\nexec /bin/cp "$@"\n')
    assert call(place, "restore_boot && echo done") == [f"cannot restore {boot}/efi", "done"]
    _check_esp(boot, ESP_AS_IT_WAS)


def test_an_esp_without_room_stays_as_it_is(tmp_path: Path) -> None:
    boot, place = _with_esp(tmp_path)
    stat = STAT.partition("echo")[0] + "case $* in *efi) echo 0 2 4096 ;; *) echo 0 9 4096 ;; esac\n"
    executable(place / "lib" / "ld.stat", stat)
    assert call(place, "restore_boot && echo done") == [
        f"cannot restore {boot}/efi: 8192 bytes are free, 12288 are needed",
        "done",
    ]
    _check_esp(boot, ESP_AS_IT_WAS)


def test_boot_filesystems_become_read_only_and_are_compared_again(tmp_path: Path) -> None:
    boot, place = _with_esp(tmp_path)
    log, hostile = tmp_path / "log", tmp_path / "hostile"
    executable(place / "lib" / "ld.mount", f'#!/bin/sh\necho "$*" >>{log}\ncase $* in *t,ro*) . {hostile} ;; esac\n')
    hostile.write_text(f"[ -e {boot}/done ] || echo again >{boot}/vmlinuz-1\necho >{boot}/done\n")
    assert call(place, "restore_boot && echo done") == [
        "another program has changed boot files after they were restored (attempt 1)",
        "done",
    ]
    assert _files(boot)["vmlinuz-1"] == "saved"
    remounts = [line for line in log.read_text().splitlines() if "remount" in line]
    both = [[f"-o remount,{option} {place}" for place in (boot, f"{boot}/efi")] for option in ("rw", "ro")]
    assert remounts == [*both[0], *both[1], *both[0], *both[1]]
    # A program that does not stop must not prevent the rollback.
    hostile.write_text(f"echo again >{boot}/vmlinuz-1\n")
    assert call(place, "restore_boot && echo done")[-2:] == [
        "another program has changed boot files after they were restored (attempt 3)",
        "done",
    ]


# Like mount(2) it refuses to mount a filesystem over itself. It keeps a list of all mounts.
MOUNT = """#!/bin/sh
case $* in *remount* | *scratch*) exit ;; esac
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
    executable(place_timer(place) / "lib" / "ld.mount", MOUNT.format(mounts=mounts))
    mounts.write_text(f"/dev/vda2 {boot}\n")
    boot.mkdir()
    (place / "filesystems").write_text(f"/dev/vda2 ext4 {boot} needed\n")
    (place / "boot").write_text("")
    assert call(place, "restore_boot && echo done") == ["done"]
    assert mounts.read_text().splitlines()[-1] == f"/dev/vda2 {boot}"


def _one_file(tmp_path: Path, **saved: str) -> tuple[Path, Path]:
    """A timer and a /boot without files. The backup has `saved`."""
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    place_timer(place)
    copies = place / "backup" / "tree" / boot.relative_to("/")
    copies.mkdir(parents=True)
    for name, text in saved.items():
        (copies / name).write_text(text)
    entries = {name: Entry("file", size=len(text), sha256=_sha256(text)) for name, text in saved.items()}
    list_boot(place, Tree(str(boot), "ext4", entries))
    return boot, place


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_the_name_for_what_is_in_the_way_may_be_in_use(tmp_path: Path, kind: str) -> None:
    """By a file of the host, or since an earlier attempt. Nothing is lost."""
    boot, place = _one_file(tmp_path, grub="a file")
    (boot / "grub").mkdir()
    (boot / "grub" / "x").write_text("of the change")
    aside = boot / "grub.safepoint-aside"
    if kind == "file":
        aside.write_text("earlier")
    elif kind == "directory":
        aside.mkdir()
    else:
        aside.symlink_to("nowhere")
    assert call(place, "restore_boot && echo done") == ["done"]
    found = _files(boot)
    assert found["grub"] == "a file"
    assert found["grub.safepoint-aside+/x"] == "of the change"
    assert "grub.safepoint-aside" in found


def test_an_attempt_that_fails_leaves_no_mount(tmp_path: Path) -> None:
    """The program tries again every 30 s, for days if it must."""
    boot, place = _one_file(tmp_path, vmlinuz="kernel")
    log = tmp_path / "log"
    for name in ("mount", "umount"):
        executable(place / "lib" / f"ld.{name}", f'#!/bin/sh\necho "{name} $*" >>{log}\n')
    executable(place / "lib" / "ld.cp", "#!/bin/sh\nexit 1\n")
    assert call(place, "restore_boot || :") == [f"cannot restore {boot}/vmlinuz"]
    mounts = [line for line in log.read_text().splitlines() if "remount" not in line and line.endswith(f" {boot}")]
    assert mounts == [f"mount -t tmpfs none {boot}", f"mount -t ext4 /dev/x {boot}", *[f"umount -l {boot}"] * 2]


@pytest.mark.parametrize(
    ("by_disk", "used"), [("disk", "by-disk"), ("copy", "by-uuid"), (None, "by-uuid")], ids=["copy", "same", "gone"]
)
def test_with_a_copy_of_the_disk_the_one_with_our_serial_number_counts(
    tmp_path: Path, by_disk: str | None, used: str
) -> None:
    """The UUID leads to the copy."""
    boot, place = _one_file(tmp_path)
    (place / "by-uuid").symlink_to("copy")
    if by_disk is not None:
        (place / "by-disk").symlink_to(by_disk)
    for name in ("disk", "copy"):
        (place / name).touch()
    executable(place / "lib" / "ld.mount", f'#!/bin/sh\ncase $* in *ext4*) echo "$*" >>{place}/mounted ;; esac\n')
    (place / "filesystems").write_text(f"{place}/by-uuid ext4 {boot} needed {place}/by-disk\n")
    assert call(place, "restore_boot && echo done")[-1] == "done"
    assert (place / "mounted").read_text() == f"-t ext4 {place}/{used} {boot}\n"


def test_only_the_boot_filesystems_are_synced(tmp_path: Path) -> None:
    boot, place = _one_file(tmp_path)
    executable(place / "lib" / "ld.sync", f'#!/bin/sh\necho "$*" >>{place}/synced\n')
    assert call(place, "restore_boot && echo done") == ["done"]
    assert (place / "synced").read_text() == f"-f {boot}\n"


def test_a_backup_whose_lv_is_not_active_is_activated(tmp_path: Path, shell: str) -> None:
    timer = make_timer(tmp_path, shell=shell, boot=True)
    timer.replace_tool("mount", f"case $* in *safepoint_boot*) /bin/grep -qs activate {timer.top}/calls ;; esac")
    done = "make_scratch; may_change=yes; look; with_backup check_backup && echo done"
    assert timer.call(done)[-1] == "done"
    assert timer.calls == ["lvchange --yes --activate y vg/safepoint_boot_s"]
    timer.write("backup/SHA256SUMS", f"{'0' * 64}  vmlinuz")
    assert call(timer.top, f"{done} || :")[-1] == "the backup of /boot is damaged"


def test_the_whole_rollback_restores_boot_before_it_merges(tmp_path: Path) -> None:
    boot, place = _one_file(tmp_path, vmlinuz="kernel")
    timer = Timer(place)
    timer.term(after=60)
    timer.replace_tool("cp", f'echo restored >>{timer.top}/calls; exec /bin/cp "$@"')
    assert timer.start() == -9
    assert [one.split()[0] for one in timer.calls] == ["lvchange", "restored", "lvconvert", "lvchange", "systemctl"]
    assert (boot / "vmlinuz").read_text() == "kernel"


def test_without_boot_nothing_is_merged(tmp_path: Path) -> None:
    boot, place = _one_file(tmp_path, vmlinuz="kernel")
    timer = Timer(place)
    timer.term(after=60)
    timer.replace_tool("mount", f"case $* in *{boot}) exit 1 ;; esac")
    timer.cut_power_at(3000)
    timer.start()
    assert (timer.phase, timer.reason) == ("postponed", f"cannot mount /dev/x on {boot}")
    assert {one.split()[0] for one in timer.calls} == {"lvchange"}
