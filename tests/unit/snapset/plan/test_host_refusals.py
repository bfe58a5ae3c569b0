# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused because of the host around LVM: its mounts, /etc/fstab, and how it boots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host.references import of_arguments, of_fstab
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Boot, FstabEntry, Initramfs
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.present import depends_on_boot

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

A = b.volume("vg/a")
T = b.thin("vg/t")


def _mounted(mountpoint: str = "/srv", fstype: str = "ext4", **host: Any) -> HostState:
    return b.host_state([A], mounts={mountpoint: A}, fstypes={mountpoint: fstype}, **host)


@pytest.mark.parametrize("spec", ["UUID=1", "LABEL=x", "/dev/disk/by-uuid/1", "/dev/disk/by-label/x"])
def test_fstab_with_uuid_or_label(spec: str) -> None:
    (reason,) = driver.reasons(_mounted(references=tuple(of_fstab([FstabEntry(spec, "/srv")]))), b.request("vg/a"))
    assert reason.startswith(f"/etc/fstab mounts /srv by {spec}")
    assert "use /dev/mapper/vg-a there instead" in reason


def test_fstab_with_uuid_or_label_of_an_unmounted_origin() -> None:
    host_state = b.host_state([A], references=tuple(of_fstab([FstabEntry("UUID=1", "/mnt", device=(253, 0))])))
    assert driver.reasons(host_state, b.request("vg/a"))


def test_fstab_with_uuid_or_label_of_another_swap_area() -> None:
    """Every swap area has the same mountpoint."""
    other = b.volume("vg/b")
    mounts = {"[SWAP]": A}
    entry = FstabEntry("UUID=1", "[SWAP]", device=(253, 1))
    assert (
        driver.reasons(b.host_state([A, other], mounts=mounts, references=tuple(of_fstab([entry]))), b.request("vg/a"))
        == ()
    )
    mine = replace(entry, device=(253, 0))
    assert driver.reasons(
        b.host_state([A, other], mounts=mounts, references=tuple(of_fstab([mine]))), b.request("vg/a")
    )


@pytest.mark.parametrize("spec", ["/dev/mapper/vg-a", "/dev/vg/a", "PARTUUID=1"])
def test_fstab_with_device_names(spec: str) -> None:
    assert driver.reasons(_mounted(references=tuple(of_fstab([FstabEntry(spec, "/srv")]))), b.request("vg/a")) == ()


def test_fstab_of_another_filesystem() -> None:
    host_state = _mounted(
        references=tuple(of_fstab([FstabEntry("UUID=1", "/boot", device=(8, 1)), FstabEntry("UUID=2", "/gone")]))
    )
    assert driver.reasons(host_state, b.request("vg/a")) == ()


def test_a_thin_origin_can_be_in_fstab_by_uuid() -> None:
    host_state = b.host_state(
        [T, b.thin_pool()], mounts={"/srv": T}, references=tuple(of_fstab([FstabEntry("UUID=1", "/srv")]))
    )
    assert driver.reasons(host_state, b.request("vg/t")) == ()


@pytest.mark.parametrize(("mountpoint", "refused"), [("/", True), ("/srv", False)])
def test_root_argument_with_uuid(mountpoint: str, refused: bool) -> None:  # noqa: FBT001
    reasons = driver.reasons(_mounted(mountpoint, references=tuple(of_arguments(["root=UUID=1"]))), b.request("vg/a"))
    assert [reason.partition(",")[0] for reason in reasons] == ["the kernel was booted with root=UUID=1"] * refused


def test_btrfs_is_refused_for_thick_snapshots_alone() -> None:
    (reason,) = driver.reasons(_mounted(fstype="btrfs"), b.request("vg/a"))
    assert reason.startswith("vg/a has btrfs at /srv")
    host_state = b.host_state([T, b.thin_pool()], mounts={"/srv": T}, fstypes={"/srv": "btrfs"})
    assert driver.reasons(host_state, b.request("vg/t")) == ()


GOOD = Initramfs("6.1", "/boot/initrd.img-6.1", frozenset({"dm_snapshot"}))
BOOTS: dict[str, tuple[tuple[Initramfs, ...], str | None]] = {
    "bootable": ((GOOD,), None),
    "no kernel": ((replace(GOOD, kernel="6.2"),), "the running kernel 6.1 is not in /boot"),
    "no modules": ((replace(GOOD, has_modules_dir=False),), "kernel 6.1 is in /boot but has no /lib/modules/6.1"),
    "no initramfs": ((replace(GOOD, path=None),), "kernel 6.1 has no initramfs in /boot"),
    "unreadable": ((replace(GOOD, modules=None),), "/boot/initrd.img-6.1 cannot be listed"),
    "no dm-snapshot": ((replace(GOOD, modules=frozenset()),), "/boot/initrd.img-6.1 has no dm_snapshot"),
    "only dm-thin-pool": (
        (replace(GOOD, modules=frozenset({"dm_thin_pool"})),),
        "/boot/initrd.img-6.1 has no dm_snapshot",
    ),
    "the other kernel": ((GOOD, replace(GOOD, kernel="6.2", path=None)), "kernel 6.2 has no initramfs in /boot"),
}


