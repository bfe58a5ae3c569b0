# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What boots a host, saved and brought back: /boot (ext4) and the ESP (vfat), two disks over the guest's own."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, rolled_back, start, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT = Path("/boot")
ESP = BOOT / "efi"
VOLUME = "other/safepoint_boot_s"
KEEP = {"name": "s", "vg": "other"}
RESTORE = {"name": "s", "state": "restored"}
REMOVE = {"name": "s", "state": "absent"}
Facts = dict[str, Any]


@pytest.fixture(autouse=True)
def _boot() -> Iterator[None]:
    disks = [storage.new_disk("boot", 48), storage.new_disk("esp", 34)]
    lvm.run("mkfs.ext4", "-q", disks[0])
    lvm.run("mkfs.vfat", "-F", "32", disks[1])
    lvm.run("mount", disks[0], str(BOOT))
    ESP.mkdir()
    lvm.run("mount", disks[1], str(ESP))
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
    lvm.run("umount", *([str(ESP)] if ESP.is_mount() else []), str(BOOT))
    storage.remove_disks(*disks)


def change() -> None:
    """What another kernel and the removal of the old one do."""
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


def facts() -> dict[str, Facts]:
    """All that is known of every file, read anew."""
    found = {}
    for path in sorted(BOOT.rglob("*")):
        status = path.lstat()
        link = path.is_symlink()
        one: Facts = {"mode": status.st_mode, "uid": status.st_uid, "gid": status.st_gid}
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


def same_twice(arguments: dict[str, Any], *, changed: bool = True) -> dict[str, Any]:
    """Run it in check mode, for real, and again: it does what it said, and then nothing."""
    before = (facts(), storage.seqnos())
    check = ok("boot_backup", arguments, check=True)
    assert (facts(), storage.seqnos()) == before
    assert check["commands"] == []
    real = ok("boot_backup", arguments)
    assert (check["changed"], check["planned"]) == (real["changed"], real["planned"])
    assert {**check["boot_backup"], "id": real["boot_backup"]["id"]} == real["boot_backup"]
    assert real["changed"] is changed
    after = (facts(), storage.seqnos())
    again = ok("boot_backup", arguments)
    assert (again["changed"], again["planned"], verbs(again["commands"])) == (False, [], [])
    assert (facts(), storage.seqnos()) == after
    return real


def take() -> str:
    """A backup, and the set that it belongs to."""
    backup = ok("boot_backup", KEEP)["boot_backup"]["id"]
    taken = ok("snapset", present("s", "thick/a", "thin/t1", id=backup))
    assert taken["snapset"]["id"] == backup
    return str(backup)


def test_the_whole_way() -> None:
    before = facts()
    made = same_twice(dict(KEEP))
    assert made["boot_backup"]["state"] == "present"
    assert verbs(made["commands"]) == ["lvcreate", "lvchange"]
    assert [step["step"] for step in made["planned"]] == ["create_backup", "save", "seal"]
    ok("snapset", present("s", "thick/a", "thin/t1", id=made["boot_backup"]["id"]))
    assert ok("boot_backup", KEEP)["changed"] is False
    assert ok("snapset_info", {})["boot_backups"] == [made["boot_backup"]]
    change()
    changed = texts()
    begun = same_twice(dict(RESTORE))
    assert begun["boot_backup"]["state"] == "restoring"
    now = texts()
    # The old ones are back beside the new ones, and the menu names what is there.
    assert now["vmlinuz-1"] == "kernel 1" * 100_000
    assert now["vmlinuz-2"] == "kernel 2"
    assert now["grub/grub.cfg"] == "menu of 1"
    assert now["efi/new.efi"] == "new"
    taken_back = same_twice(dict(KEEP))
    assert taken_back["boot_backup"]["state"] == "present"
    assert texts() == changed
    ok("boot_backup", RESTORE)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    ended = same_twice(dict(RESTORE))
    assert ended["boot_backup"]["state"] == "restored"
    assert facts() == before
    change()
    # It was brought back; what comes after that is not the change's.
    assert ok("boot_backup", RESTORE)["changed"] is False
    same_twice(dict(REMOVE))
    assert VOLUME not in storage.visible()


