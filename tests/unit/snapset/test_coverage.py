# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must roll back with what, what does not, and which LVs the initramfs activates."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import (
    BlockDevice,
    Boot,
    FstabEntry,
    Initramfs,
    Mount,
    Signature,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.coverage import (
    boot_mounts,
    initramfs_volumes,
    not_rolled_back,
    unsaved_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.present import depends_on_boot

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

ROOT, VAR, DATA = b.volume("vg/root"), b.volume("vg/var"), b.volume("data/x")
VOLUMES = (ROOT, VAR, DATA)
BOOT, ESP, OTHER = (8, 1), (8, 2), (8, 17)
DISK = Mount("/boot", "/dev/sda1", "ext4", BOOT)
ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
OF_ESP = Signature("vfat", partition=ESP_TYPE)
SYSTEM = b.request(system=True)
PLACES = "/boot, /boot/efi, /boot/firmware, /efi"
NO_ESP = "an EFI system partition that boot_backup does not save"


def host(*mounts: Mount, lvs: dict[str, Any] | None = None, **more: Any) -> HostState:
    one = b.host_state(VOLUMES, mounts={"/": ROOT, "/var": VAR} if lvs is None else lvs)
    partitions = {
        BOOT: BlockDevice("sda1"),
        ESP: BlockDevice("sda2", signature=OF_ESP),
        OTHER: BlockDevice("sdb1", signature=Signature("vfat", partition=ESP_TYPE.upper())),
    }
    devices = MappingProxyType({**one.host.devices, **partitions, **more.pop("devices", {})})
    return b.mounting(one, *mounts, devices=devices, **more)


def at(mountpoint: str, lv: int = 2, **more: Any) -> Mount:
    """An LV at ``mountpoint``: 0 is vg/root, 1 vg/var, 2 data/x."""
    return Mount(mountpoint, "/dev/mapper/lv", "ext4", (253, lv), **more)


def left(host_state: HostState, *members: str) -> dict[str, str]:
    volumes = [volume for volume in host_state.volumes if volume.full_name in (members or ("vg/root", "vg/var"))]
    return dict(not_rolled_back(host_state, volumes))


# What does not roll back


@pytest.mark.parametrize(
    ("mount", "found"),
    [
        (at("/var/lib/mysql"), {"/var/lib/mysql": "data/x is not in the snapset"}),
        (at("/usr/local"), {"/usr/local": "data/x is not in the snapset"}),
        (Mount("/opt/app", "nas:/app", "nfs4"), {"/opt/app": "nas:/app is on another host (nfs4)"}),
        (at("/home"), {}),
        (at("/srv/db"), {}),
        (at("/variable"), {}),
        (at("/etc/bind", 0, root="/x"), {}),
        (Mount("/var/tmp", "tmpfs", "tmpfs"), {}),
        (Mount("/opt/cd", "/dev/sr0", "iso9660"), {}),
        (Mount("/var/lib/c/merged", "overlay", "overlay", carrier="/var/lib/c/up"), {}),
        (DISK, {}),
        (at("/boot/efi2"), {"/boot/efi2": f"it is not one of {PLACES}, so boot_backup does not save it"}),
    ],
)
def test_what_of_the_system_does_not_roll_back(mount: Mount, found: dict[str, str]) -> None:
    assert left(host(mount)) == found


def test_links_in_the_directories_of_the_system() -> None:
    links = {"/var/lib/mysql": "/data/mysql", "/opt": "/data/opt", "/opt/own": "/var/own", "/etc/mtab": "/proc/mounts"}
    host_state = host(at("/data"), Mount("/proc", "proc", "proc"), links=links)
    assert left(host_state) == {
        "/opt": "it is a link to /data/opt: data/x is not in the snapset",
        "/var/lib/mysql": "it is a link to /data/mysql: data/x is not in the snapset",
    }
    assert left(host_state, "vg/root", "vg/var", "data/x") == {}
    assert left(host_state, "data/x") == {}, "nothing there belongs to data/x"


def test_what_is_mounted_below_a_member_without_root() -> None:
    host_state = host(at("/var/lib/x"), at("/opt/x"))
    assert left(host_state, "vg/var") == {"/var/lib/x": "data/x is not in the snapset"}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (
            {"boots_by_efi": True},
            {"/dev/sdb1": f"{NO_ESP}: it is not mounted"},
        ),
        ({"boots_by_efi": False}, {}),
        # A mirror of both disks, which is mounted or not.
        ({"boots_by_efi": True, "devices": {OTHER: BlockDevice("sdb1", holders=("md0",), signature=OF_ESP)}}, {}),
    ],
)
def test_a_second_esp(more: dict[str, Any], found: dict[str, str]) -> None:
    assert left(host(DISK, Mount("/boot/efi", "/dev/sda2", "vfat", ESP), **more)) == found


