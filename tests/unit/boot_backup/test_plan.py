# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans for a backup of /boot: their steps and the results that they predict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders as b
import pytest
from backups import OTHER_ID, ROOT, TREE, backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.observed import (
    BackupRequest,
    BootObserved,
    Room,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.plan import backup_view, plan_backup, refusal
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.firmware import (
    BOOT_ORDER,
    REVOCATIONS,
    SECURE_BOOT,
    Firmware,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Manifest, Tree, digest_of
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import Retag
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import FileStep, StepsPlan

REMOVAL = ["unseal", "erase", "remove"]
CHANGED = Tree(
    "/boot",
    "ext4",
    {
        "vmlinuz": Entry(kind="file", size=9 * b.MIB, sha256="new"),
        "vmlinuz-2": Entry(kind="file", size=b.MIB, sha256="two"),
        "grub": Entry(kind="directory"),
    },
)


def seen(*volumes: Any, present: Tree = TREE, saved: tuple[Tree, ...] = (), **more: Any) -> BootObserved:
    rooms = more.pop("rooms", {"/boot": Room(free=100 * b.MIB, read_only=False)})
    manifest = Manifest(saved, more.pop("known", Firmware()))
    return BootObserved(snapset_context(host(*volumes), "s"), present=(present,), saved=manifest, rooms=rooms, **more)


def plan(state: str, found: BootObserved, vg: str | None = None) -> StepsPlan:
    return plan_backup(found, state=state, vg=vg)


def names(found: StepsPlan) -> list[str]:
    return [step.render()["step"] for step in found.steps]


def reasons(state: str, found: BootObserved) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        plan(state, found)
    assert caught.value.message.startswith(f"{refusal('s', state)}: ")
    return caught.value.reasons


def test_a_backup_is_made_saved_and_sealed_with_what_was_seen() -> None:
    made = plan("present", seen())
    assert names(made) == ["create_backup", "save", "seal"]
    assert made.steps[1].render() == {"step": "save", "mountpoints": ["/boot"], "files": 1, "bytes": 9 * b.MIB}
    seal = made.steps[2]
    assert isinstance(seal, Retag)
    assert digest_of((TREE,), Firmware()) in seal.add[0]
    assert (made.after["state"], made.after["id"], made.after["volume"]) == ("present", None, "safepoint_boot_s")


def test_one_that_holds_what_is_there_stays() -> None:
    found = seen(backup(set_id=OTHER_ID), saved=(TREE,))
    assert plan("present", found) == StepsPlan((), backup_view(found))


@pytest.mark.parametrize("saved", [(CHANGED,), (TREE, replace(TREE, mountpoint="/boot/efi")), ()])
def test_one_that_holds_something_else_is_replaced(saved: tuple[Tree, ...]) -> None:
    made = plan("present", seen(backup(set_id=OTHER_ID), saved=saved))
    assert names(made) == [*REMOVAL, "create_backup", "save", "seal"]


def test_for_a_set_that_exists_only_a_restoration_is_taken_back() -> None:
    found = seen(taken(), backup(), restoring={b.SET_ID: ("/boot/efi", "/boot")})
    back = plan("present", found)
    assert [step.render()["mountpoint"] for step in back.steps] == ["/boot/efi", "/boot"]
    assert (backup_view(found)["state"], back.after["state"]) == ("restoring", "present")
    assert plan("present", seen(taken(), backup())).steps == ()


def test_what_prevents_a_backup() -> None:
    assert reasons("present", seen(entries=("s", "t"), missing_tools=("mkfs.ext4",))) == (
        (
            "the boot menu has entries for preview boots of s, t, and a rollback would bring them back: remove them "
            "first (boot_entry, state: absent)"
        ),
        "the program mkfs.ext4 is missing: install it",
    )


def test_before_the_merge_nothing_that_the_host_may_need_goes() -> None:
    found = seen(taken(), backup(), present=CHANGED, saved=(TREE,))
    back = plan("restored", found)
    assert [step.render() for step in back.steps] == [
        {
            "step": "restore",
            "mountpoint": "/boot",
            "added": [],
            "replaced": ["vmlinuz"],
            "removed": [],
            "altered": [],
        },
        {"step": "make_read_only", "mountpoints": ["/boot"]},
    ]
    assert back.after["state"] == "restoring"
    step = back.steps[0]
    assert isinstance(step, FileStep)
    (change,) = step.changed_files()
    assert (change.path, change.before) == ("/boot/vmlinuz", f"{9 * b.MIB} bytes, sha256 new")


def test_nothing_to_bring_back_before_the_merge() -> None:
    """Then nothing may change either."""
    found = seen(taken(), backup(), saved=(TREE,))
    assert names(plan("restored", found)) == ["make_read_only"]
    held = replace(found, held={"/boot": b.SET_ID})
    assert plan("restored", held) == StepsPlan((), backup_view(held))
    assert backup_view(held)["state"] == "restoring"
    # It is not held for this backup.
    assert names(plan("restored", replace(found, held={"/boot": OTHER_ID}))) == ["make_read_only"]


def test_what_is_read_only_becomes_writable_first_and_last() -> None:
    read_only = {"/boot": Room(free=100 * b.MIB, read_only=True)}
    held = seen(taken(), backup(), present=CHANGED, saved=(TREE,), held={"/boot": b.SET_ID}, rooms=read_only)
    assert names(plan("restored", held)) == ["make_writable", "restore", "make_read_only"]
    started = replace(held, restoring={b.SET_ID: ("/boot",)})
    for state, last in (("present", []), ("absent", REMOVAL)):
        assert names(plan(state, started)) == ["make_writable", "undo_restore", *last]
        assert names(plan(state, held)) == ["make_writable", *last]
    final = rolled_back(CHANGED, held={"/boot": b.SET_ID}, rooms=read_only)
    assert names(plan("restored", final)) == ["make_writable", "restore", "restored"]
    assert backup_view(started)["state"] == backup_view(held)["state"] == "restoring"


KNOWN = Firmware({BOOT_ORDER: b"....\1\0", SECURE_BOOT: b"\6\0\0\0\1"})


def test_the_order_of_boot_entries_is_restored() -> None:
    now = Firmware({**KNOWN.variables, BOOT_ORDER: b"....\2\0\1\0"})
    back = plan("restored", seen(taken(), backup(), saved=(TREE,), known=KNOWN, firmware=now))
    assert names(back) == ["restore_firmware", "make_read_only"]
    assert back.steps[0].render() == {"step": "restore_firmware", "variables": [BOOT_ORDER]}
    assert names(plan("restored", rolled_back(TREE, known=KNOWN, firmware=now))) == ["restore_firmware", "restored"]


@pytest.mark.parametrize("revoked", REVOCATIONS)
def test_boot_loaders_that_the_firmware_may_refuse_are_not_restored(revoked: str) -> None:
    esp, other = (Tree("/boot", "vfat", {"EFI/x.efi": Entry(kind="file", sha256=text)}) for text in "12")
    now = Firmware({**KNOWN.variables, BOOT_ORDER: b"....\2\0", revoked: b"more"})
    back = plan("restored", seen(taken(), backup(), present=other, saved=(esp,), known=KNOWN, firmware=now))
    assert names(back) == ["make_read_only"]
    (warning,) = back.warnings
    assert "since the backup was made, Secure Boot revokes more programs" in warning
    assert "1 files stay as they are, and so do the boot entries" in warning


@pytest.mark.parametrize(
    ("path", "machine", "name"),
    [
        ("EFI/BOOT/limine.conf", "x86_64", "Limine"),
        ("EFI/refind/refind.conf", "x86_64", "rEFInd"),
        ("x", "s390x", "zipl"),
    ],
)
def test_boot_loaders_for_which_files_are_not_enough(path: str, machine: str, name: str) -> None:
    found = seen(present=Tree("/boot", "vfat", {path: Entry(kind="file")}), machine=machine)
    (reason,) = reasons("present", found)
    assert name in reason
    assert "only GRUB, systemd-boot, extlinux" in reason
    assert names(plan("present", replace(found, present=(TREE,), machine="x86_64"))) == [
        "create_backup",
        "save",
        "seal",
    ]


def test_one_that_has_been_brought_back_stays() -> None:
    assert plan("restored", seen(taken(), backup(restored=True))).steps == ()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"rooms": {}}, "/boot was a separate filesystem and is not mounted: mount it"),
        (
            {"rooms": {"/boot": Room(free=0, read_only=True)}},
            "/boot is mounted read-only: mount -o remount,rw /boot",
        ),
        (
            {"rooms": {"/boot": Room(free=b.MIB, read_only=False)}},
            (
                "/boot has 1 MiB free, and restoring it needs 9 MiB: delete files there; the change has added: "
                "/boot/vmlinuz-2"
            ),
        ),
        (
            {"present": Tree("/boot", "ext4", {**TREE.entries, "nfs": Entry(kind="mountpoint")})},
            "/boot/nfs is a mountpoint and was not one when /boot was saved: unmount it",
        ),
    ],
)
def test_what_prevents_a_restoration(more: dict[str, Any], reason: str) -> None:
    assert reasons("restored", seen(taken(), backup(), **{"present": CHANGED, "saved": (TREE,), **more})) == (reason,)


