# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the shell program of a rollback timer restores /boot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from timer_directory import executable, make_timer

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from timer_directory import Timer

RESTORE = 'make_scratch; restore_boot && echo done || { read -r reason <"$SCRATCH/reason"; echo "$reason"; }'


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    place = tmp_path / "boot"
    place.mkdir()
    return place


@pytest.fixture
def timer(tmp_path: Path, boot: Path, shell: str) -> Timer:
    (tmp_path / "timer").mkdir()
    return make_timer(tmp_path / "timer", shell=shell, BOOT=str(boot))


def save(timer: Timer, boot: Path, saved: Mapping[str, str]) -> Mapping[str, Entry]:
    """Put copies of files into the backup. Return their entries."""
    for path, text in saved.items():
        copy = timer.top / "backup" / "tree" / boot.relative_to("/") / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    return {path: Entry(kind="file", sha256=_sha256(text)) for path, text in saved.items()}


def lists(timer: Timer, *trees: Tree) -> None:
    (timer.top / "boot").write_text(script.boot_list(trees))
    (timer.top / "menus").write_text(script.menu_directories(trees))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _files(top: Path) -> Mapping[str, Any]:
    return {str(path.relative_to(top)): _what(path) for path in sorted(top.rglob("*"))}


def _what(path: Path) -> str | None:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return path.read_text() if path.is_file() else None


def test_what_boots_the_host_comes_back_beside_what_was_added(timer: Timer, boot: Path) -> None:
    saved = {"vmlinuz-1": "kernel", "a b": "odd", "grub/grub.cfg": "menu of 1", "loader/entries/1.conf": "1"}
    entries = dict(save(timer, boot, saved))
    entries |= {path: Entry(kind="directory") for path in ("grub", "loader", "loader/entries")}
    entries |= {"vmlinuz": Entry(kind="link", target="vmlinuz-1"), "efi": Entry(kind="mountpoint")}
    lists(timer, Tree(str(boot), "ext4", entries))
    changed = {"vmlinuz-2": "new", "grub": "a file", "loader/entries/2.conf": "2", "vmlinuz-1/x": "in a directory"}
    for path, text in changed.items():
        (boot / path).parent.mkdir(parents=True, exist_ok=True)
        (boot / path).write_text(text)
    (boot / "vmlinuz").symlink_to("vmlinuz-2")
    assert timer.call(RESTORE) == ["done"]
    now = _files(boot)
    assert {path: now[path] for path in saved} == saved
    assert (now["vmlinuz"], now["vmlinuz-2"], now["efi"]) == ("-> vmlinuz-1", "new", None)
    assert "loader/entries/2.conf" not in now
    assert timer.read("boot").splitlines()[-1].split("\t")[1] == f"{boot}/grub/grub.cfg"
    assert timer.call(RESTORE) == ["done"]
    assert _files(boot) == now


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_the_name_for_what_is_in_the_way_may_be_in_use(timer: Timer, boot: Path, kind: str) -> None:
    """By a file of the host, or since an earlier attempt. Nothing is lost."""
    lists(timer, Tree(str(boot), "ext4", save(timer, boot, {"grub": "a file"})))
    (boot / "grub").mkdir()
    (boot / "grub" / "x").write_text("of the change")
    aside = boot / "grub.safepoint-aside"
    if kind == "file":
        aside.write_text("earlier")
    elif kind == "directory":
        aside.mkdir()
    else:
        aside.symlink_to("nowhere")
    assert timer.call(RESTORE) == ["done"]
    found = _files(boot)
    assert found["grub"] == "a file"
    assert found["grub.safepoint-aside+/x"] == "of the change"
    assert "grub.safepoint-aside" in found


def test_a_damaged_copy_is_never_put_in_place(timer: Timer, boot: Path) -> None:
    entries = save(timer, boot, {"vmlinuz": "kernel"})
    save(timer, boot, {"vmlinuz": "damaged"})
    lists(timer, Tree(str(boot), "ext4", entries))
    (boot / "vmlinuz").write_text("new")
    (boot / "vmlinuz-2").write_text("of the change")
    assert timer.call(RESTORE) == [f"cannot restore {boot}/vmlinuz"]
    assert sorted(_files(boot)) == ["vmlinuz", "vmlinuz-2"]
    assert (boot / "vmlinuz").read_text() == "new"


def test_if_boot_is_full_the_kernels_of_the_change_are_deleted(timer: Timer, boot: Path) -> None:
    """Except the running kernel, which may have to boot again."""
    running = Path("/proc/sys/kernel/osrelease").read_text().strip()
    full = f'[ ! -e "{boot}/vmlinuz-2" ] || {{ echo part >"$4"; exit 1; }}\nexec /bin/cp "$@"'
    timer.replace_tool("cp", full)
    for name in ("vmlinuz-2", "initrd.img-2", f"vmlinuz-{running}", "config-2"):
        (boot / name).write_text("of the change")
    lists(timer, Tree(str(boot), "ext4", save(timer, boot, {"vmlinuz-1": "kernel"})))
    assert timer.call(RESTORE) == [
        f"deleting {boot}/vmlinuz-2 to free space",
        f"deleting {boot}/initrd.img-2 to free space",
        "done",
    ]
    assert sorted(_files(boot)) == sorted(["config-2", "vmlinuz-1", f"vmlinuz-{running}"])