def test_a_second_esp_that_is_mounted() -> None:
    mounts = (Mount("/boot/efi", "/dev/sda2", "vfat", ESP), Mount("/mnt/esp", "/dev/sdb1", "vfat", OTHER))
    reason = f"{NO_ESP}: it is not one of {PLACES}"
    assert left(host(*mounts, boots_by_efi=True)) == {"/mnt/esp": reason}
    assert left(host(*mounts, boots_by_efi=True), "vg/var") == {}


# What is refused


@pytest.mark.parametrize(
    ("host_state", "reasons"),
    [
        (host(), []),
        (host(at("/opt", 0, root="/part")), []),
        (
            host(at("/opt", root="/part")),
            ["/ is protected, but /opt is a separate filesystem and is not: add it to mountpoints, or list it in"],
        ),
        (
            host(at("/data"), links={"/opt": "/data/opt"}),
            ["/ is protected, but /opt is on the filesystem at /data, which is not: add /data to mountpoints, or list"],
        ),
        (host(links={"/opt": "/var/opt"}), []),
        (host(Mount("/opt", "tmpfs", "tmpfs")), ["/opt cannot be protected: it is in memory (tmpfs); leave it out"]),
        (host(Mount("/var/lib", "rpool/x", "zfs")), ["/var/lib cannot be protected: rpool/x is zfs, not on LVM"]),
        (host(has_ostree=True), ["ostree or bootc manages this host"]),
    ],
)
def test_a_snapset_of_the_system(host_state: HostState, reasons: list[str]) -> None:
    found = driver.reasons(host_state, SYSTEM)
    assert [reason for reason, start in zip(found, reasons) if not reason.startswith(start)] == []
    assert len(found) == len(reasons), found
    assert driver.reasons(host_state, b.request(system=True, ignore_uncovered=["/opt", "/var/lib"])) == tuple(
        reason for reason in found if "ostree" in reason
    )


def test_the_filesystem_that_a_part_of_the_system_links_to_can_be_added() -> None:
    host_state = host(at("/data"), links={"/opt": "/data/opt"})
    assert driver.reasons(host_state, b.request(system=True, mountpoints=["/data"])) == ()


def test_what_is_not_named_and_cannot_be_protected() -> None:
    (reason,) = driver.reasons(host(Mount("/opt", "tmpfs", "tmpfs")), b.request(mountpoints=["/", "/var"]))
    assert reason == (
        "/ is protected, but /opt is a separate filesystem and cannot be: it is in memory (tmpfs); list /opt in "
        "ignore_uncovered"
    )


def test_what_is_ignored_is_ignored_with_what_lies_on_it() -> None:
    """/var/lib is on the same filesystem as /var."""
    assert driver.reasons(host(), b.request(mountpoints=["/"], ignore_uncovered=["/var"])) == ()


@pytest.mark.parametrize("members", [["vg/root"], ["data/x"]])
def test_data_of_a_host_of_ostree(members: list[str]) -> None:
    host_state = host(Mount("/boot", "/dev/sda1", "ext4", BOOT), lvs={"/sysroot": ROOT, "/srv": DATA}, has_ostree=True)
    reasons = driver.reasons(host_state, b.request(*members))
    assert [reason.partition(" (")[0] for reason in reasons] == ["ostree or bootc manages this host"] * (
        members == ["vg/root"]
    )


def test_the_system_of_a_host_of_ostree_whose_root_is_a_composefs() -> None:
    """No LV is found below it."""
    composefs = Mount("/", "composefs", "overlay", layers=("/run/layer",))
    host_state = b.mounting(host(lvs={}, has_ostree=True), composefs, Mount("/run", "tmpfs", "tmpfs"), at("/var", 1))
    assert any(reason.startswith("ostree or bootc") for reason in driver.reasons(host_state, SYSTEM))
    assert driver.reasons(host_state, b.request("vg/var")) == ()


# What boots the host


@pytest.mark.parametrize(
    ("host_state", "problem"),
    [
        (host(DISK), None),
        (host(Mount("/boot", "systemd-1", "autofs")), "/boot is an automount and could not be mounted within 30 s"),
        (host(fstab=(FstabEntry("UUID=1", "/efi"),)), "/etc/fstab has /efi (UUID=1), but it is not mounted"),
        (host(DISK, fstab=(FstabEntry("UUID=1", "/boot"),)), None),
        (host(Mount("/boot", "bpool/b", "zfs")), "/boot cannot be saved, because bpool/b is zfs, not on LVM"),
        (host(at("/esp"), links={"/efi": "/esp"}), "/efi is a link to /esp, which boot_backup does not save"),
        (host(DISK, links={"/efi": "/boot/efi"}), None),
        (host(replace(DISK, root="/boot")), "/boot shows only a directory of /dev/sda1 (mount --bind)"),
    ],
)
def test_what_boots_the_host_and_cannot_be_saved(host_state: HostState, problem: str | None) -> None:
    found = list(unsaved_problems(host_state, ()))
    assert len(found) == (problem is not None)
    assert all(one.startswith(str(problem)) for one in found)
    assert all("in ignore_uncovered" in one for one in found if not one.startswith("/boot is an automount"))
    assert list(unsaved_problems(host_state, ("/boot", "/efi"))) == []
    # It matters only with /.
    assert driver.reasons(host_state, b.request("data/x")) == ()
    assert bool(driver.reasons(host_state, b.request("vg/root", "vg/var"))) is (problem is not None)