def test_a_backup_that_is_not_active_cannot_be_read() -> None:
    (reason,) = reasons("restored", seen(taken(), backup(active=False), present=CHANGED))
    assert reason == "the backup's LV vg/safepoint_boot_s is not active: lvchange -ay vg/safepoint_boot_s"


def test_a_restoration_is_taken_back_before_the_backup_goes() -> None:
    found = seen(taken(), backup(), restoring={b.SET_ID: ("/boot",)})
    gone = plan("absent", found)
    assert names(gone) == ["undo_restore", *REMOVAL]
    assert gone.after["state"] == "absent"
    nothing = seen()
    assert plan("absent", nothing) == StepsPlan((), backup_view(nothing))


def rolled_back(present: Tree, **more: Any) -> BootObserved:
    """Return a host that has been rolled back, apart from /boot."""
    found = seen(backup(), present=present, **{"saved": (TREE,), **more})
    tagged = [
        replace(one, tags=(b.outcome_tag("rolled_back"),)) for one in found.host_state.volumes if one.key == ROOT.key
    ]
    others = [one for one in found.host_state.volumes if one.key != ROOT.key]
    return replace(found, context=snapset_context(replace(found.host_state, volumes=(*tagged, *others)), "s"))


def test_after_the_merge_it_is_exactly_what_it_was() -> None:
    back = plan("restored", rolled_back(CHANGED))
    assert names(back) == ["restore", "restored"]
    assert back.steps[0].render()["removed"] == ["vmlinuz-2"]
    assert back.after["state"] == "restored"


