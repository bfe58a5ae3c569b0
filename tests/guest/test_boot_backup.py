# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Save and restore /boot (ext4) and the ESP (vfat), on two disks that are mounted over those of the guest."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, rolled_back, start, verbs
from mounts import BOOT, ESP, separate_boot

if TYPE_CHECKING:
    from collections.abc import Iterator

VOLUME = "other/safepoint_boot_s"
SAVE = {"name": "s", "vg": "other"}
RESTORE = {"name": "s", "state": "restored"}
REMOVE = {"name": "s", "state": "absent"}
Attributes = dict[str, Any]


@pytest.fixture(autouse=True)
def _boot() -> Iterator[None]:
    with separate_boot():
        (BOOT / "grub").mkdir(mode=0o750)
        for name, text in {
            "vmlinuz-1": "kernel 1" * 100_000,
            "initrd.img-1": "initramfs 1" * 300_000,
            "grub/grub.cfg": "menu of 1",
            "grub/grubenv": "saved_entry=1",
            "efi/boot.efi": "loader 1",
        }.items():
            (BOOT / name).write_text(text)
        (BOOT / "vmlinuz").symlink_to("vmlinuz-1")
        (BOOT / "vmlinuz-1").chmod(0o640)
        os.chown(BOOT / "vmlinuz-1", 0, 12)
        os.setxattr(BOOT / "initrd.img-1", "user.kept", b"yes")
        os.utime(BOOT / "initrd.img-1", (1_000_000_000, 1_000_000_000))
        lvm.run("sync")
        yield


def change() -> None:
    """Change files as the installation of a new kernel and the removal of the old one do."""
    (BOOT / "vmlinuz-2").write_text("kernel 2")
    (BOOT / "initrd.img-2").write_text("initramfs 2")
    (BOOT / "vmlinuz-1").unlink()
    (BOOT / "initrd.img-1").write_text("initramfs 1, of another build")
    (BOOT / "grub/grub.cfg").write_text("menu of 2")
    (BOOT / "grub/grubenv").write_text("saved_entry=2")
    (BOOT / "grub").chmod(0o755)
    (BOOT / "vmlinuz").unlink()
    (BOOT / "vmlinuz").symlink_to("vmlinuz-2")
    (ESP / "boot.efi").write_text("loader 2")
    (ESP / "new.efi").write_text("new")


