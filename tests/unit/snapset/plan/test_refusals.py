# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before anything is changed, each with a reason that names the cause."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._model import Boot, FstabEntry, Initramfs
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.present import will_protect_root

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

A = b.volume("vg/a")
T = b.thin("vg/t")
PUBLIC = frozenset({"public"})


def _roles(*words: str) -> frozenset[str]:
    return PUBLIC | set(words)


# Problems of the origin vg/a, each with a part of the reason that no other refusal has.
ORIGINS: dict[str, tuple[dict[str, Any], str]] = {
    "a pool": ({"layout": frozenset({"thin", "pool"})}, "vg/a is a pool, which cannot be an origin"),
    "hidden": ({"roles": frozenset({"private"})}, "vg/a is an internal LV of LVM"),
    "sparse": ({"layout": frozenset({"virtual"})}, "vg/a is a sparse volume"),
    "sparse by its origin": ({"origin": "a_vorigin"}, "vg/a is a sparse volume"),
    "external origin": ({"roles": _roles("origin", "extthinorigin")}, "vg/a is the external origin of thin volumes"),
    "old mirror": ({"layout": frozenset({"mirror"})}, "vg/a is a mirror of the old segment type"),
    "read-only": ({"writable": False}, "vg/a is read-only, so LVM could not merge into it: type lvchange"),
    "unhealthy": ({"health": "partial"}, "vg/a is not healthy (partial): repair it first"),
    "suspended": ({"suspended": True}, "vg/a is suspended: find the cause, then type dmsetup resume /dev/mapper/vg-a"),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_origin(case: str) -> None:
    facts, expected = ORIGINS[case]
    (reason,) = driver.reasons(b.host_state([replace(A, **facts)]), b.request("vg/a"))
    assert reason.startswith(expected)


def test_raid_with_integrity_is_identified_by_its_legs() -> None:
    leg = b.volume("vg/a_rimage_0", roles=frozenset({"private", "raid", "image"}), layout=frozenset({"integrity"}))
    (reason,) = driver.reasons(b.host_state([A, leg]), b.request("vg/a"))
    assert reason.startswith("vg/a is a RAID volume with integrity")


def test_a_vdo_volume_that_has_a_snapshot() -> None:
    """Only with a snapshot, LVM reports it as private and virtual (recorded by hand from LVM 2.03.31)."""
    roles, layout = frozenset({"private", "origin", "thickorigin"}), frozenset({"vdo", "sparse", "virtual"})
    origin = b.volume("vg/a", segtype="vdo", pool="vpool0", roles=roles, layout=layout)
    host_state = b.host_state([origin, b.member(origin)])
    assert driver.reasons(host_state, b.request("vg/a")) == ()
    assert driver.reasons(host_state, b.request("vg/a", state="merged")) == ()


@pytest.mark.parametrize("roles", ["private,thin,pool,data", "private,cache,origin,cacheorigin"])
def test_an_internal_vdo_volume(roles: str) -> None:
    hidden = b.volume("vg/x", segtype="vdo", roles=frozenset(roles.split(",")))
    (reason,) = driver.reasons(b.host_state([A, hidden]), b.request("vg/x"))
    assert reason.startswith("vg/x is an internal LV of LVM")


@pytest.mark.parametrize("layout", ["linear", "striped", "raid,raid1", "cache", "writecache"])
def test_types_of_origins_that_lvm_accepts(layout: str) -> None:
    origin = replace(A, layout=frozenset(layout.split(",")))
    assert driver.reasons(b.host_state([origin]), b.request("vg/a")) == ()


@pytest.mark.parametrize("origin", [A, T])
def test_a_snapshot_as_origin(origin: Volume) -> None:
    host_state = b.host_state([origin, b.snapshot(origin, "snap"), b.thin_pool()])
    (reason,) = driver.reasons(host_state, b.request("vg/snap"))
    assert reason == "vg/snap is a snapshot, which cannot be an origin"


@pytest.mark.parametrize("origin", [A, T])
def test_an_origin_with_a_merging_snapshot(origin: Volume) -> None:
    snapshot = b.snapshot(origin, "old", merging=True)
    (reason,) = driver.reasons(b.host_state([origin, snapshot, b.thin_pool()]), b.request(f"vg/{origin.name}"))
    assert reason.startswith(f"vg/old will be merged into vg/{origin.name} at the next activation")


def test_a_thin_origin_with_a_thick_snapshot() -> None:
    host_state = b.host_state([T, b.thick_snapshot(T, "cow"), b.thin_pool()])
    (reason,) = driver.reasons(host_state, b.request("vg/t"))
    assert reason.startswith("vg/t is thin and has a thick snapshot (vg/cow)")


@pytest.mark.parametrize("more", [b.thick_snapshot(A, "one"), b.thick_snapshot(A, "invalid_one", invalid=True)])
def test_other_snapshots_of_a_thick_origin_do_no_harm(more: Volume) -> None:
    assert driver.reasons(b.host_state([A, more]), b.request("vg/a")) == ()


@pytest.mark.parametrize("name", ["/dev/vg/a", "/dev/mapper/vg-a"])
def test_a_pv_on_the_origin(name: str) -> None:
    groups = [b.group(), b.group("inner", pv_names=("/dev/sda", name))]
    (reason,) = driver.reasons(b.host_state([A], groups=groups), b.request("vg/a"))
    assert reason.startswith("vg/a is a PV of VG inner, and a thick snapshot would be a duplicate of it")
    groups = [b.group(), b.group("inner", pv_names=(f"{name[:-1]}t",))]
    assert driver.reasons(b.host_state([T, b.thin_pool()], groups=groups), b.request("vg/t")) == (), "it stays inactive"


def test_a_name_too_long_for_the_hidden_device() -> None:
    # vg-NAME-real has to fit, while the snapshot gets a short, hashed name.
    for length, refused in ((119, False), (120, True)):
        reasons = driver.reasons(b.host_state([b.volume(f"vg/{'a' * length}")]), b.request(f"vg/{'a' * length}"))
        assert any("is too long" in reason for reason in reasons) == refused


GROUPS: dict[str, tuple[dict[str, Any], str]] = {
    "partial": ({"partial": True}, "VG vg is partial (a PV is missing)"),
    "exported": ({"exported": True}, "VG vg is exported: type vgimport vg"),
    "shared": ({"lock_type": "sanlock"}, "VG vg is shared (lock type sanlock)"),
}


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
@pytest.mark.parametrize("case", GROUPS)
def test_group(case: str, state: Any) -> None:
    facts, expected = GROUPS[case]
    volumes = [A] if state == "present" else [A, b.member(A)]
    (reason,) = driver.reasons(b.host_state(volumes, groups=[b.group(**facts)]), b.request("vg/a", state=state))
    assert reason.startswith(expected)


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_an_unusable_group_without_members_of_the_set(state: Any) -> None:
    volumes = [A, b.member(A)] if state != "present" else [A]
    groups = [b.group(), b.group("sick", partial=True, exported=True, lock_type="dlm")]
    host_state = b.host_state([*volumes, b.volume("sick/x")], groups=groups)
    assert driver.reasons(host_state, b.request("vg/a", state=state)) == ()


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 0), ("absent", 1)])
def test_what_lvm_could_not_read_may_hide_members(state: Any, members: int) -> None:
    # One of two members is visible, or none.
    host_state = b.host_state([A, *[b.member(A, count=2)] * members], unread="/dev/sdx: checksum error")
    reasons = driver.reasons(host_state, b.request("vg/a", state=state))
    expected = "members may be hidden: LVM could not read everything: /dev/sdx: checksum error"
    assert expected in reasons


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 0), ("absent", 1)])
def test_active_volumes_that_lvm_does_not_show(state: Any, members: int) -> None:
    other = b.volume("else/x")
    seen = b.host_state([A, *[b.member(A, count=2)] * members, other])
    host_state = replace(seen, volumes=seen.volumes[:-1], volume_groups=seen.volume_groups[:-1])
    reasons = driver.reasons(host_state, b.request("vg/a", state=state))
    expected = "members may be hidden: LVM does not show the VG of active LVs (else-x)"
    assert any(reason.startswith(expected) for reason in reasons), reasons
    assert any("does not show the VG of active LVs (else-x)" in one for one in host_info(host_state, None)["warnings"])
    assert not any("members may be hidden" in one for one in driver.reasons(seen, b.request("vg/a", state=state)))


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_lvm_does_not_know_what_is_active(state: Any) -> None:
    volumes = [A, b.member(A)] if state != "present" else [A]
    host_state = b.host_state([replace(volume, active=None, open=None) for volume in volumes])
    expected = "LVM does not know which LVs are active"
    assert any(reason.startswith(expected) for reason in driver.reasons(host_state, b.request("vg/a", state=state)))
    assert any(warning.startswith(expected) for warning in host_info(host_state, None)["warnings"])


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_a_complete_set_has_no_hidden_members(state: Any) -> None:
    host_state = b.host_state([A, b.member(A)], unread="/dev/sdx: checksum error")
    assert driver.reasons(host_state, b.request("vg/a", state=state)) == ()


