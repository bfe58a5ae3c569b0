# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans for a backup of /boot: their steps and the results that they predict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders as b
import pytest
from backups import OTHER_ID, ROOT, TREE, backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.observed import BootObserved, Room
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.plan import backup_view, plan_backup, refusal
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree, digest_of
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import Retag
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import FileStep, StepsPlan

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
    return BootObserved(snapset_context(host(*volumes), "s"), present=(present,), saved=saved, rooms=rooms, **more)


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
    assert digest_of((TREE,)) in seal.add[0]
    assert (made.after["state"], made.after["id"], made.after["volume"]) == ("present", None, "safepoint_boot_s")


def test_one_that_holds_what_is_there_stays() -> None:
    found = seen(backup(set_id=OTHER_ID), saved=(TREE,))
    assert plan("present", found) == StepsPlan((), backup_view(found))


@pytest.mark.parametrize("saved", [(CHANGED,), (TREE, replace(TREE, mountpoint="/boot/efi")), ()])
def test_one_that_holds_something_else_is_replaced(saved: tuple[Tree, ...]) -> None:
    made = plan("present", seen(backup(set_id=OTHER_ID), saved=saved))
    assert names(made) == ["remove", "create_backup", "save", "seal"]


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
        }
    ]
    assert back.after["state"] == "restoring"
    (step,) = back.steps
    assert isinstance(step, FileStep)
    (change,) = step.changed_files()
    assert (change.path, change.before) == ("/boot/vmlinuz", f"{9 * b.MIB} bytes, sha256 new")


def test_nothing_to_bring_back_before_the_merge() -> None:
    found = seen(taken(), backup(), saved=(TREE,))
    assert plan("restored", found) == StepsPlan((), backup_view(found))


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
    assert names(gone) == ["undo_restore", "remove"]
    assert gone.after["state"] == "absent"
    nothing = seen()
    assert plan("absent", nothing) == StepsPlan((), backup_view(nothing))


def rolled_back(present: Tree, **more: Any) -> BootObserved:
    """Return a host that has been rolled back, apart from /boot."""
    found = seen(backup(), present=present, saved=(TREE,), **more)
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