def test_each_boot_filesystem_is_saved_once() -> None:
    esp = Mount("/boot/efi", "/dev/sda2", "vfat", ESP)
    host_state = host(DISK, esp, replace(esp, mountpoint="/efi"), Mount("/boot/firmware", "tmpfs", "tmpfs"))
    assert [mount.mountpoint for mount in boot_mounts(host_state)] == ["/boot", "/boot/efi"]
    assert [mount.mountpoint for mount in boot_mounts(host_state, ["/boot/efi", "/efi"])] == ["/boot"]
    assert boot_mounts(host_state, ["/boot"]) == (), "the boot loader on the ESP belongs to a separate /boot"
    assert [mount.mountpoint for mount in boot_mounts(host(esp), ["/boot"])] == ["/boot/efi"], "it has the kernels"
    assert boot_mounts(host(replace(DISK, root="/boot"))) == ()


# What the initramfs activates


def early(host_state: HostState) -> dict[str, str]:
    needs = initramfs_volumes(host_state)
    return {lv.full_name: needs[lv.key] for lv in host_state.volumes if lv.key in needs}


OVERLAY = Mount("/", "overlay", "overlay", carrier="/run/up", layers=("/media/ro",))


@pytest.mark.parametrize(
    ("host_state", "found"),
    [
        (host(), {"vg/root": "/"}),
        (host(at("/usr")), {"vg/root": "/", "data/x": "/usr"}),
        (host(at("/etc", 1)), {"vg/root": "/", "vg/var": "/etc"}),
        (host(early_volumes=("data/x", "no/lv")), {"vg/root": "/", "data/x": "data/x (rd.lvm.lv)"}),
        (host(fstab=(FstabEntry("x", "/var", options=("x-initrd.mount",)),)), {"vg/root": "/", "vg/var": "/var"}),
        (b.mounting(host(lvs={}), OVERLAY, at("/media/ro", 0)), {"vg/root": "/"}),
        # Not seen: any LV can be below it.
        (
            b.mounting(host(lvs={}), OVERLAY),
            {name: f"{name} (/ is an overlay)" for name in ("vg/root", "vg/var", "data/x")},
        ),
        (b.mounting(host(lvs={}), Mount("/", "nas:/", "nfs4"), at("/srv")), {}),
    ],
)
def test_what_the_initramfs_activates(host_state: HostState, found: dict[str, str]) -> None:
    assert early(host_state) == found
    for lv in host_state.volumes:
        assert depends_on_boot(host_state, b.request(lv.full_name)) is (lv.full_name in found)


def test_the_initramfs_must_have_what_every_such_volume_needs() -> None:
    images = (Initramfs("6.1", "/boot/initrd.img-6.1", frozenset({"ext4"})),)
    thin = b.thin("vg/usr")
    one = b.host_state([ROOT, thin, b.thin_pool(), DATA], mounts={"/": ROOT, "/usr": thin, "/srv": DATA})
    host_state = replace(one, host=replace(one.host, boot=Boot("6.1", images)))
    assert driver.reasons(host_state, b.request("data/x")) == ()
    both = driver.reasons(host_state, b.request("vg/root", "vg/usr", ignore_uncovered=["/boot"]))
    assert [text.partition(": add")[0] for text in both] == [
        f"/boot/initrd.img-6.1 has no {module}, so the host would not boot while {what} has a snapshot"
        for module, what in (("dm_thin_pool", "/usr"), ("dm_snapshot", "/"))
    ]
    (reason,) = driver.reasons(host_state, b.request("vg/usr"))
    assert "has no dm_thin_pool, so the host would not boot while /usr has a snapshot" in reason


def test_without_boot_nobody_knows_what_the_initramfs_has() -> None:
    host_state = host(at("/usr"), Mount("/boot", "systemd-1", "autofs"))
    for request in (b.request("data/x"), b.request("vg/root", "vg/var", "data/x", ignore_uncovered=["/boot"])):
        (reason,) = driver.reasons(host_state, request)
        assert reason.startswith("/boot is an automount and could not be mounted within 30 s")


def test_root_as_an_overlay() -> None:
    host_state = b.mounting(host(lvs={}), at("/media/ro", 0), OVERLAY, at("/media/ro", 0), at("/var", 1))
    reasons = driver.reasons(host_state, SYSTEM)
    assert reasons[0].startswith("/ cannot be protected: it is an overlay with its files in /run/up")
    assert driver.reasons(host_state, b.request("vg/root", "vg/var")) == ()
    assert "/var is a separate filesystem" in driver.reasons(host_state, b.request("vg/root"))[0]