def test_a_set_with_hidden_members_only_cannot_be_merged() -> None:
    assert driver.reasons(b.host_state([A], unread="checksum error"), b.request(state="merged"))


# Thin pools


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
@pytest.mark.parametrize("health", ["metadata_read_only", "failed"])
def test_nothing_can_be_done_in_a_pool_that_cannot_write_its_metadata(health: str, state: Any) -> None:
    pool = replace(b.thin_pool(), health=health)
    for volumes in ([T, pool], [T, b.member(T), pool]):
        if len(volumes) > 2 or state == "present":
            reasons = driver.reasons(b.host_state(volumes), b.request("vg/t", state=state))
            assert any(reason.startswith("thin pool vg/pool has no space for metadata") for reason in reasons), reasons
    (warning,) = host_info(b.host_state([T, pool]), None)["warnings"]
    assert warning.startswith(f"thin pool vg/pool is not healthy ({health})")


@pytest.mark.parametrize("state", ["merged", "absent"])
def test_a_pool_without_space_for_data_allows_merge_and_removal(state: Any) -> None:
    pool = replace(b.thin_pool(data=100), health="out_of_data")
    assert driver.reasons(b.host_state([T, b.member(T), pool]), b.request("vg/t", state=state)) == ()


POOLS: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "just enough data": ({"data": Fraction("79.99")}, {}, None),
    "data": ({"data": 80}, {}, "thin pool vg/pool has 80.00% of its data used (limit 80%)"),
    "just enough metadata": ({"metadata": Fraction("74.99")}, {}, None),
    "metadata": ({"metadata": 75}, {}, "thin pool vg/pool has 75.00% of its metadata used (limit 75%)"),
    "just enough reserve": ({"data": 70}, {"pool_reserve": "30%"}, None),
    "reserve": ({"data": 70}, {"pool_reserve": "30.01%"}, "thin pool vg/pool has 300 MiB free, less than pool_reserve"),
    "reserve in bytes": ({"data": 70}, {"pool_reserve": "301MiB"}, "thin pool vg/pool has 300 MiB free"),
}


