# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which LVs volumes, mountpoints and exclude select."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.selection import select

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

ROOT, VAR, SWAP = b.volume("vg/root"), b.volume("vg/var"), b.volume("vg/swap")
DATA = b.volume("data/var")
POOL, THIN = b.thin_pool("data/pool"), b.thin("data/thin")
HIDDEN = b.volume("data/pool_tdata", roles=frozenset({"private", "thin", "pool", "data"}))
OLD = b.thick_snapshot(VAR, "var_old")
ALL = (ROOT, VAR, SWAP, OLD, DATA, POOL, THIN, HIDDEN)
MOUNTS = {"/": ROOT, "/var": VAR, "/srv": DATA, "/srv/again": DATA, "[SWAP]": SWAP}
# Numbers of devices that are not LVs.
PLAIN, RAID, CRYPT, BTRFS = (8, 1), (9, 0), (252, 0), (0, 40)


def _host(*volumes: Volume) -> HostState:
    """The LVs above, a partition, a RAID array of two disks, an encrypted LV and btrfs on two devices."""
    host_state = b.host_state((*ALL, *volumes), mounts=MOUNTS)
    number = next(number for number, device in host_state.host.devices.items() if device.dm_name == "data-thin")
    devices = {
        **host_state.host.devices,
        PLAIN: BlockDevice("sda1"),
        RAID: BlockDevice("md0", slaves=((8, 2), (8, 3))),
        CRYPT: BlockDevice("dm-90", dm_name="secret", dm_uuid="CRYPT-LUKS2-1", slaves=(number,)),
    }
    mounts = (
        Mount("/boot", "/dev/sda1", "ext4", PLAIN),
        Mount("/raid", "/dev/md0", "ext4", RAID),
        Mount("/secret", "/dev/mapper/secret", "xfs", CRYPT),
        Mount("/btrfs", "/dev/sdb", "btrfs", BTRFS),
    )
    return b.mounting(host_state, *mounts, devices=MappingProxyType(devices))


def _chosen(*volumes: str, **more: Any) -> list[str]:
    return [wanted.origin.full_name for wanted in driver.selected(_host(), b.request(*volumes, **more))]


@pytest.mark.parametrize(
    ("volumes", "more", "chosen"),
    [
        (["vg/var", "data/var"], {}, ["data/var", "vg/var"]),
        ([], {"mountpoints": ["/", "/var"]}, ["vg/root", "vg/var"]),
        ([], {"mountpoints": ["/srv", "/srv/again"]}, ["data/var"]),
        ([], {"mountpoints": ["/secret"]}, ["data/thin"]),
        (["vg/var"], {"mountpoints": ["/var"]}, ["vg/var"]),
        (["vg/var"], {"mountpoints": ["/"]}, ["vg/root", "vg/var"]),
        (["vg"], {}, ["vg/root", "vg/var"]),
        (["data"], {}, ["data/thin", "data/var"]),
        (["vg"], {"exclude": ["vg/var"]}, ["vg/root"]),
        (["vg"], {"exclude": ["/"]}, ["vg/var"]),
        ([], {"mountpoints": ["/", "/boot"], "ignore_uncovered": ["/boot"]}, ["vg/root"]),
        (["vg/swap"], {}, ["vg/swap"]),
        ([], {"system": True}, ["vg/root", "vg/var"]),
        ([], {"system": True, "ignore_uncovered": ["/var"]}, ["vg/root"]),
        ([], {"system": True, "exclude": ["/var"]}, ["vg/root"]),
        (["data/thin"], {"system": True, "mountpoints": ["/", "/srv"]}, ["data/thin", "data/var", "vg/root", "vg/var"]),
    ],
)
def test_chosen(volumes: list[str], more: dict[str, Any], chosen: list[str]) -> None:
    assert _chosen(*volumes, **more) == chosen
    assert select(_host(), b.request(*volumes, **more).selector).reasons == ()


