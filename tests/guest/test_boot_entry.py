# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create, select, repair and remove a boot entry, on the real /boot of the guest. The scenario `look` boots it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import absent, call, ok, refused, start

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT = Path("/boot")
HOME = BOOT / "safepoint.lvm"
GRUB = BOOT / "grub"
CUSTOM = GRUB / "custom.cfg"
ENTRY = {"name": "s"}
SELECTED = {"name": "s", "next_boot": True}
REMOVE = {"name": "s", "state": "absent"}


@pytest.fixture(scope="module", autouse=True)
def set_id(keeper: storage.Keeper) -> Iterator[str]:
    """The ID of a set of the root filesystem of the guest, with a backup of /boot."""
    assert keeper is not None
    backup = ok("boot_backup", {"name": "s"})["boot_backup"]["id"]
    root = {"name": "s", "mountpoints": ["/"], "ignore_uncovered": ["/var"], "size": "200MiB", "id": backup}
    ok("snapset", root)
    yield backup
    ok("snapset", absent("s"))
    ok("boot_backup", REMOVE)


@pytest.fixture(autouse=True)
def _menu(set_id: str) -> Iterator[None]:
    assert set_id
    environment = (GRUB / "grubenv").read_bytes()
    yield
    ok("boot_entry", {**REMOVE, "lock_timeout": 60})
    (GRUB / "grubenv").write_bytes(environment)
    CUSTOM.unlink(missing_ok=True)


def state() -> tuple[dict[str, bytes], str]:
    """Everything that the module may change."""
    files = {str(path): path.read_bytes() for path in [*HOME.rglob("*"), *GRUB.glob("*.cfg")] if path.is_file()}
    return files, next_entry()


def next_entry() -> str:
    listed = subprocess.run(["grub-editenv", str(GRUB / "grubenv"), "list"], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in listed.stdout.splitlines()).get("next_entry", "")