@pytest.mark.parametrize("case", POOLS)
def test_pool(case: str) -> None:
    facts, wish, expected = POOLS[case]
    reasons = driver.reasons(b.host_state([T, b.thin_pool(**facts)]), b.request("vg/t", **wish))
    assert len(reasons) == (expected is not None)
    assert all(reason.startswith(expected or "") for reason in reasons)


def test_a_pool_that_is_not_active() -> None:
    pool = replace(b.inactive(b.thin_pool()), metadata_percent=None)
    (reason,) = driver.reasons(b.host_state([T, pool]), b.request("vg/t"))
    assert reason.startswith("thin pool vg/pool is not active")


def test_a_pool_is_reported_once() -> None:
    host_state = b.host_state([T, b.thin("vg/u"), b.thin_pool(data=90)])
    assert len(driver.reasons(host_state, b.request("vg/t", "vg/u"))) == 1


# The host around LVM


def _mounted(mountpoint: str = "/srv", fstype: str = "ext4", **host: Any) -> HostState:
    return b.host_state([A], mounts={mountpoint: A}, fstypes={mountpoint: fstype}, **host)


@pytest.mark.parametrize("spec", ["UUID=1", "LABEL=x", "/dev/disk/by-uuid/1", "/dev/disk/by-label/x"])
def test_fstab_with_uuid_or_label(spec: str) -> None:
    (reason,) = driver.reasons(_mounted(fstab=(FstabEntry(spec, "/srv"),)), b.request("vg/a"))
    assert reason.startswith(f"/etc/fstab mounts /srv by {spec}")
    assert "use /dev/mapper/vg-a there instead" in reason