@pytest.mark.parametrize("case", BOOTS)
def test_hosts_that_could_not_boot(case: str) -> None:
    initramfs, expected = BOOTS[case]
    reasons = driver.reasons(_mounted("/", boot=Boot("6.1", initramfs)), b.request("vg/a", ignore_uncovered=["/boot"]))
    assert len(reasons) == (expected is not None)
    assert all(reason.startswith(expected or "") for reason in reasons)


@pytest.mark.parametrize(("leaves_pollers", "warned"), [(True, 1), (False, 0)])
def test_an_initramfs_that_may_hang_is_reported(leaves_pollers: bool, warned: int) -> None:  # noqa: FBT001
    boot = Boot("6.1", (replace(GOOD, leaves_pollers=leaves_pollers), replace(GOOD, kernel="6.2")))
    warnings = driver.plan(_mounted("/", boot=boot), b.request("vg/a", ignore_uncovered=["/boot"])).warnings
    assert len(warnings) == warned
    assert all(warning.startswith("/boot/initrd.img-6.1: ") for warning in warnings)


def test_how_the_host_boots_matters_for_root_alone() -> None:
    root = b.volume("vg/root")
    host_state = b.host_state([A, root], mounts={"/srv": A, "/": root}, boot=Boot("6.1", ()))
    assert driver.reasons(host_state, b.request("vg/a")) == ()
    assert driver.reasons(host_state, b.request("vg/root"))


def test_how_the_host_boots_is_read_only_if_root_will_be_protected() -> None:
    """It takes seconds to list every initramfs."""
    other = b.volume("vg/b")
    mounts = {"/": A, "/srv": other}
    fresh, taken = (b.host_state([A, other, *more], mounts=mounts) for more in ([], [b.member(A)]))
    assert depends_on_boot(fresh, b.request("vg/b", "vg/a"))
    assert depends_on_boot(fresh, b.single_request("vg/a"))
    assert not depends_on_boot(fresh, b.request("vg/b"))
    assert not depends_on_boot(taken, b.request("vg/a"))


def test_a_thin_root_needs_another_module() -> None:
    def reasons(module: str) -> tuple[str, ...]:
        boot = Boot("6.1", (replace(GOOD, modules=frozenset({module})),))
        return driver.reasons(b.host_state([T, b.thin_pool()], mounts={"/": T}, boot=boot), b.request("vg/t"))

    assert reasons("dm_thin_pool") == ()
    (reason,) = reasons("dm_snapshot")
    assert reason.startswith("/boot/initrd.img-6.1 has no dm_thin_pool")


@pytest.mark.parametrize("separate", ["/usr", "/var", "/var/lib", "/etc", "/opt"])
def test_the_system_must_be_protected_with_root(separate: str) -> None:
    other = b.volume("vg/b")
    host_state = b.host_state([A, other], mounts={"/": A, separate: other})
    (reason,) = driver.reasons(host_state, b.request("vg/a"))
    assert reason.startswith(f"/ is protected, but {separate} is a separate filesystem and is not")
    assert driver.reasons(host_state, b.request("vg/a", "vg/b")) == ()
    assert driver.reasons(host_state, b.request("vg/a", ignore_uncovered=[separate])) == ()
    assert driver.reasons(host_state, b.request("vg/b")) == ()


@pytest.mark.parametrize("mountpoint", ["/boot", "/boot/efi", "/boot/firmware", "/efi"])
def test_boot_filesystems_cannot_be_members(mountpoint: str) -> None:
    host_state = b.host_state([A, T, b.thin_pool()], mounts={mountpoint: A})
    (reason,) = driver.reasons(host_state, b.request("vg/a"))
    assert reason.startswith(f"{mountpoint} is on vg/a, and the boot loader would read it half merged: leave it out")
    thin = b.host_state([T, b.thin_pool()], mounts={mountpoint: T})
    assert driver.reasons(thin, b.request("vg/t")) == ()


def test_kernels_on_a_root_that_is_merged() -> None:
    kernels = Boot("6.1", (GOOD,))
    (reason,) = driver.reasons(b.host_state([A], mounts={"/": A}, boot=kernels), b.request("vg/a"))
    assert reason.startswith("/boot is on / (vg/a), and the boot loader would read it half merged or still changed")
    assert (
        driver.reasons(b.host_state([A], mounts={"/": A}, boot=kernels), b.request("vg/a", ignore_uncovered=["/boot"]))
        == ()
    )
    other = b.volume("vg/b")
    assert (
        driver.reasons(b.host_state([A, other], mounts={"/": A, "/boot": other}, boot=kernels), b.request("vg/a")) == ()
    )
    thin = replace(GOOD, modules=frozenset({"dm_thin_pool"}))
    root = b.host_state([T, b.thin_pool()], mounts={"/": T}, boot=Boot("6.1", (thin,)))
    assert driver.reasons(root, b.request("vg/t")) == ()


def test_home_need_not_be_protected_with_root() -> None:
    other = b.volume("vg/b")
    assert driver.reasons(b.host_state([A, other], mounts={"/": A, "/home": other}), b.request("vg/a")) == ()