def run_and_repeat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run it in check mode, for real, and again: only the real run changes files, as predicted, and nothing in LVM."""
    before = (state(), storage.seqnos())
    check = ok("boot_entry", arguments, check=True)
    assert ((state(), storage.seqnos()), check["commands"]) == (before, [])
    real = ok("boot_entry", arguments)
    assert (check["changed"], check["planned"]) == (real["changed"], real["planned"]) == (True, real["planned"])
    assert check["boot_entry"] == real["boot_entry"]
    after = state()
    again = ok("boot_entry", arguments)
    assert (again["changed"], again["planned"], again["boot_entry"]) == (False, [], real["boot_entry"])
    assert real["commands"] == again["commands"] == []
    assert (state(), storage.seqnos()) == (after, before[1])
    return real


def test_create_select_and_remove(set_id: str) -> None:
    CUSTOM.write_text("menuentry 'of the administrator' { true }")
    before = state()
    made = run_and_repeat(dict(ENTRY))
    kernel = os.uname().release
    assert made["boot_entry"] == {"name": "s", "id": set_id, "state": "present", "kernel": kernel, "next_boot": False}
    assert [step["step"] for step in made["planned"]] == ["write_entry", "add_to_menu"]
    assert ok("snapset_info", {})["boot_entries"] == [made["boot_entry"]]
    lvm.run("grub-script-check", str(CUSTOM))
    assert "of the administrator" in CUSTOM.read_text()
    place = HOME / set_id
    assert (place / "vmlinuz").read_bytes() == (BOOT / f"vmlinuz-{kernel}").read_bytes()
    assert (place / "initrd.img").read_bytes() == (BOOT / f"initrd.img-{kernel}").read_bytes()
    selected = run_and_repeat(dict(SELECTED))
    assert [step["step"] for step in selected["planned"]] == ["choose_for_next_boot"]
    assert (next_entry(), selected["boot_entry"]["next_boot"]) == (f"Safepoint-{set_id}", True)
    assert not ok("boot_entry", dict(ENTRY))["changed"]
    deselected = run_and_repeat({**ENTRY, "next_boot": False})
    assert [step["step"] for step in deselected["planned"]] == ["take_back_choice"]
    assert (next_entry(), deselected["boot_entry"]["next_boot"]) == ("", False)
    ok("boot_entry", SELECTED)
    removed = run_and_repeat(dict(REMOVE))
    assert [step["step"] for step in removed["planned"]] == ["take_back_choice", "take_from_menu", "remove_files"]
    assert {**before[0], str(CUSTOM): CUSTOM.read_bytes()} == state()[0]
    assert CUSTOM.read_text().rstrip("\n") == "menuentry 'of the administrator' { true }"
    assert (HOME.exists(), next_entry()) == (False, "")


@pytest.mark.parametrize("lost", ["vmlinuz", "look.img", "entry.json", "menu"])
def test_a_damaged_entry_is_recreated(set_id: str, lost: str) -> None:
    ok("boot_entry", SELECTED)
    if lost == "menu":
        CUSTOM.unlink()
    else:
        (HOME / set_id / lost).write_bytes(b"?")
    made = run_and_repeat(dict(SELECTED))
    assert [step["step"] for step in made["planned"]][-3:] == ["write_entry", "add_to_menu", "choose_for_next_boot"]
    assert CUSTOM.read_text().count("menuentry") == 1


def test_an_entry_of_an_earlier_instance_is_removed(set_id: str) -> None:
    ok("boot_entry", SELECTED)
    old = HOME / ("e" * 32)
    (HOME / set_id).rename(old)
    CUSTOM.write_text(CUSTOM.read_text().replace(set_id, old.name))
    made = run_and_repeat(dict(ENTRY))
    assert made["boot_entry"]["id"] == set_id
    assert [path.name for path in HOME.iterdir()] == [set_id]
    assert old.name not in CUSTOM.read_text()


def test_refusals(set_id: str) -> None:
    refused("boot_entry", {**ENTRY, "name": "other"}, "snapset other does not exist: take it first, or check the name")
    refused(
        "boot_entry",
        {**ENTRY, "kernel": "5"},
        f"no kernel 5 with an initramfs; it has: {re.escape(os.uname().release)}",
    )
    lvm.run("grub-editenv", str(GRUB / "grubenv"), "set", "next_entry=1>2")
    assert ok("boot_entry", ENTRY)["changed"]
    refused("boot_entry", SELECTED, "already chosen for the next boot, '1>2'", "grubenv unset next_entry")
    ok("boot_entry", REMOVE)
    assert next_entry() == "1>2"
    lvm.run("mount", "-o", "remount,ro", str(BOOT))
    try:
        refused("boot_entry", ENTRY, "/boot is mounted read-only: mount -o remount,rw /boot")
    finally:
        lvm.run("mount", "-o", "remount,rw", str(BOOT))
    assert not (HOME / set_id).exists()


def test_a_damaged_environment_block() -> None:
    ok("boot_entry", ENTRY)
    block = (GRUB / "grubenv").read_bytes()
    (GRUB / "grubenv").write_bytes(b"damaged")
    try:
        found = ok("snapset_info", {})
        refused("boot_entry", REMOVE, "invalid environment block")
        # The entry would come back with the backup.
        refused("boot_backup", {"name": "other"}, "preview boots of s")
    finally:
        (GRUB / "grubenv").write_bytes(block)
    assert [(one["name"], one["next_boot"]) for one in found["boot_entries"]] == [("s", None)]
    assert "cannot read whether a boot entry is selected" in str(found["warnings"])


def test_an_unsuitable_menu() -> None:
    menu = (GRUB / "grub.cfg").read_text()
    try:
        (GRUB / "grub.cfg").write_text(menu.replace("next_entry", "other_entry").replace("custom.cfg", "other.cfg"))
        refused("boot_entry", ENTRY, "does not use next_entry", "does not read custom.cfg")
    finally:
        (GRUB / "grub.cfg").write_text(menu)


def test_boot_loader_specification() -> None:
    """As on Enterprise Linux. The entry is in custom.cfg there too, so the files of the host stay as they are."""
    loader, menu = BOOT / "loader", (GRUB / "grub.cfg").read_text()
    (loader / "entries").mkdir(parents=True)
    (loader / "entries/machine-6.1.conf").write_text("title of the host\n")
    try:
        (GRUB / "grub.cfg").write_text(menu.replace('set default="0"', 'set default="${saved_entry}"') + "blscfg\n")
        run_and_repeat(dict(SELECTED))
        assert 'set fallback="${saved_entry}"' in CUSTOM.read_text()
        assert "menuentry" in CUSTOM.read_text()
        run_and_repeat(dict(REMOVE))
        assert [path.name for path in (loader / "entries").iterdir()] == ["machine-6.1.conf"]
    finally:
        (GRUB / "grub.cfg").write_text(menu)
        shutil.rmtree(loader)


def test_no_space() -> None:
    full = BOOT / "full"
    try:
        with full.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, os.statvfs(BOOT).f_bavail * os.statvfs(BOOT).f_frsize - 2**22)
        refused("boot_entry", ENTRY, "/boot has .* free, and the entry needs")
    finally:
        full.unlink()


def test_undo_if_the_menu_cannot_be_changed() -> None:
    CUSTOM.mkdir()
    try:
        result = call("boot_entry", ENTRY)
        assert result["failed"]
    finally:
        CUSTOM.rmdir()
    assert not HOME.exists()
    assert "Traceback" not in str(result)


@pytest.mark.parametrize("delay", [0.8, 2.0])
def test_killed_while_creating(delay: float) -> None:
    running = start("boot_entry", SELECTED)
    time.sleep(delay)
    running.kill()
    assert "safepoint.lvm/mnt" not in Path("/proc/self/mountinfo").read_text()
    assert ok("boot_entry", {**SELECTED, "lock_timeout": 60})["boot_entry"]["next_boot"]
    run_and_repeat(dict(REMOVE))
    assert not HOME.exists()