def test_fstab_with_uuid_or_label_of_an_unmounted_origin() -> None:
    host_state = b.host_state([A], fstab=(FstabEntry("UUID=1", "/mnt", device=(253, 0)),))
    assert driver.reasons(host_state, b.request("vg/a"))


def test_fstab_with_uuid_or_label_of_another_swap_area() -> None:
    """Every swap area has the same mountpoint."""
    other = b.volume("vg/b")
    mounts = {"[SWAP]": A}
    entry = FstabEntry("UUID=1", "[SWAP]", device=(253, 1))
    assert driver.reasons(b.host_state([A, other], mounts=mounts, fstab=(entry,)), b.request("vg/a")) == ()
    mine = replace(entry, device=(253, 0))
    assert driver.reasons(b.host_state([A, other], mounts=mounts, fstab=(mine,)), b.request("vg/a"))


@pytest.mark.parametrize("spec", ["/dev/mapper/vg-a", "/dev/vg/a", "PARTUUID=1"])
def test_fstab_with_device_names(spec: str) -> None:
    assert driver.reasons(_mounted(fstab=(FstabEntry(spec, "/srv"),)), b.request("vg/a")) == ()


def test_fstab_of_another_filesystem() -> None:
    host_state = _mounted(fstab=(FstabEntry("UUID=1", "/boot", device=(8, 1)), FstabEntry("UUID=2", "/gone")))
    assert driver.reasons(host_state, b.request("vg/a")) == ()


def test_a_thin_origin_can_be_in_fstab_by_uuid() -> None:
    host_state = b.host_state([T, b.thin_pool()], mounts={"/srv": T}, fstab=(FstabEntry("UUID=1", "/srv"),))
    assert driver.reasons(host_state, b.request("vg/t")) == ()


@pytest.mark.parametrize(("mountpoint", "refused"), [("/", True), ("/srv", False)])
def test_root_argument_with_uuid(mountpoint: str, refused: bool) -> None:  # noqa: FBT001
    reasons = driver.reasons(_mounted(mountpoint, root_argument="UUID=1"), b.request("vg/a"))
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
    assert will_protect_root(fresh, b.request("vg/b", "vg/a"))
    assert will_protect_root(fresh, b.single_request("vg/a"))
    assert not will_protect_root(fresh, b.request("vg/b"))
    assert not will_protect_root(taken, b.request("vg/a"))


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


def test_a_size_for_a_thin_volume() -> None:
    (reason,) = driver.reasons(b.host_state([T, b.thin_pool()]), b.request("vg/t=1GiB"))
    assert reason.startswith("vg/t is thin, and thin snapshots have no size")
    assert driver.reasons(b.host_state([T, b.thin_pool()]), b.request("vg/t", size="1GiB")) == ()


def test_every_reason_is_found_at_once() -> None:
    """One reason of each kind, all of them in one refusal."""
    sick = replace(A, health="partial", writable=False)
    host_state = b.host_state(
        [sick, T, b.thin_pool(data=90), b.volume("vg/b"), b.volume("vg/b_s"), b.volume("x/y")],
        groups=[b.group(free=3), b.group("x", exported=True)],
        mounts={"/": sick},
        root_argument="LABEL=root",
        boot=Boot("6.1", ()),
    )
    reasons = driver.reasons(host_state, b.request("vg/a", "vg/t=1GiB", "vg/b", "x/y", "vg/no", "no/a", "vg/b"))
    for part in (
        "volumes lists vg/b 2 times",
        "no LV vg/no",
        "no VG no",
        "VG x is exported",
        "vg/a is read-only",
        "vg/a is not healthy",
        "root=LABEL=root",
        "vg/t is thin",
        "thin pool vg/pool",
        "running kernel 6.1",
        "VG vg has too little space",
        "the name vg/b_s is needed",
    ):
        assert sum(part in reason for reason in reasons) == 1, part
    assert len(reasons) == 12