def attributes() -> dict[str, Attributes]:
    """Read all attributes and the content of every file."""
    found = {}
    for path in sorted(BOOT.rglob("*")):
        status = path.lstat()
        link = path.is_symlink()
        one: Attributes = {"mode": status.st_mode, "uid": status.st_uid, "gid": status.st_gid}
        if path.is_file() and not link:
            one["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        if link:
            one["target"] = str(path.readlink())
        if not path.is_relative_to(ESP):
            one["mtime"] = status.st_mtime_ns
            one["xattrs"] = {} if link else {name: os.getxattr(path, name) for name in os.listxattr(path)}
        found[str(path)] = one
    return found


def texts() -> dict[str, str]:
    return {str(path.relative_to(BOOT)): path.read_text() for path in sorted(BOOT.rglob("*")) if path.is_file()}


def run_and_repeat(arguments: dict[str, Any], *, changed: bool = True) -> dict[str, Any]:
    """Run it in check mode, for real, and again: check mode predicts the result, and the last run does nothing."""
    before = (attributes(), storage.seqnos())
    check = ok("boot_backup", arguments, check=True)
    assert (attributes(), storage.seqnos()) == before
    assert check["commands"] == []
    real = ok("boot_backup", arguments)
    assert (check["changed"], check["planned"]) == (real["changed"], real["planned"])
    assert {**check["boot_backup"], "id": real["boot_backup"]["id"]} == real["boot_backup"]
    assert real["changed"] is changed
    after = (attributes(), storage.seqnos())
    again = ok("boot_backup", arguments)
    assert (again["changed"], again["planned"], verbs(again["commands"])) == (False, [], [])
    assert (attributes(), storage.seqnos()) == after
    return real


def take_backup_and_snapset() -> str:
    """Create a backup and its set. Return their ID."""
    backup = ok("boot_backup", SAVE)["boot_backup"]["id"]
    taken = ok("snapset", present("s", "thick/a", "thin/t1", id=backup))
    assert taken["snapset"]["id"] == backup
    return str(backup)


def test_save_restore_and_remove() -> None:
    before = attributes()
    made = run_and_repeat(dict(SAVE))
    assert made["boot_backup"]["state"] == "present"
    assert verbs(made["commands"]) == ["lvcreate", "lvchange"]
    assert [step["step"] for step in made["planned"]] == ["create_backup", "save", "seal"]
    ok("snapset", present("s", "thick/a", "thin/t1", id=made["boot_backup"]["id"]))
    assert ok("boot_backup", SAVE)["changed"] is False
    assert ok("snapset_info", {})["boot_backups"] == [made["boot_backup"]]
    change()
    changed = texts()
    started = run_and_repeat(dict(RESTORE))
    assert started["boot_backup"]["state"] == "restoring"
    now = texts()
    # The old files are restored, the new ones still exist, and the menu is the old one.
    assert now["vmlinuz-1"] == "kernel 1" * 100_000
    assert now["vmlinuz-2"] == "kernel 2"
    assert now["grub/grub.cfg"] == "menu of 1"
    assert now["efi/new.efi"] == "new"
    undone = run_and_repeat(dict(SAVE))
    assert undone["boot_backup"]["state"] == "present"
    assert texts() == changed
    ok("boot_backup", RESTORE)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    ended = run_and_repeat(dict(RESTORE))
    assert ended["boot_backup"]["state"] == "restored"
    assert attributes() == before
    change()
    # It has been restored. Later changes are not reverted.
    assert ok("boot_backup", RESTORE)["changed"] is False
    run_and_repeat(dict(REMOVE))
    assert VOLUME not in storage.visible()


def test_nobody_can_write_between_the_restoration_and_the_reboot() -> None:
    take_backup_and_snapset()
    change()
    planned = ok("boot_backup", RESTORE)["planned"]
    assert planned[-1] == {"step": "make_read_only", "mountpoints": ["/boot", "/boot/efi"]}
    for name in ("grub/grub.cfg", "efi/boot.efi"):
        with pytest.raises(OSError, match="Read-only"):
            (BOOT / name).write_text("menu of an unattended upgrade")
    assert ok("boot_backup", RESTORE)["planned"] == []
    assert ok("boot_backup", SAVE)["planned"][0]["step"] == "make_writable"
    (BOOT / "grub/grub.cfg").write_text("menu of 2")
    # A file that is open for writing: a package manager at work.
    with (BOOT / "vmlinuz-2").open("a"):
        assert "/boot must be read-only until the reboot" in call("boot_backup", RESTORE)["msg"]
    assert ok("boot_backup", SAVE)["boot_backup"]["state"] == "present"
    assert texts()["grub/grub.cfg"] == "menu of 2"
    ok("boot_backup", RESTORE)
    ok("boot_backup", REMOVE)
    (BOOT / "grub/grub.cfg").write_text("menu of 3")


def test_on_the_esp_a_name_in_another_case_is_the_same_file() -> None:
    """As systemd and boot loaders write bootx64.efi and BOOTX64.EFI. If it goes, the host cannot boot."""
    (ESP / "EFI/Boot").mkdir(parents=True)
    (ESP / "EFI/Boot/bootx64.efi").write_text("old")
    take_backup_and_snapset()
    shutil.rmtree(ESP / "EFI")
    (ESP / "EFI/BOOT").mkdir(parents=True)
    (ESP / "EFI/BOOT/BOOTX64.EFI").write_text("new")
    ok("boot_backup", RESTORE)
    assert (ESP / "EFI/BOOT/BOOTX64.EFI").read_text() == "old"
    ok("boot_backup", SAVE)
    assert (ESP / "EFI/BOOT/BOOTX64.EFI").read_text() == "new"
    ok("boot_backup", RESTORE)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert run_and_repeat(dict(RESTORE))["boot_backup"]["state"] == "restored"
    assert [path.read_text() for path in (ESP / "EFI/boot").iterdir()] == ["old"]


def test_the_program_of_a_timer_restores_real_filesystems() -> None:
    """Only its function that restores /boot, with its own tools. The scenario `confirm` lets it roll back a host."""
    (ESP / "EFI/Boot").mkdir(parents=True)
    (ESP / "EFI/Boot/bootx64.efi").write_text("old")
    (BOOT / "loader/entries").mkdir(parents=True)
    (BOOT / "grub/i386-pc").mkdir()
    for name in ("loader/entries/1.conf", "grub/i386-pc/core.img", "grub/i386-pc/a.mod"):
        (BOOT / name).write_text("old")
    before = attributes()
    take_backup_and_snapset()
    ok("rollback_timer", {"name": "s", "after": "2h", "vg": "other"})
    change()
    (ESP / "EFI/Boot/bootx64.efi").unlink()
    for name in ("efi/EFI/Boot/BOOTX64.EFI", "loader/entries/2.conf", "grub/i386-pc/core.img", "grub/i386-pc/a.mod"):
        (BOOT / name).write_text("new")
    with storage.mounted("other/safepoint_timer_s") as place:
        program = (place / "go-back").read_text().partition("\ncase ${2-} in\n")[0]
        (place / "restore").write_text(f"{program}\nmake_scratch\nlook && with_backup restore_boot && echo done\n")
        said = lvm.run("unshare", "--mount", "--propagation", "private", "sh", str(place / "restore"), str(place))
        assert said.splitlines()[-1] == "done"
    with pytest.raises(OSError, match="Read-only"):
        (BOOT / "x").write_text("")
    now = texts()
    assert (now["vmlinuz-1"], now["vmlinuz-2"]) == ("kernel 1" * 100_000, "kernel 2")
    assert (now["efi/boot.efi"], now["efi/EFI/Boot/BOOTX64.EFI"], now["grub/grub.cfg"]) == (
        "loader 1",
        "old",
        "menu of 1",
    )
    assert (now["grub/i386-pc/core.img"], now["grub/i386-pc/a.mod"]) == ("new", "new")
    assert "loader/entries/2.conf" not in now
    # Extended attributes come back too.
    assert os.getxattr(BOOT / "initrd.img-1", "user.kept") == b"yes"
    assert attributes()["/boot/vmlinuz-1"] == before["/boot/vmlinuz-1"]
    lvm.run("mount", "-o", "remount,rw", str(BOOT))
    lvm.run("mount", "-o", "remount,rw", str(ESP))
    ok("rollback_timer", {"name": "s", "state": "disarmed"})


def test_the_backup_can_be_read_and_checked_without_this_collection() -> None:
    before = texts()
    ok("boot_backup", SAVE)
    with storage.mounted(VOLUME, "-o", "ro") as place:
        assert place.stat().st_mode & 0o777 == 0o700
        lvm.run("sh", "-c", f"cd {place}/tree && sha256sum --quiet --check --strict ../SHA256SUMS")
        kept = {str(path.relative_to(place / "tree/boot")): path for path in (place / "tree/boot").rglob("*")}
        assert {name: kept[name].read_text() for name in before} == before


def test_an_outdated_backup_is_replaced() -> None:
    first = ok("boot_backup", SAVE)["boot_backup"]["id"]
    (BOOT / "vmlinuz-2").write_text("kernel 2")
    second = ok("boot_backup", SAVE)
    assert second["boot_backup"]["id"] != first
    assert verbs(second["commands"]) == ["lvchange", "lvremove", "lvcreate", "lvchange"]
    assert len(ok("snapset_info", {})["boot_backups"]) == 1


def test_refusals() -> None:
    refused("boot_backup", {"name": "s", "vg": "nowhere"}, "there is no VG nowhere here")
    refused("boot_backup", RESTORE, "snapset .* does not exist")
    assert ok("boot_backup", REMOVE)["changed"] is False
    ok("snapset", present("s", "thick/a"))
    refused("boot_backup", SAVE, "already exists, without a backup of /boot")
    refused("boot_backup", RESTORE, "no complete backup of /boot")
    ok("snapset", absent("s"))
    take_backup_and_snapset()
    change()
    lvm.run("mount", "-o", "remount,ro", str(BOOT))
    refused("boot_backup", RESTORE, "/boot is mounted read-only: mount -o remount,rw /boot")
    lvm.run("mount", "-o", "remount,rw", str(BOOT))
    lvm.run("umount", str(ESP))
    refused("boot_backup", RESTORE, "/boot/efi was a separate filesystem and is not mounted")


def test_no_space_to_restore() -> None:
    take_backup_and_snapset()
    change()
    with (BOOT / "full").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, os.statvfs(BOOT).f_bfree * os.statvfs(BOOT).f_bsize - 2**20)
    refused("boot_backup", RESTORE, "and restoring it needs", "/boot/full")