def test_an_esp_that_cannot_be_mounted_does_not_prevent_the_rollback(timer: Timer, boot: Path) -> None:
    timer.replace_tool("mount", f"case $* in *{boot}/efi*) exit 1 ;; esac")
    timer.write("filesystems", f"/dev/vda2 ext4 {boot}\n/dev/vda1 vfat {boot}/efi")
    kernel = save(timer, boot, {"vmlinuz-1": "saved"})
    loader = save(timer, boot / "efi", {"boot.efi": "saved"})
    trees = [
        Tree(str(boot), "ext4", {**kernel, "efi": Entry(kind="mountpoint")}),
        Tree(f"{boot}/efi", "vfat", {".": Entry(kind="directory"), **loader}),
    ]
    lists(timer, *trees)
    assert timer.call(RESTORE) == [f"cannot mount /dev/vda1 on {boot}/efi", "done"]
    assert _files(boot) == {"efi": None, "vmlinuz-1": "saved"}


def test_without_boot_nothing_is_merged(timer: Timer, boot: Path) -> None:
    timer.replace_tool("mount", f"case $* in *{boot}) exit 1 ;; esac")
    timer.write("filesystems", f"/dev/vda2 ext4 {boot}")
    why = f"cannot mount /dev/vda2 on {boot}"
    assert timer.call(RESTORE) == [why, why]


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


def test_a_boot_filesystem_is_mounted_already_as_a_rule(timer: Timer, boot: Path) -> None:
    mounts = timer.top / "mounts"
    executable(timer.top / "lib" / "ld.mount", MOUNT.format(mounts=mounts))
    mounts.write_text(f"/dev/vda2 {boot}\n")
    timer.write("filesystems", f"/dev/vda2 ext4 {boot}")
    assert timer.call(RESTORE) == ["done"]
    assert mounts.read_text().splitlines()[-1] == f"/dev/vda2 {boot}"


@pytest.mark.parametrize(
    ("by_disk", "used"), [("disk", "by-disk"), ("copy", "by-uuid"), (None, "by-uuid")], ids=["copy", "same", "gone"]
)
def test_with_a_copy_of_the_disk_the_one_with_our_serial_number_counts(
    timer: Timer, boot: Path, by_disk: str | None, used: str
) -> None:
    """The UUID leads to the copy."""
    (timer.top / "by-uuid").symlink_to("copy")
    if by_disk is not None:
        (timer.top / "by-disk").symlink_to(by_disk)
    for name in ("disk", "copy"):
        timer.write(name, "")
    timer.replace_tool("mount", f'case $* in *ext4*) echo "$*" >>{timer.top}/mounted ;; esac')
    timer.write("filesystems", f"{timer.top}/by-uuid ext4 {boot} {timer.top}/by-disk")
    assert timer.call(RESTORE)[-1] == "done"
    assert timer.read("mounted") == f"-t ext4 {timer.top}/{used} {boot}"


def test_only_the_boot_filesystems_are_synced(timer: Timer, boot: Path) -> None:
    timer.replace_tool("sync", f'echo "$*" >>{timer.top}/synced')
    timer.write("filesystems", f"/dev/vda2 ext4 {boot}")
    assert timer.call(RESTORE) == ["done"]
    assert timer.read("synced") == f"-f {boot}"


def test_a_backup_whose_lv_is_not_active_is_activated(tmp_path: Path, shell: str) -> None:
    (tmp_path / "with-boot").mkdir()
    timer = make_timer(tmp_path / "with-boot", shell=shell, boot=True)
    timer.replace_tool("mount", f"case $* in *safepoint_boot*) /bin/grep -qs activate {timer.top}/calls ;; esac")
    done = "make_scratch; may_change=yes; look; with_backup check_backup && echo done"
    assert timer.call(done)[-1] == "done"
    assert timer.calls == ["lvchange --yes --activate y vg/safepoint_boot_s"]
    timer.write("backup/SHA256SUMS", f"{'0' * 64}  vmlinuz")
    assert (
        timer.call(f'{done} || read -r reason <"$SCRATCH/reason"; echo "$reason"')[-1]
        == "the backup of /boot is damaged"
    )


def test_the_whole_rollback_restores_boot_before_it_merges(tmp_path: Path, shell: str) -> None:
    place = tmp_path / "boot"
    place.mkdir()
    (tmp_path / "with-boot").mkdir()
    timer = make_timer(tmp_path / "with-boot", shell=shell, boot=True, BOOT=str(place))
    timer.write("filesystems", f"/dev/vda2 ext4 {place}")
    lists(timer, Tree(str(place), "ext4", save(timer, place, {"vmlinuz": "kernel"})))
    timer.replace_tool("cp", f'echo restored >>{timer.top}/calls; exec /bin/cp "$@"')
    assert timer.start() == -9
    assert [call.split()[0] for call in timer.calls] == ["lvchange", "restored", "lvconvert", "lvchange", "systemctl"]
    timer = make_timer(_fresh(tmp_path), shell=shell, boot=True, BOOT=str(place))
    timer.replace_tool("mount", f"case $* in *{place}) exit 1 ;; esac")
    timer.write("filesystems", f"/dev/vda2 ext4 {place}")
    timer.cut_power_at(3000)
    timer.start()
    assert (timer.phase, timer.reason) == ("postponed", f"cannot mount /dev/vda2 on {place}")
    assert {call.split()[0] for call in timer.calls} == {"lvchange"}


def _fresh(top: Path) -> Path:
    (top / "another").mkdir()
    return top / "another"
