# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thick merge that takes its time, and one that fails."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, merged, ok, predicted_and_done, present, refused, rolled_back, states, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

# How much of its time the kernel may spend on copying for snapshots, in percent.
THROTTLE = Path("/sys/module/dm_snapshot/parameters/snapshot_copy_throttle")


@contextmanager
def slow_copying() -> Iterator[None]:
    THROTTLE.write_text("1")
    try:
        yield
    finally:
        THROTTLE.write_text("100")


def test_while_a_merge_runs() -> None:
    task = present("s", "thick/b")
    ok("snapset", task)
    storage.write("thick/b", 36)
    with slow_copying():
        requested = predicted_and_done("snapset", merged("s"), commands=4)
        assert states(requested) == ("merging", ["merging"])
        assert not requested["reboot_required"]
        assert requested["poll_after"] > 0
        refused("snapset", task, "being rolled back")
        refused("snapset", absent("s"), "is being merged, which cannot be stopped")
        refused("snapset", present("t", "thick/b"), "thick/b_s is being merged into thick/b")
        going_on = predicted_and_done("snapset", merged("s"), commands=3)
        assert verbs(going_on["commands"]) == ["fullreport", "lvchange", "fullreport"]
        assert (going_on["changed"], states(going_on)[0]) == (False, "merging")
        percent = going_on["snapset"]["members"][0]["merge_percent"]
        assert 0 < percent < 100
        (shown,) = ok("snapset_info", {})["snapsets"]
        assert shown["state"] == "merging"
        assert shown["members"][0]["merge_percent"] >= percent
    done = rolled_back("snapset", merged("s"))
    assert done["snapset"]["members"][0]["merge_percent"] == 100


@pytest.fixture
def failing() -> Iterator[str]:
    """The VG faulty: its origin o on a good disk, what is left of the room on one that can be made to fail."""
    good, bad = storage.new_disk("good", 24), storage.new_disk("bad", 48)
    sectors = lvm.run("blockdev", "--getsz", bad).strip()
    lvm.run("dmsetup", "create", "faulty-disk", "--table", f"0 {sectors} linear {bad} 0")
    lvm.run("vgcreate", "-q", "faulty", good, "/dev/mapper/faulty-disk")
    lvm.run("lvcreate", "-q", "-y", "-l", "100%PVS", "-n", "o", "faulty", good)
    yield f"0 {sectors} linear {bad} 0"
    lvm.run("dmsetup", "reload", "faulty-disk", "--table", f"0 {sectors} linear {bad} 0")
    lvm.run("dmsetup", "resume", "faulty-disk")
    storage.remove_disks(good, bad)


def test_a_merge_that_fails(failing: str) -> None:
    """The disk with the store fails while the merge runs; when it is back, LVM goes on as the message says."""
    task = present("s", "faulty/o")
    ok("snapset", task)
    storage.write("faulty/o", 18)
    with slow_copying():
        ok("snapset", merged("s"))
        fail, mend = failing.replace("linear", "error").split(" error")[0] + " error", failing
        load("faulty-disk", fail)
    wait_for_failure()
    refused("snapset", task, "merge of faulty/o_s failed")
    refused("snapset", absent("s"), "merge of faulty/o_s failed")
    told = refused("snapset", merged("s"), "merge into faulty/o failed")["msg"]
    assert "lvchange -an faulty/o; lvchange -ay faulty/o" in told
    load("faulty-disk", mend)
    lvm.run("lvchange", "-an", "faulty/o")
    lvm.run("lvchange", "-ay", "faulty/o")
    rolled_back("snapset", merged("s"))


def load(device: str, table: str) -> None:
    lvm.run("dmsetup", "suspend", "--noflush", "--nolockfs", device)
    lvm.run("dmsetup", "load", device, "--table", table)
    lvm.run("dmsetup", "resume", device)


def wait_for_failure() -> None:
    for _round in range(60):
        if ok("snapset_info", {"name": "s"})["snapsets"][0]["state"] == "merge_failed":
            return
    pytest.fail("the merge did not fail")
