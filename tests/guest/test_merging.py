# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slow thick merge, and one that fails."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, merged, ok, predicted_and_done, present, refused, rolled_back, states, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "slow-disk"
# The device begins at this sector of its disk, or LVM would see the PV twice. Its first MiB contains LVM's metadata.
SKIPPED = 2048
METADATA = 2048


@dataclass(frozen=True)
class Disk:
    """A device of ``sectors`` on a disk. Its content behind LVM's metadata, or all of it, can become slow or fail."""

    below: str
    sectors: int

    def work(self) -> None:
        """Work normally."""
        self._behave(f"linear {self.below} {SKIPPED + METADATA}")

    def delay(self, milliseconds: int) -> None:
        """Delay every read and write by that time."""
        self._behave(f"delay {self.below} {SKIPPED + METADATA} {milliseconds}")

    def fail(self) -> None:
        """Fail every read and write."""
        self._behave("error")

    def refuse_writes(self) -> None:
        """Fail every write."""
        self._behave(f"flakey {self.below} {SKIPPED + METADATA} 0 3600 1 error_writes")

    def vanish(self) -> None:
        """Fail every read and write, also of LVM's metadata: as if the disk did not exist any more."""
        self._load(f"0 {self.sectors} error\n")

    def _behave(self, target: str) -> None:
        self._load(f"0 {METADATA} linear {self.below} {SKIPPED}\n{METADATA} {self.sectors - METADATA} {target}\n")

    def _load(self, table: str) -> None:
        lvm.run("dmsetup", "suspend", "--nolockfs", NAME)
        lvm.run("dmsetup", "load", NAME, stdin=table)
        lvm.run("dmsetup", "resume", NAME)


@contextmanager
def slow_group() -> Iterator[Disk]:
    """Create the VG slow: its origin o fills a good disk. Yield the other disk, where the snapshots are allocated."""
    good, below = storage.new_disk("good", 24), storage.new_disk("below", 48)
    sectors = int(lvm.run("blockdev", "--getsz", below)) - SKIPPED
    lvm.run("dmsetup", "create", NAME, "--table", f"0 {sectors} linear {below} {SKIPPED}")
    storage.new_group("slow", good, f"/dev/mapper/{NAME}")
    lvm.run("lvcreate", "-q", "-y", "-l", "100%PVS", "-n", "o", "slow", good)
    one = Disk(below, sectors)
    try:
        yield one
    finally:
        one.work()
        storage.remove_disks(good, below)


@pytest.fixture
def disk() -> Iterator[Disk]:
    with slow_group() as one:
        yield one


def test_during_a_merge(disk: Disk) -> None:
    task = present("s", "slow/o")
    ok("snapset", task)
    storage.write("slow/o", 18)
    disk.delay(300)
    requested = predicted_and_done("snapset", merged("s"), commands=4)
    disk.delay(2000)
    assert states(requested) == ("merging", ["merging"])
    assert not requested["reboot_required"]
    assert requested["poll_after"] > 0
    refused("snapset", task, "being rolled back")
    refused("snapset", absent("s"), "is being merged, which cannot be stopped")
    refused("snapset", present("t", "slow/o"), "slow/o_s is being merged into slow/o")
    continued = predicted_and_done("snapset", merged("s"), commands=3)
    assert verbs(continued["commands"]) == ["lvchange"]
    assert (continued["changed"], states(continued)[0]) == (False, "merging")
    percent = continued["snapset"]["members"][0]["merge_percent"]
    assert 0 < percent < 100
    (shown,) = ok("snapset_info", {})["snapsets"]
    assert shown["state"] == "merging"
    assert 100 > shown["members"][0]["merge_percent"] >= percent
    disk.work()
    done = rolled_back("snapset", merged("s"))
    assert done["snapset"]["members"][0]["merge_percent"] == 100


def test_a_merge_that_fails(disk: Disk) -> None:
    """The disk of the store fails during the merge. When it works again, the commands in the message continue it."""
    task = present("s", "slow/o")
    ok("snapset", task)
    storage.write("slow/o", 18)
    disk.delay(300)
    assert states(ok("snapset", merged("s"))) == ("merging", ["merging"])
    disk.fail()
    wait_for_failure()
    refused("snapset", task, "merge of slow/o_s failed")
    refused("snapset", absent("s"), "merge of slow/o_s failed")
    message = refused("snapset", merged("s"), "merge of slow/o_s failed")["msg"]
    assert "lvchange -an slow/o; lvchange -ay slow/o" in message
    disk.work()
    lvm.run("lvchange", "-an", "slow/o")
    lvm.run("lvchange", "-ay", "slow/o")
    rolled_back("snapset", merged("s"))


def wait_for_failure(seconds: int = 300) -> None:
    end = time.monotonic() + seconds
    while (state := ok("snapset_info", {"name": "s"})["snapsets"][0]["state"]) != "merge_failed":
        assert time.monotonic() < end, f"still {state} after {seconds} s"