def test_after_the_merge_our_own_directory_goes_too() -> None:
    assert names(plan("restored", rolled_back(TREE))) == ["restored"]
    assert names(plan("restored", rolled_back(TREE, restoring={b.SET_ID: ("/boot",)}))) == ["restore", "restored"]


def test_a_backup_that_is_still_needed_is_not_removed() -> None:
    assert reasons("absent", rolled_back(CHANGED, restoring={b.SET_ID: ("/boot",)})) == (
        (
            "the host was rolled back, but /boot was restored only in part: finish the restoration first "
            "(state: restored)"
        ),
    )


def encrypted(pv_names: tuple[str, ...], *, boot: bool = False, **more: Any) -> BootObserved:
    """A host whose disk vda1 is encrypted as the device pv; with ``boot`` also /boot."""
    found = seen(**more)
    crypt = BlockDevice("dm-9", dm_name="pv", dm_uuid="CRYPT-LUKS2-1-pv", slaves=((254, 9),))
    on_boot = {(254, 0): BlockDevice("vda0", slaves=((252, 9),))} if boot else {}
    known = {**found.host_state.host.devices, (254, 9): BlockDevice("vda1"), (252, 9): crypt, **on_boot}
    host_state = replace(
        found.host_state,
        host=replace(found.host_state.host, devices=known),
        volume_groups=(b.group("vg", pv_names=pv_names),),
    )
    return replace(found, context=replace(found.context, host_state=host_state))


@pytest.mark.parametrize(
    ("pv_names", "more", "reason"),
    [
        (("/dev/mapper/pv",), {"boot": True, "keys": ("6.1",)}, None),
        (("/dev/vda1",), {}, None),
        (("/dev/vda1",), {"boot": True}, "/boot is encrypted, but VG vg is not"),
        (("/dev/mapper/pv", "/dev/vda1"), {"keys": ("6.1",)}, "initramfs of 6.1 contains a key file"),
        (("/dev/disk/by-id/x",), {"keys": ("6.1",)}, "initramfs of 6.1 contains a key file"),
        (("/dev/vda1",), {"boot": True, "request": BackupRequest(allow_unencrypted=True)}, None),
    ],
)
def test_secrets_are_not_copied_to_a_vg_that_is_not_encrypted(
    pv_names: tuple[str, ...], more: dict[str, Any], reason: str | None
) -> None:
    found = encrypted(pv_names, **more)
    if reason is None:
        assert names(plan("present", found)) == ["create_backup", "save", "seal"]
    else:
        (only,) = reasons("present", found)
        assert reason in only
        assert "allow_unencrypted: true" in only


@pytest.mark.parametrize("volumes", [(), (backup(set_id=OTHER_ID),), (taken(),)])
def test_undoing_never_makes_a_backup(volumes: tuple[Any, ...]) -> None:
    """Somebody may have removed the snapset, with its backup or not yet."""
    found = seen(*volumes, request=BackupRequest(only_undo=True))
    assert plan("present", found) == StepsPlan((), backup_view(found))


def test_undoing_undoes_a_restoration() -> None:
    found = seen(taken(), backup(), restoring={b.SET_ID: ("/boot",)}, request=BackupRequest(only_undo=True))
    assert names(plan("present", found)) == ["undo_restore"]
