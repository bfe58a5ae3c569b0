# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of programs that use an origin or its snapshot, and that this collection knows."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info

ROOT, SRV = b.volume("vg/root"), b.volume("vg/srv")
MOUNTS = {"/": ROOT, "/srv": SRV}


def test_os_prober_takes_the_snapshot_of_root_for_another_system() -> None:
    told = b.host_state([ROOT, SRV], mounts=MOUNTS, runs_os_prober=True)
    (warning,) = driver.plan(told, b.request("vg/root", "vg/srv")).warnings
    assert warning.startswith(
        "GRUB_DISABLE_OS_PROBER is false, so update-grub takes the snapshot of vg/root for another"
    )
    assert driver.plan(told, b.request("vg/srv")).warnings == ()
    assert driver.plan(b.host_state([ROOT, SRV], mounts=MOUNTS), b.request("vg/root")).warnings == ()


def test_os_prober_does_not_see_thin_snapshots() -> None:
    root = b.thin("vg/root")
    told = b.host_state([root, b.thin_pool()], mounts={"/": root}, runs_os_prober=True)
    assert driver.plan(told, b.request("vg/root")).warnings == ()


@pytest.mark.parametrize(("taken", "warned"), [(ROOT, 1), (SRV, 0)])
def test_snapset_info_says_it_while_there_is_a_snapshot(taken: object, warned: int) -> None:
    assert taken in (ROOT, SRV)
    members = [b.member(origin) for origin in (ROOT, SRV) if origin == taken]
    told = b.host_state([ROOT, SRV, *members], mounts=MOUNTS, runs_os_prober=True)
    assert len([one for one in host_info(told, None)["warnings"] if "OS_PROBER" in one]) == warned


def test_what_os_prober_has_left_mounted_is_named() -> None:
    held = replace(b.member(SRV), open=True)
    host_state = b.host_state([SRV, held], mounts={"/srv": SRV})
    (reason,) = driver.reasons(host_state, b.request(state="absent"))
    assert reason == "the snapshot vg/srv_s itself is held open by a process: close it first"
    probed = b.mounting(host_state, Mount("/var/lib/os-prober/mount", "grub-mount", "fuse.grub-mount"))
    (reason,) = driver.reasons(probed, b.request(state="absent"))
    assert "held open by a process, perhaps by os-prober (umount /var/lib/os-prober/mount): close it first" in reason


def test_an_origin_that_something_else_uses() -> None:
    used = replace(SRV, open=True)
    (warning,) = driver.plan(b.host_state([used]), b.request("vg/srv")).warnings
    assert warning.startswith("vg/srv is in use but not mounted here, for example by a virtual machine")
    assert "(fuser -v /dev/mapper/vg-srv)" in warning
    assert driver.plan(b.host_state([SRV]), b.request("vg/srv")).warnings == ()
    # A device on top of it is no secret use.
    below = b.host_state([used])
    ((number, device),) = below.host.devices.items()
    luks: BlockDevice = replace(device, holders=("dm-7",))
    below = replace(below, host=replace(below.host, devices=MappingProxyType({number: luks})))
    assert driver.plan(below, b.request("vg/srv")).warnings == ()


def test_a_snapshot_of_e2scrub_goes_away_by_itself() -> None:
    member = b.member(SRV, used=90)
    scrub = b.thick_snapshot(SRV, "srv.e2scrub", size=8 * b.MIB)
    other = b.thick_snapshot(SRV, "other", size=8 * b.MIB)
    reasons = driver.reasons(b.host_state([SRV, member, scrub, other]), b.request(state="merged"))
    assert len(reasons) == 2
    assert any("vg/srv.e2scrub" in one and "is one of e2scrub and goes away by itself: wait" in one for one in reasons)
    assert any("vg/other" in one and "would overflow: extend or remove it first, or" in one for one in reasons)
