# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup of /boot and a rollback timer of another host, or of this one before its machine-id was replaced."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, four_runs, ok, present, refused
from identity import HOST, machine_id

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL = Path("/boot/vmlinuz-1")
BACKUP, TIMER = "guest/safepoint_boot_s", "guest/safepoint_timer_s"
SAVE = {"name": "s", "vg": "guest"}
ARM = {"name": "s", "after": "2h", "vg": "guest"}
DISARM = {"name": "s", "state": "disarmed"}


@pytest.fixture(autouse=True)
def _disks(keeper: storage.Keeper) -> Iterator[None]:
    """A disk for /boot, and one with the VG guest and its LV c."""
    boot, guest = storage.new_disk("boot", 48), storage.new_disk("guest", 200)
    lvm.run("mkfs.ext4", "-q", boot)
    lvm.run("mount", boot, "/boot")
    KERNEL.write_text("kernel 1" * 1000)
    storage.new_group("guest", guest)
    lvm.run("lvcreate", "-q", "-y", "-L", "20m", "-n", "c", "guest")
    try:
        yield
    finally:
        ok("rollback_timer", DISARM)
        lvm.run("umount", "/boot")
        storage.remove_disks(boot, guest)
    keeper.restore()


def foreign() -> list[str]:
    """The LVs of foreign sets."""
    return [name for part in ok("snapset_info", {})["foreign"] for name in part["volumes"]]


def is_active() -> bool:
    argv = ["systemctl", "is-active", "--quiet", "safepoint-lvm-timer-s.service"]
    return subprocess.run(argv, check=False).returncode == 0


@pytest.mark.parametrize("recorded", [True, False], ids=["host", "no host"])
def test_the_backup_of_another_host_is_never_mounted(*, recorded: bool) -> None:
    """Anybody who can write the VG can write its tags. Without a host in them, only the VG of / counts."""
    with machine_id():
        ok("boot_backup", SAVE)
    if not recorded:
        lvm.run("lvchange", "-q", "--deltag", f"safepoint.boot.host={HOST}", BACKUP)
    # To mount it would fail.
    storage.write(BACKUP, 4)
    tags, content = lvm.tags(BACKUP), storage.checksum(BACKUP)
    assert (ok("snapset_info", {})["boot_backups"], foreign()) == ([], [BACKUP])
    made = ok("boot_backup", {**SAVE, "vg": "other"})
    assert [step["step"] for step in made["planned"]] == ["create_backup", "save", "seal"]
    assert not ok("boot_backup", {**SAVE, "vg": "other"})["changed"]
    own = made["boot_backup"]["id"]
    ok("snapset", present("s", "thick/a", id=own))
    KERNEL.write_text("kernel 2")
    ok("boot_backup", {"name": "s", "state": "restored"})
    assert KERNEL.read_text() == "kernel 1" * 1000
    ok("boot_backup", {"name": "s"})
    ok("snapset", absent("s"))
    assert ok("boot_backup", absent("s"))["changed"]
    gone = ok("boot_backup", absent("s"))
    assert (gone["changed"], gone["commands"]) == (False, [])
    assert "a backup of /boot or a rollback timer of s" in str(gone["warnings"])
    assert (lvm.tags(BACKUP), storage.checksum(BACKUP)) == (tags, content)


def test_a_new_backup_beside_a_foreign_one() -> None:
    """The name of its LV is taken."""
    with machine_id():
        ok("boot_backup", SAVE)
    made = ok("boot_backup", SAVE)["boot_backup"]
    assert made["volume"] not in BACKUP
    assert ok("snapset_info", {})["boot_backups"] == [made]
    assert ok("boot_backup", absent("s"))["changed"]
    assert foreign() == [BACKUP]


def test_everything_of_a_set_is_adopted() -> None:
    """The change replaces the machine-id. The timer runs on, and does not ask for it."""
    with machine_id():
        backup = ok("boot_backup", SAVE)["boot_backup"]
        ok("snapset", present("s", "guest/c", id=backup["id"]))
        timer = ok("rollback_timer", ARM)["rollback_timer"]
    assert is_active()
    info = ok("snapset_info", {})
    assert (info["snapsets"], info["boot_backups"], info["rollback_timers"]) == ([], [], [])
    assert foreign() == ["guest/c_s", BACKUP, TIMER]
    KERNEL.write_text("kernel 2")
    refused("boot_backup", {"name": "s", "state": "restored"}, "VG guest has a snapset s of another host")
    assert KERNEL.read_text() == "kernel 2"
    adopted = four_runs("snapset", {"name": "s", "adopt": True}, commands=5).real
    steps = [[BACKUP], [TIMER], ["guest/c_s"]]
    assert adopted["planned"] == [{"step": "adopt", "volumes": volumes} for volumes in steps]
    info = ok("snapset_info", {})
    assert (info["boot_backups"], info["rollback_timers"], foreign()) == ([backup], [timer], [])
    assert not ok("rollback_timer", ARM)["changed"]
    assert ok("boot_backup", {"name": "s", "state": "restored"})["boot_backup"]["state"] == "restoring"
    assert KERNEL.read_text() == "kernel 1" * 1000
    ok("boot_backup", {"name": "s"})
    assert ok("rollback_timer", DISARM)["changed"]
    assert ok("snapset", absent("s"))["changed"]
    assert ok("boot_backup", absent("s"))["changed"]
    assert (lvm.names("guest"), is_active()) == ({"c"}, False)


def test_the_timer_of_another_host_is_not_removed() -> None:
    """If it runs here, it is stopped: then the machine-id was replaced."""
    with machine_id():
        ok("snapset", present("s", "guest/c"))
        ok("rollback_timer", ARM)
    tags = lvm.tags(TIMER)
    stopped = ok("rollback_timer", DISARM)
    assert [step["step"] for step in stopped["planned"]] == ["stop_timer"]
    assert "VG guest has a snapset s of another host" in str(stopped["warnings"])
    assert (is_active(), lvm.tags(TIMER)) == (False, tags)
    assert not ok("rollback_timer", DISARM)["changed"]