def test_no_space_to_save() -> None:
    lvm.run("lvcreate", "-q", "-y", "-l", "100%FREE", "-n", "full", "other")
    refused("boot_backup", SAVE, "VG other has 0 bytes free, but")


def test_during_a_rollback() -> None:
    take_backup_and_snapset()
    with storage.mounted("thick/a"):
        ok("snapset", merged("s"))
        refused("boot_backup", SAVE, "is being rolled back")
        refused("boot_backup", REMOVE, "is being rolled back")
        change()
        assert ok("boot_backup", RESTORE)["changed"]


def test_a_damaged_backup_is_not_used() -> None:
    take_backup_and_snapset()
    with storage.mounted(VOLUME) as place:
        (place / "tree/boot/vmlinuz-1").write_text("kernel ?")
    change()
    result = call("boot_backup", RESTORE)
    assert "vmlinuz-1: its checksum is not the recorded one" in result["msg"]
    assert texts()["grub/grub.cfg"] == "menu of 2"
    with storage.mounted(VOLUME) as place:
        manifest = place / "manifest.json"
        manifest.write_text(manifest.read_text().replace("grubenv", "grubenw"))
    assert "the backup of /boot is damaged: the checksum of its manifest" in call("boot_backup", RESTORE)["msg"]


@pytest.mark.parametrize("delay", [0.5, 2.0])
def test_killed_while_saving(delay: float) -> None:
    running = start("boot_backup", SAVE)
    time.sleep(delay)
    running.kill()
    assert "safepoint.lvm/mnt" not in Path("/proc/self/mountinfo").read_text()
    states = [backup["state"] for backup in ok("snapset_info", {})["boot_backups"]]
    assert states in ([], ["incomplete"], ["present"])
    assert ok("boot_backup", {**SAVE, "lock_timeout": 60})["boot_backup"]["state"] == "present"
    assert len(ok("snapset_info", {})["boot_backups"]) == 1