def test_the_backup_can_be_read_and_checked_without_this_collection() -> None:
    before = texts()
    ok("boot_backup", KEEP)
    with storage.mounted(VOLUME, "-o", "ro") as place:
        assert place.stat().st_mode & 0o777 == 0o755
        lvm.run("sh", "-c", f"cd {place}/tree && sha256sum --quiet --check --strict ../SHA256SUMS")
        kept = {str(path.relative_to(place / "tree/boot")): path for path in (place / "tree/boot").rglob("*")}
        assert {name: kept[name].read_text() for name in before} == before


def test_of_another_moment_it_is_made_anew() -> None:
    first = ok("boot_backup", KEEP)["boot_backup"]["id"]
    (BOOT / "vmlinuz-2").write_text("kernel 2")
    second = ok("boot_backup", KEEP)
    assert second["boot_backup"]["id"] != first
    assert verbs(second["commands"]) == ["lvremove", "lvcreate", "lvchange"]
    assert len(ok("snapset_info", {})["boot_backups"]) == 1


def test_refusals() -> None:
    refused("boot_backup", {"name": "s", "vg": "nowhere"}, "there is no VG nowhere here")
    refused("boot_backup", RESTORE, "snapset .* does not exist")
    assert ok("boot_backup", REMOVE)["changed"] is False
    ok("snapset", present("s", "thick/a"))
    refused("boot_backup", KEEP, "already exists, without a backup of /boot")
    refused("boot_backup", RESTORE, "no complete backup of /boot")
    ok("snapset", absent("s"))
    take()
    change()
    lvm.run("mount", "-o", "remount,ro", str(BOOT))
    refused("boot_backup", RESTORE, "/boot is mounted read-only: mount -o remount,rw /boot")
    lvm.run("mount", "-o", "remount,rw", str(BOOT))
    lvm.run("umount", str(ESP))
    refused("boot_backup", RESTORE, "/boot/efi was a separate filesystem and is not mounted")


def test_no_room_to_bring_it_back() -> None:
    take()
    change()
    with (BOOT / "full").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, os.statvfs(BOOT).f_bfree * os.statvfs(BOOT).f_bsize - 2**20)
    refused("boot_backup", RESTORE, "and restoring it needs", "/boot/full")


def test_no_room_to_keep_it() -> None:
    lvm.run("lvcreate", "-q", "-y", "-l", "100%FREE", "-n", "full", "other")
    refused("boot_backup", KEEP, "VG other has 0 bytes free, but")


def test_while_the_set_goes_back() -> None:
    take()
    with storage.mounted("thick/a"):
        ok("snapset", merged("s"))
        refused("boot_backup", KEEP, "is being rolled back")
        refused("boot_backup", REMOVE, "is being rolled back")
        change()
        assert ok("boot_backup", RESTORE)["changed"]


def test_a_damaged_backup_is_not_used() -> None:
    take()
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
def test_killed_while_it_saves(delay: float) -> None:
    running = start("boot_backup", KEEP)
    time.sleep(delay)
    running.kill()
    assert "safepoint.lvm/mnt" not in Path("/proc/self/mountinfo").read_text()
    states = [backup["state"] for backup in ok("snapset_info", {})["boot_backups"]]
    assert states in ([], ["incomplete"], ["present"])
    assert ok("boot_backup", {**KEEP, "lock_timeout": 60})["boot_backup"]["state"] == "present"
    assert len(ok("snapset_info", {})["boot_backups"]) == 1


@pytest.mark.parametrize("delay", [0.3])
def test_killed_while_it_brings_back(delay: float) -> None:
    before = facts()
    take()
    change()
    for goes_back in (False, True):
        if goes_back:
            ok("snapset", merged("s"))
            rolled_back("snapset", merged("s"))
        running = start("boot_backup", RESTORE)
        time.sleep(delay)
        running.kill()
        ok("boot_backup", RESTORE)
    assert facts() == before
