# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans for a boot entry: their steps and the results that they predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import builders as b
import pytest
from backups import ROOT, backup, taken
from cpio import members

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.entries import (
    Kernel,
    preview_digest,
    preview_mounts,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.grub import (
    Grub,
    InstalledEntry,
    entry_id,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.menu import custom_part
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.observed import EntryObserved, Source
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.plan import (
    entry_view,
    plan_entry_absent,
    plan_entry_present,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.steps import AddToMenu, WriteEntry
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Lock, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import StepsPlan

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.units import Services

MENU = 'if [ "${next_entry}" ] ; then\nset default="0"\nfi\nsource $prefix/custom.cfg\n'
GRUB = Grub("/boot/grub", MENU, {})
KERNEL = Kernel("6.1", "vmlinuz-6.1", "initrd.img-6.1")
BOOT = Mount("/boot", "/dev/vda2", "ext4", (254, 2))
ENTRY = entry_id(b.SET_ID)


def seen(grub: Grub | None = GRUB, **more: Any) -> EntryObserved:
    """Return a host with the snapset, its backup and free space in /boot, but without an entry."""
    host_state = b.host_state([ROOT, taken(), backup()], mounts={"/": ROOT})
    devices = {**host_state.host.devices, (254, 2): BlockDevice("vda2")}
    host_state = b.mounting(host_state, BOOT, devices=MappingProxyType(devices))
    host_state = replace(host_state, host=replace(host_state.host, locks=more.pop("locks", ())))
    values: dict[str, Any] = {
        "editor": "grub-editenv",
        "environment_mount": BOOT,
        "found": (),
        "intact": frozenset(),
        "sizes": {},
        "boot_free": 200 * b.MIB,
        "boot_read_only": False,
        "boot_device": "/dev/disk/by-uuid/12-34",
        "command_line": "root=/dev/mapper/vg-root ro quiet",
        "kernels": (KERNEL,),
        "source": Source(KERNEL, ("initramfs-tools", "scripts"), 30 * b.MIB),
        **more,
    }
    return EntryObserved(snapset_context(host_state, "s"), grub, **values)


def with_entry(*, chosen: bool = False, intact: bool = True, **more: Any) -> EntryObserved:
    """Return the host of `seen` with the entry of the snapset."""
    plain = seen()
    instance = plain.context.instance
    assert instance is not None
    found = InstalledEntry(
        Path("/boot/safepoint.lvm") / b.SET_ID,
        "s",
        "6.1",
        preview_digest(preview_mounts(plain.host_state, instance), "none"),
        {},
    )
    environment = {"next_entry": ENTRY} if chosen else {}
    grub = replace(GRUB, custom=custom_part(GRUB, b.SET_ID, "menuentry"), environment=environment)
    whole = frozenset({b.SET_ID}) if intact else frozenset()
    return seen(grub, found=(found,), intact=whole, sizes={b.SET_ID: 40 * b.MIB}, **more)


def present(
    found: EntryObserved, *, kernel: str | None = None, services: Services = "none", next_boot: bool | None = None
) -> StepsPlan:
    return plan_entry_present(found, kernel=kernel, services=services, next_boot=next_boot)


def names(found: StepsPlan) -> list[str]:
    return [step.render()["step"] for step in found.steps]


def reasons(found: EntryObserved, **more: Any) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        present(found, **more)
    assert caught.value.message.startswith("cannot create the boot entry of s: ")
    return caught.value.reasons


def test_an_entry_is_written_added_and_chosen() -> None:
    plan = present(seen(), next_boot=True)
    assert names(plan) == ["write_entry", "add_to_menu", "choose_for_next_boot"]
    assert plan.after == {"name": "s", "id": b.SET_ID, "state": "present", "kernel": "6.1", "next_boot": True}
    write, add = plan.steps[:2]
    assert isinstance(write, WriteEntry)
    assert isinstance(add, AddToMenu)
    assert (write.kernel, write.device) == (KERNEL, "/dev/mapper/vg-safepoint_boot_s")
    assert "--set=root 12-34" in add.part
    assert "root=/dev/mapper/vg-root_s ro" in add.part


def test_one_that_is_whole_stays() -> None:
    found = with_entry()
    assert present(found) == StepsPlan((), entry_view(found))
    assert names(present(found, next_boot=True)) == ["choose_for_next_boot"]
    chosen = with_entry(chosen=True)
    assert present(chosen, next_boot=True) == StepsPlan((), entry_view(chosen))
    assert entry_view(chosen)["next_boot"] is True
    assert present(chosen) == StepsPlan((), entry_view(chosen))


def test_the_choice_can_be_undone() -> None:
    plan = present(with_entry(chosen=True), next_boot=False)
    assert (names(plan), plan.after["next_boot"]) == (["take_back_choice"], False)
    assert present(with_entry(), next_boot=False).steps == ()


@pytest.mark.parametrize("next_boot", [None, False])
def test_one_that_is_damaged_is_made_anew_in_its_place(*, next_boot: bool | None) -> None:
    plan = present(with_entry(chosen=True, intact=False), next_boot=next_boot)
    made = ["take_back_choice", "take_from_menu", "remove_files", "write_entry", "add_to_menu"]
    # Without a request the choice is kept.
    assert names(plan) == (made if next_boot is False else [*made, "choose_for_next_boot"])
    assert plan.after["next_boot"] is (next_boot is None)


def test_another_kernel_is_another_entry() -> None:
    assert names(present(with_entry(), kernel="6.1")) == []
    other = Source(Kernel("6.0", "vmlinuz-6.0", "initrd.img-6.0"), ("initramfs-tools", "scripts"), b.MIB)
    plan = present(with_entry(source=other), kernel="6.0")
    assert names(plan)[-2:] == ["write_entry", "add_to_menu"]
    assert plan.after["kernel"] == "6.0"


def test_other_services_are_another_entry() -> None:
    assert names(present(with_entry(), services="none")) == []
    plan = present(with_entry(), services="ssh")
    assert names(plan)[-2:] == ["write_entry", "add_to_menu"]


@pytest.mark.parametrize(("services", "limited"), [("none", True), ("ssh", True), ("all", False)])
def test_the_target_that_the_kernel_is_given_is_in_the_image(services: Services, limited: bool) -> None:  # noqa: FBT001
    write, add = present(seen(), services=services).steps
    assert isinstance(write, WriteEntry)
    assert isinstance(add, AddToMenu)
    assert ("systemd.unit=safepoint-preview.target" in add.part) is limited
    assert ("safepoint-look.target" in members(write.image)) is limited


def test_the_room_of_the_one_that_is_replaced_counts() -> None:
    assert present(with_entry(intact=False, boot_free=0)).steps
    (reason,) = reasons(seen(boot_free=b.MIB))
    assert reason.startswith("/boot has 1 MiB free, and the entry needs 34 MiB for a kernel and an initramfs")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"boot_free": None}, "/boot is not a separate filesystem, so GRUB could not find the files of the entry"),
        ({"boot_read_only": True}, "/boot is mounted read-only: mount -o remount,rw /boot"),
        ({"editor": ""}, "neither grub-editenv nor grub2-editenv is installed: install GRUB's tools"),
        ({"kernels": None}, "the backup does not contain /boot, because it was on /: it has no kernel"),
        ({"source": None, "kernels": ()}, "the backup of /boot has no kernel with an initramfs; it has: none"),
        (
            {"source": Source(KERNEL, None, 1)},
            (
                "initrd.img-6.1 is not supported: initramfs-tools or dracut must have made it, and lsinitramfs or "
                "lsinitrd must be able to list it"
            ),
        ),
        (
            {"boot_device": "/dev/vda2"},
            "the filesystem at /boot has no UUID in /dev/disk/by-uuid, so GRUB could not find it",
        ),
    ],
)
def test_what_prevents_an_entry(more: dict[str, Any], reason: str) -> None:
    assert reasons(seen(**more)) == (reason,)


