# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that are gone, that fail, or that refuse writes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import lvm
import processes
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, rolled_back, states
from host_checks import failed, host_is_consistent
from test_merging import NAME as SLOW
from test_merging import slow_group, wait_for_failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from test_merging import Disk


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk of the VG slow that can fail: the stores of slow/o are allocated there, but slow/o itself is not."""
    with slow_group() as one:
        yield one


@pytest.fixture
def disk_of_origin(disk: Disk) -> Disk:
    """The same disk, but slow/o is on it, and its stores are not."""
    lvm.run("lvremove", "-y", "-q", "slow/o")
    lvm.run("lvcreate", "-q", "-y", "-l", "100%PVS", "-n", "o", "slow", f"/dev/mapper/{SLOW}")
    return disk


def test_the_disk_of_a_store_is_gone(disk: Disk) -> None:
    task = present("s", "slow/o")
    ok("snapset", task)
    taken = storage.checksums("slow/o")
    disk.vanish()
    assert_reported_as_partial(task)
    assert storage.checksums("slow/o") == taken
    disk.work()
    assert not ok("snapset", task)["changed"]
    storage.write("slow/o", 2)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/o") == taken


def test_the_disk_of_a_store_is_gone_and_was_needed(disk: Disk) -> None:
    task = present("s", "slow/o")
    ok("snapset", task)
    disk.vanish()
    storage.write("slow/o", 2)
    kept = storage.checksums("slow/o")
    assert_reported_as_partial(task)
    (shown,) = ok("snapset_info", {})["snapsets"]
    assert states({"snapset": shown}) == ("invalid", ["invalid"])
    disk.work()
    refused("snapset", merged("s"), "slow/o_s .*is invalid")
    assert ok("snapset", absent("s"))["changed"]
    assert lvm.names("slow") == {"o"}
    assert storage.checksums("slow/o") == kept
    assert host_is_consistent()


def test_the_disk_of_an_origin_is_gone(disk_of_origin: Disk) -> None:
    task = present("s", "slow/o", size="8MiB")
    taken = storage.checksums("slow/o")
    ok("snapset", task)
    storage.write("slow/o", 2)
    disk_of_origin.vanish()
    assert_reported_as_partial(task)
    disk_of_origin.work()
    assert not ok("snapset", task)["changed"]
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/o") == taken


def assert_reported_as_partial(task: Mapping[str, object]) -> None:
    """A disk of the VG slow is missing: all its tasks report that, and tasks in other VGs still work."""
    for one in (task, merged("s"), absent("s"), present("t", "slow/o")):
        refused("snapset", one, "VG slow is partial .*reconnect the PV")
    shown = ok("snapset_info", {})
    assert "VG slow is partial: a PV is missing" in str(shown["warnings"])
    assert [one["name"] for one in shown["snapsets"]] == ["s"]
    assert ok("snapset", present("elsewhere", "thick/c"))["changed"]
    assert ok("snapset", absent("elsewhere"))["changed"]
    assert processes.suspended_for_good() == []


@pytest.mark.parametrize("how", ["fail", "refuse_writes"])
def test_a_store_cannot_be_written(disk: Disk, how: str) -> None:
    """The origin still works. The store is reported as lost, and can be removed while its disk still fails."""
    task = present("s", "slow/o")
    ok("snapset", task)
    getattr(disk, how)()
    storage.write("slow/o", 1)
    kept = storage.checksums("slow/o")
    (shown,) = ok("snapset_info", {})["snapsets"]
    assert states({"snapset": shown}) == ("invalid", ["invalid"])
    for one in (task, merged("s")):
        refused("snapset", one, "slow/o_s .*is invalid")
    assert ok("snapset", absent("s"))["changed"]
    assert lvm.names("slow") == {"o"}
    assert storage.checksums("slow/o") == kept
    assert host_is_consistent()
    disk.work()
    assert ok("snapset", task)["changed"]


@pytest.mark.parametrize("how", ["fail", "refuse_writes"])
def test_a_store_cannot_be_made(disk: Disk, how: str) -> None:
    task = present("s", "thick/c", "slow/o")
    kept = storage.checksums("slow/o", "thick/c")
    getattr(disk, how)()
    failed(call("snapset", task), "create failed (vg slow", "slow/o_s")
    assert storage.visible() == set(storage.VOLUMES)
    assert lvm.names("slow") == {"o"}
    assert storage.checksums("slow/o", "thick/c") == kept
    assert ok("snapset_info", {})["snapsets"] == []
    assert host_is_consistent()
    disk.work()
    assert states(ok("snapset", task)) == ("active", ["active"] * 2)


def test_an_origin_cannot_be_written_back(disk_of_origin: Disk) -> None:
    taken = storage.checksums("slow/o")
    ok("snapset", present("s", "slow/o", size="8MiB"))
    storage.write("slow/o", 2)
    disk_of_origin.refuse_writes()
    call("snapset", merged("s"))
    wait_for_failure()
    refused("snapset", merged("s"), "the merge of slow/o_s failed .*repair the device")
    assert processes.suspended_for_good() == []
    disk_of_origin.work()
    lvm.run("lvchange", "-an", "slow/o")
    lvm.run("lvchange", "-ay", "slow/o")
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/o") == taken


def test_a_pool_loses_its_disk(disk: Disk) -> None:
    lvm.run("lvremove", "-y", "-q", "slow/o")
    where = f"/dev/mapper/{SLOW}"
    lvm.run(
        "lvcreate", "-y", "-q", "--type", "thin-pool", "-L", "24m", "--poolmetadatasize", "4m", "-n", "p", "slow", where
    )
    lvm.run("lvcreate", "-y", "-q", "-V", "8m", "--thinpool", "slow/p", "-n", "v")
    storage.write("slow/v", 2)
    ok("snapset", present("s", "slow/v"))
    taken = storage.checksums("slow/v")
    storage.write("slow/v", 2)
    disk.fail()
    with suppress(AssertionError, OSError):
        storage.write("slow/v", 1, at=4)
    for task in (present("t", "slow/v"), merged("s")):
        assert call("snapset", task).get("failed")
    assert processes.suspended_for_good() == []
    disk.work()
    lvm.run("lvchange", "-an", "slow/v", "slow/p")
    lvm.run("lvchange", "-ay", "slow/p", "slow/v")
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/v") == taken
