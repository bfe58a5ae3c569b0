# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of LVM that hide disks from it, or keep it from activating LVs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import storage
from calls import absent, call, merged, ok, present, refused, rolled_back
from host_checks import ORIGINS, change, failed, host_is_consistent
from lvm import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterator


def disks_of(vg: str) -> list[str]:
    """The PVs of a VG."""
    return [row["pv_name"] for row in lvm.report("pvs", "pv_name,vg_name") if row["vg_name"] == vg]


@contextmanager
def hidden_by(option: str, disk: str) -> Iterator[None]:
    """Configure LVM temporarily so that it does not see ``disk``."""
    # No "a|.*|" after it: LVM accepts a disk if any of its names is accepted.
    if option != "devicesfile":
        with lvm.settings(f'devices {{ {option} = [ "r|^{disk}$|" ] }}'):
            yield
        return
    seen = {row["pv_name"] for row in lvm.report("pvs", "pv_name")} - {disk}
    file = CONFIGURATION / "devices" / "safepoint-guest.devices"
    with lvm.settings(f'devices {{ use_devicesfile=1 devicesfile="{file.name}" }}'):
        try:
            for one in sorted(seen):
                # Debian has no program lvmdevices, but lvm has the command.
                lvm.run("lvm", "lvmdevices", "-y", "--adddev", one)
            yield
        finally:
            file.unlink(missing_ok=True)


HIDING = ["filter", "global_filter", "devicesfile"]


def test_a_whole_group_is_hidden() -> None:
    """Its LVs are active in the kernel, but LVM does not see them: no task may report that the set does not exist."""
    (disk,) = disks_of("thick")
    task = present("s", *ORIGINS)
    ok("snapset", task)
    for option in HIDING:
        with hidden_by(option, disk):
            assert "thick-c_s" in str(ok("snapset_info", {}).get("warnings"))
            for one in (task, merged("s"), absent("s"), absent("t"), present("t", "thin/t2")):
                refused("snapset", one, "LVM does not show .*thick-")
    assert not ok("snapset", task)["changed"]
    assert ok("snapset", absent("s"))["changed"]
    assert storage.visible() == set(storage.VOLUMES)


def test_one_disk_of_a_group_is_hidden() -> None:
    disks = [storage.new_disk(name, 24) for name in ("one", "two")]
    storage.new_group("pair", *disks)
    try:
        lvm.run("lvcreate", "-q", "-y", "-l", "100%PVS", "-n", "o", "pair", disks[0])
        task = present("s", "pair/o")
        ok("snapset", task)
        for option in HIDING:
            with hidden_by(option, disks[1]):
                for one in (task, merged("s"), absent("s"), present("t", "pair/o")):
                    refused("snapset", one, "VG pair is partial")
                assert "VG pair is partial: a PV is missing" in str(ok("snapset_info", {})["warnings"])
        assert not ok("snapset", task)["changed"]
        assert ok("snapset", absent("s"))["changed"]
    finally:
        storage.remove_disks(*disks)


def test_activation_is_not_allowed() -> None:
    """volume_list prevents activation: no set can be created, but an existing one can be removed."""
    task = present("s", *ORIGINS, size="8MiB")
    taken = storage.checksums(*ORIGINS)
    allowed = 'activation { volume_list=["sysvg"] }'
    with lvm.settings(allowed):
        failed(call("snapset", task), "create failed")
    assert storage.visible() == set(storage.VOLUMES)
    assert host_is_consistent()
    ok("snapset", task)
    change()
    with lvm.settings(allowed):
        ok("snapset", absent("s"))
    assert storage.visible() == set(storage.VOLUMES)
    ok("snapset", task)
    taken = storage.checksums(*ORIGINS)
    change()
    with lvm.settings(allowed):
        call("snapset", merged("s"))
    lvm.run("lvchange", "-ay", *ORIGINS)
    rolled_back("snapset", merged("s"))
    assert storage.checksums(*ORIGINS) == taken


def test_lvm_without_activation() -> None:
    """LVM would change its metadata but not the devices, so every change is refused."""
    task = present("s", *ORIGINS, size="8MiB")
    setting, reason = "global { activation=0 }", "LVM does not know which LVs are active .activation=0"
    with lvm.settings(setting):
        refused("snapset", task, reason)
        assert ok("snapset_info", {})["snapsets"] == []
    assert storage.visible() == set(storage.VOLUMES)
    ok("snapset", task)
    with lvm.settings(setting):
        for one in (merged("s"), absent("s")):
            refused("snapset", one, reason)
    assert not any(lvm.tags(origin) for origin in ORIGINS)
    assert ok("snapset", absent("s"))["changed"]
