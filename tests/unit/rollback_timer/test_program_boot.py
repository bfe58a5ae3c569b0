# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the shell program of a rollback timer restores /boot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timer_directory import call, executable, place_timer

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script

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
    (place / "boot").write_text(script.boot_list(trees))
    (place / "menus").write_text(script.menu_directories(trees))
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
    assert (place / "boot").read_text().splitlines()[-1].split("\t")[1] == f"{boot}/grub/grub.cfg"
    assert call(place, "restore_boot && echo done") == ["done"]
    assert _files(boot) == now


def test_a_damaged_copy_is_never_put_in_place(tmp_path: Path) -> None:
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    place_timer(place)
    copy = place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz"
    copy.parent.mkdir(parents=True)
    copy.write_text("damaged")
    (boot / "vmlinuz").write_text("new")
    tree = Tree(str(boot), "ext4", {"vmlinuz": Entry(kind="file", sha256=_sha256("kernel"))})
    (place / "boot").write_text(script.boot_list([tree]))
    (boot / "vmlinuz-2").write_text("of the change")
    (said,) = call(place, f"BOOT='{boot}'; restore_boot || :")
    assert said == f"cannot restore {boot}/vmlinuz"
    assert sorted(_files(boot)) == ["vmlinuz", "vmlinuz-2"]
    assert (boot / "vmlinuz").read_text() == "new"


def test_if_boot_is_full_the_kernels_of_the_change_are_deleted(tmp_path: Path) -> None:
    """Except the running kernel, which may have to boot again."""
    boot, place = tmp_path / "boot", tmp_path / "timer"
    place.mkdir()
    boot.mkdir()
    place_timer(place)
    running = Path("/proc/sys/kernel/osrelease").read_text().strip()
    full = f'#!/bin/sh\n[ ! -e "{boot}/vmlinuz-2" ] || {{ echo part >"$4"; exit 1; }}\nexec /bin/cp "$@"\n'
    executable(place / "lib" / "ld.cp", full)
    copy = place / "backup" / "tree" / boot.relative_to("/") / "vmlinuz-1"
    copy.parent.mkdir(parents=True)
    copy.write_text("kernel")
    for name in ("vmlinuz-2", "initrd.img-2", f"vmlinuz-{running}", "config-2"):
        (boot / name).write_text("of the change")
    tree = Tree(str(boot), "ext4", {"vmlinuz-1": Entry(kind="file", sha256=_sha256("kernel"))})
    (place / "boot").write_text(script.boot_list([tree]))
    said = call(place, f"BOOT='{boot}'; restore_boot && echo done")
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
    place_timer(place)
    executable(place / "lib" / "ld.mount", f"#!/bin/sh\ncase $* in *{boot}/efi*) exit 1 ;; esac\n")
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
    said = call(place, f"BOOT='{boot}'; restore_boot && echo done")
    assert said == [f"cannot mount /dev/vda1 on {boot}/efi", "done"]
    assert _files(boot) == {"efi": None, "vmlinuz-1": "saved"}
    (place / "filesystems").write_text(f"/dev/vda2 ext4 {boot}/efi\n")
    assert call(place, f"BOOT='{boot}/efi'; restore_boot || echo not") == [
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
    executable(place_timer(place) / "lib" / "ld.mount", MOUNT.format(mounts=mounts))
    mounts.write_text(f"/dev/vda2 {boot}\n")
    (place / "filesystems").write_text(f"/dev/vda2 ext4 {boot}\n")
    (place / "boot").write_text("")
    assert call(place, f"BOOT='{boot}'; restore_boot && echo done") == ["done"]
    assert mounts.read_text().splitlines()[-1] == f"/dev/vda2 {boot}"