def test_what_others_have_chosen_is_not_overruled() -> None:
    grub = replace(GRUB, environment={"next_entry": "1>2"})
    (reason,) = reasons(seen(grub), next_boot=True)
    assert "already chosen for the next boot, '1>2'" in reason
    assert reason.endswith("grub-editenv /boot/grub/grubenv unset next_entry")
    assert names(present(seen(grub))) == ["write_entry", "add_to_menu"]


def test_absent_takes_everything_away_the_choice_first() -> None:
    plan = plan_entry_absent(with_entry(chosen=True))
    assert names(plan) == ["take_back_choice", "take_from_menu", "remove_files"]
    assert plan.steps[1].render()["menu"] == "/boot/grub/custom.cfg"
    assert plan.after["state"] == "absent"


def test_what_an_interrupted_run_has_left_goes_too() -> None:
    half = InstalledEntry(Path("/boot/safepoint.lvm/other"))
    plan = plan_entry_absent(seen(found=(half,), sizes={"other": 1}))
    assert names(plan) == ["remove_files"]


def test_nothing_to_take_away() -> None:
    assert plan_entry_absent(seen()) == StepsPlan((), entry_view(seen()))


def test_a_preview_boot_that_needs_a_person() -> None:
    locks = (Lock("pv", "person", "/etc/crypttab has no key file for it"),)
    assert "allow_passphrase: true" in reasons(seen(locks=locks))[0]
    plan = plan_entry_present(seen(locks=locks), kernel=None, services="none", next_boot=True, allow_passphrase=True)
    assert names(plan)[-1] == "choose_for_next_boot"
    assert len(plan.warnings) == 1
    assert len(present(seen(locks=(Lock("pv", "unknown", "clevis"),))).warnings) == 1
