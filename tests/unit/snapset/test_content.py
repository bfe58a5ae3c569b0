# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the content of an origin prevents: identities, and filesystems on several LVs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Mount, Reference, Signature

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

A, OTHER = b.volume("vg/a"), b.volume("vg/b")
T, U = b.thin("vg/t"), b.thin("vg/u", thin_id=2)
POOL = b.thin_pool()
NUMBERS = {"vg/a": (253, 0), "vg/b": (253, 1), "vg/t": (253, 2), "vg/u": (253, 3)}
CRYPT, LINEAR, RAID, PLAIN = (252, 0), (252, 1), (9, 0), (8, 1)
ABOVE = {
    CRYPT: BlockDevice("dm-90", "secret", "CRYPT-LUKS2-1", (NUMBERS["vg/a"],)),
    LINEAR: BlockDevice("dm-91", "linear", "", (NUMBERS["vg/a"],)),
    RAID: BlockDevice("md0", slaves=(NUMBERS["vg/t"], NUMBERS["vg/u"])),
    PLAIN: BlockDevice("sda1"),
}


PROBLEM = "x, which a thick snapshot of vg/{0} would have too: use /dev/mapper/vg-{0} there instead"


def host(*mounts: Mount, signatures: dict[str, Signature] | None = None, **more: Any) -> HostState:
    one = b.host_state([A, OTHER, T, U, POOL, *more.pop("lvs", ())])
    found = {**one.host.devices, **ABOVE}
    for name, signature in (signatures or {}).items():
        device = found[NUMBERS.get(name, PLAIN)]
        number = NUMBERS.get(name, PLAIN)
        found[number] = BlockDevice(device.name, device.dm_name, device.dm_uuid, signature=signature)
    return b.mounting(one, *mounts, devices=MappingProxyType(found), **more)


def reasons(host_state: HostState, *volumes: str) -> list[str]:
    return list(driver.reasons(host_state, b.request(*volumes)))


# Identities


@pytest.mark.parametrize(
    ("reference", "refused"),
    [
        (Reference("x", uuid="ab-1"), True),
        (Reference("x", uuid="AB-1"), True),
        # dracut accepts the beginning of a UUID.
        (Reference("x", uuid="ab"), True),
        (Reference("x", uuid="ab-12"), False),
        (Reference("x", uuid="1"), False),
        (Reference("x", label="data"), True),
        (Reference("x", label="dat"), False),
        (Reference("x", uuid="1", device=NUMBERS["vg/a"]), True),
        (Reference("x", uuid="1", device=LINEAR), True),
        (Reference("x", uuid="1", device=CRYPT), False),
        (Reference("x", uuid="1", device=NUMBERS["vg/b"]), False),
        (Reference("x", uuid="1", mountpoint="/plain"), True),
        (Reference("x", uuid="1", mountpoint="/secret"), False),
        (Reference("x", uuid="1", mountpoint="/gone"), False),
    ],
)
def test_what_finds_an_origin_by_its_content(reference: Reference, refused: bool) -> None:  # noqa: FBT001
    mounts = (Mount("/plain", "", "ext4", NUMBERS["vg/a"]), Mount("/secret", "", "ext4", CRYPT))
    signatures = {"vg/a": Signature("crypto_LUKS", uuid="ab-1", label="data")}
    host_state = host(*mounts, signatures=signatures, references=(reference,))
    assert (
        reasons(host_state, "vg/a")
        == ["x, which a thick snapshot of vg/a would have too: use /dev/mapper/vg-a there instead"] * refused
    )
    assert reasons(host_state, "vg/b") == [
        "x, which a thick snapshot of vg/b would have too: use /dev/mapper/vg-b there instead"
    ] * (reference.device == NUMBERS["vg/b"])


def test_a_thin_origin_may_be_found_by_its_content() -> None:
    signatures = {"vg/t": Signature("ext4", uuid="1")}
    assert reasons(host(signatures=signatures, references=(Reference("x", uuid="1"),)), "vg/t") == []


def test_what_udev_does_not_know_matches_nothing() -> None:
    assert reasons(host(references=(Reference("x", uuid="1"), Reference("x", label="x"))), "vg/a") == []