def test_each_mount_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host can have hundreds of LVs and mounts."""
    origins = [b.volume(f"vg/lv{number}") for number in range(20)]
    host_state = b.host_state(origins, mounts={f"/{number}/{lv.name}": lv for number in range(5) for lv in origins})
    looked: list[object] = []
    below = type(host_state).lv_below

    def counted(self: HostState, device: Any) -> Volume | None:
        looked.append(device)
        return below(self, device)

    monkeypatch.setattr(type(host_state), "lv_below", counted)
    assert [len(host_state.mounts_of(lv)) for lv in host_state.volumes] == [5] * 20
    assert len(looked) == 100
    selection = select(host_state, b.request("vg", exclude=[f"/0/lv{number}" for number in range(19)]).selector)
    assert [wanted.origin.full_name for wanted in selection.wanted] == ["vg/lv19"]
    assert len(looked) == 100


@pytest.mark.parametrize("volumes", [["vg/var=40MiB"], ["vg/var=40MiB", "vg"], ["vg", "vg/var=40MiB"]])
def test_the_size_of_one_lv_applies_to_this_lv_only(volumes: list[str]) -> None:
    places: tuple[dict[str, Any], ...] = ({}, {"mountpoints": ["/var"]})
    for more in places:
        wanted = driver.selected(_host(), b.request(*volumes, **more))
        sizes = {item.origin.full_name: item.size.text for item in wanted if item.size}
        assert sizes == {"vg/var": "40MiB"}


def test_the_size_of_a_whole_group_applies_to_each_lv() -> None:
    wanted = driver.selected(_host(), b.request("vg=40MiB"))
    assert [item.size.text for item in wanted if item.size] == ["40MiB", "40MiB"]


REASONS: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "unknown group": (
        ["no/x"],
        {},
        "there is no VG no here (LVM hides foreign VGs); VGs of this host: vg, data",
    ),
    "unknown volume": (["vg/x"], {}, "there is no LV vg/x"),
    "unknown mountpoint": ([], {"mountpoints": ["/x"]}, "nothing is mounted at /x"),
    "volume twice": (["vg/var", "vg/var"], {}, "volumes lists vg/var 2 times"),
    "group twice": (["vg", "vg"], {}, "volumes lists VG vg 2 times"),
    "mountpoint twice": ([], {"mountpoints": ["/var", "/var"]}, "mountpoints lists /var 2 times"),
    "partition": (
        [],
        {"mountpoints": ["/boot"]},
        "/boot cannot be protected: /dev/sda1 is not on LVM; leave it out, or list it in ignore_uncovered",
    ),
    "array": ([], {"mountpoints": ["/raid"]}, "/raid cannot be protected: /dev/md0 is on several devices;"),
    "btrfs": (
        [],
        {"mountpoints": ["/btrfs"]},
        "/btrfs cannot be protected: /dev/sdb is not a block device of this host;",
    ),
    "unknown exclude": (
        ["vg"],
        {"exclude": ["/x"]},
        "exclude lists /x, which is neither an LV (VG/LV) nor a mountpoint",
    ),
    "nothing left": (["vg/var"], {"exclude": ["/var"]}, "no LV is selected"),
    "nothing but ignored": (
        [],
        {"mountpoints": ["/boot"], "ignore_uncovered": ["/boot"]},
        "no LV is selected",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_invalid_requests(case: str) -> None:
    volumes, more, expected = REASONS[case]
    (reason,) = select(_host(), b.request(*volumes, **more).selector).reasons
    assert reason.startswith(expected)


def test_a_host_without_groups() -> None:
    (reason,) = driver.reasons(b.host_state(), b.request("vg/x"))
    assert reason.endswith("VGs of this host: none")


def test_of_two_mounts_at_one_mountpoint_the_last_one_counts() -> None:
    host_state = _host()
    over = Mount("/var", "/dev/mapper/data-var", "ext4", host_state.host.mounts[2].device)
    host_state = b.mounting(host_state, over)
    (wanted,) = driver.selected(host_state, b.request(mountpoints=["/var"]))
    assert wanted.origin.full_name == "data/var"


@pytest.mark.parametrize(("state", "given"), [("merged", []), ("merged", ["vg/var"]), ("absent", ["vg/var"])])
def test_an_existing_set_needs_no_selection(state: Any, given: list[str]) -> None:
    assert driver.reasons(_host(b.member(VAR)), b.request(*given, state=state)) == ()


def test_hidden_devices_of_an_lv_belong_to_the_lv() -> None:
    """The data of an origin with a thick snapshot is on a hidden device, whose UUID has a suffix."""
    host_state = _host()
    lv_uuid = (b.group("vg").uuid + VAR.uuid).replace("-", "")
    devices = {(253, 99): BlockDevice("dm-99", dm_name="vg-var-real", dm_uuid=f"LVM-{lv_uuid}-real")}
    host = replace(host_state.host, devices=MappingProxyType(devices))
    found = replace(host_state, host=host).lv_below((253, 99))
    assert found is not None
    assert found.full_name == "vg/var"
    assert replace(host_state, host=host).device_of(found) is None


@pytest.mark.parametrize("path", ["/usr", "/var", "/var/lib", "/etc", "/opt"])
def test_the_system_is_what_an_upgrade_changes(path: str) -> None:
    own = b.volume("vg/own")
    host_state = b.host_state(
        [ROOT, own, DATA], mounts={"/": ROOT, path: own, "/home": DATA, "/srv": DATA, "/var/log": DATA}
    )
    chosen = select(host_state, b.request(system=True).selector)
    assert [wanted.origin for wanted in chosen.wanted] == [
        host_state.volume("vg", "own"),
        host_state.volume("vg", "root"),
    ]
    assert chosen.reasons == ()


def test_a_part_of_the_system_that_cannot_be_protected_is_reported() -> None:
    host_state = _host()
    opt = Mount("/opt", "/dev/sda1", "ext4", PLAIN)
    host_state = b.mounting(host_state, opt)
    (reason,) = select(host_state, b.request(system=True).selector).reasons
    assert reason == "/opt cannot be protected: /dev/sda1 is not on LVM; leave it out, or list it in ignore_uncovered"
    assert select(host_state, b.request(system=True, ignore_uncovered=["/opt"]).selector).reasons == ()


def test_a_root_filesystem_without_a_disk_is_reported() -> None:
    """The rest of the system without / would be inconsistent."""
    host_state = b.mounting(b.host_state(), Mount("/", "nas:/root", "nfs4"))
    assert select(host_state, b.request(system=True).selector).reasons == (
        "/ cannot be protected: nas:/root is on another host (nfs4); leave it out, or list it in ignore_uncovered",
    )