@pytest.mark.parametrize("delay", [0.3])
def test_killed_while_restoring(delay: float) -> None:
    before = attributes()
    take_backup_and_snapset()
    change()
    for after_rollback in (False, True):
        if after_rollback:
            ok("snapset", merged("s"))
            rolled_back("snapset", merged("s"))
        running = start("boot_backup", RESTORE)
        time.sleep(delay)
        running.kill()
        ok("boot_backup", RESTORE)
    assert attributes() == before


def test_nothing_of_a_backup_can_be_read_in_the_next_lv() -> None:
    ok("boot_backup", SAVE)
    extents = int(lvm.lv(VOLUME, "seg_size_pe")["seg_size_pe"])
    places = lvm.lv(VOLUME, "seg_pe_ranges")["seg_pe_ranges"]
    device = Path(f"/dev/{VOLUME}")
    assert b"kernel 1kernel 1" in device.read_bytes()
    removed = ok("boot_backup", REMOVE)
    assert [step["step"] for step in removed["planned"]] == ["unseal", "erase", "remove"]
    lvm.run("lvcreate", "-q", "-y", "-l", str(extents), "-n", "next", "other")
    try:
        assert lvm.lv("other/next", "seg_pe_ranges")["seg_pe_ranges"] == places
        assert b"kernel 1" not in Path("/dev/other/next").read_bytes()
    finally:
        lvm.run("lvremove", "-q", "-y", "other/next")