@pytest.mark.parametrize(
    ("fstype", "whole"), [("linux_raid_member", "an md array"), ("zfs_member", "a ZFS pool"), ("drbd", "DRBD")]
)
def test_a_part_of_something_larger(fstype: str, whole: str) -> None:
    host_state = host(signatures={"vg/a": Signature(fstype), "vg/t": Signature(fstype)})
    (reason,) = reasons(host_state, "vg/a")
    assert reason.startswith(f"vg/a is a part of {whole} ({fstype}), and a thick snapshot would be a second one")
    assert reasons(host_state, "vg/t") == []


def test_btrfs_that_is_not_mounted() -> None:
    (reason,) = reasons(host(signatures={"vg/a": Signature("btrfs", uuid="1")}), "vg/a")
    assert reason.startswith("vg/a has btrfs, and a thick snapshot")


# Several LVs


def several(*, read_only: bool = False, more: tuple[tuple[int, int], ...] = (NUMBERS["vg/u"],)) -> HostState:
    return host(Mount("/x", "/dev/vg/t", "btrfs", NUMBERS["vg/t"], read_only=read_only, more=more))


@pytest.mark.parametrize("volumes", [["vg/t"], ["vg/u"], ["vg/t", "vg/u"]])
def test_a_filesystem_in_use(volumes: list[str]) -> None:
    (reason,) = reasons(several(), *volumes)
    assert reason.startswith(
        "the btrfs filesystem at /x is on vg/t, vg/u, whose snapshots would be of different moments"
    )
    assert reasons(several(), "vg/b") == []


@pytest.mark.parametrize(("volumes", "missing"), [(["vg/t"], "vg/u"), (["vg/u"], "vg/t"), (["vg/t", "vg/u"], None)])
def test_a_filesystem_that_nobody_writes_to(volumes: list[str], missing: str | None) -> None:
    assert reasons(several(read_only=True), *volumes) == (
        [f"the btrfs filesystem at /x is on vg/t, vg/u: protect also {missing}, or none of these"] if missing else []
    )


def test_a_filesystem_is_selected_with_all_its_volumes() -> None:
    wanted = driver.selected(several(read_only=True), b.request(mountpoints=["/x"]))
    assert [one.origin.full_name for one in wanted] == ["vg/t", "vg/u"]


def test_a_filesystem_that_is_also_beside_lvm() -> None:
    host_state = several(read_only=True, more=(PLAIN,))
    assert reasons(host_state, "vg/t") == [
        "the btrfs filesystem at /x is on vg/t, /dev/sda1, and LVM cannot roll back /dev/sda1: leave out vg/t"
    ]
    (reason,) = driver.reasons(host_state, b.request(mountpoints=["/x"]))
    assert reason.startswith("/x cannot be protected: /dev/vg/t is also on /dev/sda1, not only on LVM")


def test_an_array_of_several_volumes() -> None:
    """The table of mounts shows only the array."""
    host_state = host(Mount("/x", "/dev/md0", "ext4", RAID))
    (reason,) = reasons(host_state, "vg/u")
    assert reason.startswith(
        "the ext4 filesystem at /x is on vg/t, vg/u, whose snapshots would be of different moments"
    )


def test_the_other_parts_of_btrfs_that_is_not_mounted() -> None:
    whole = Signature("btrfs", uuid="1")
    host_state = host(signatures={"vg/t": whole, "vg/u": whole, "sda1": whole})
    assert reasons(host_state, "vg/t", "vg/u") == [
        f"the btrfs filesystem on {name} is also on /dev/sda1: protect all of these, or none"
        for name in ("vg/t", "vg/u")
    ]
    both = host(signatures={"vg/t": whole, "vg/u": whole})
    assert reasons(both, "vg/t") == ["the btrfs filesystem on vg/t is also on vg/u: protect all of these, or none"]
    assert reasons(both, "vg/t", "vg/u") == []
    other = host(signatures={"vg/t": whole, "vg/u": Signature("btrfs", uuid="2")})
    assert reasons(other, "vg/t") == []
