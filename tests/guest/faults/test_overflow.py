# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores and pools that become full: what is damaged, what is reported, and whether the suggested commands work.

Chunks and blocks are counted exactly. A store of N chunks (4 KiB) contains a header, and one chunk of metadata before
every 256 chunks of content: a store of 2048 chunks has space for 2039.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import (
    Arguments,
    Result,
    absent,
    four_runs,
    merged,
    ok,
    predicted_and_done,
    present,
    refused,
    rolled_back,
    states,
)
from storage import MIB
from test_merging import slow_group
from test_pending import in_use, run_suggested_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 4096
# How many chunks of content a store of 8 MiB can hold.
CAPACITY = 2039


def write_chunks(origin: str, count: int) -> None:
    """Overwrite the first ``count`` chunks of an LV."""
    storage.write(origin, count * CHUNK / MIB)


def shown(name: str = "s") -> Result:
    """The set as snapset_info reports it."""
    found: Result = ok("snapset_info", {"name": name})["snapsets"][0]
    return found


@pytest.mark.parametrize("chunks", [CAPACITY, CAPACITY + 1], ids=["last chunk", "one more"])
def test_a_store_is_full_before_it_overflows(chunks: int) -> None:
    """LVM reports 100% for both, but only the first can be rolled back."""
    taken = storage.checksum("thick/c")
    ok("snapset", present("s", "thick/c", size="8MiB"))
    write_chunks("thick/c", chunks)
    assert [member["used_percent"] for member in shown()["members"]] == [100]
    if chunks > CAPACITY:
        assert shown()["state"] == "invalid"
        refused("snapset", merged("s"), "thick/c_s overflowed and is invalid")
        return
    assert shown()["state"] == "active"
    predicted_and_done("snapset", merged("s", min_headroom="0"), commands=4)
    rolled_back("snapset", merged("s"))
    assert storage.checksum("thick/c") == taken


def test_overflow_does_no_harm_to_a_closed_origin() -> None:
    task = present("s", "thick/c", size="8MiB")
    ok("snapset", task)
    content = os.urandom(20 * MIB)
    Path("/dev/thick/c").write_bytes(content)
    lvm.run("sync", "/dev/thick/c")
    assert shown()["state"] == "invalid"
    assert storage.checksum("thick/c") == sha256(content).hexdigest()
    refused("snapset", merged("s"), "thick/c_s overflowed and is invalid", r"remove the set \(state: absent\)")
    refused("snapset", task, r"remove the set \(state: absent\), then create a new one")
    four_runs("snapset", absent("s"), commands=3)
    ok("snapset", task)
    write_chunks("thick/c", CAPACITY)
    ok("snapset", merged("s", min_headroom="0"))
    rolled_back("snapset", merged("s"))
    assert storage.checksum("thick/c") == sha256(content).hexdigest()


@pytest.mark.parametrize("snapshot_mounted", [False, True], ids=["", "snapshot mounted"])
def test_overflow_does_no_harm_to_a_mounted_origin(snapshot_mounted: bool) -> None:  # noqa: FBT001
    content = os.urandom(16 * MIB)
    with ExitStack() as snapshot_mounts, in_use("thick/a") as root:
        ok("snapset", present("s", "thick/a", size="8MiB"))
        if snapshot_mounted:
            # dmeventd would unmount it by force at some time.
            lvm.run("lvchange", "--monitor", "n", "thick/a_s")
            snapshot_mounts.enter_context(storage.mounted("thick/a_s", "-o", "ro,noload", at="snapshot"))
        (root / "later").write_bytes(content)
        lvm.run("sync", "-f", str(root))
        info = ok("snapset_info", {})
        assert info["snapsets"][0]["state"] == "invalid"
        (entry,) = (one for one in info["coverage"] if one["mountpoint"] == str(root))
        assert (entry["protectable"], entry["snapsets"]) == (True, [])
        if snapshot_mounted:
            refused("snapset", absent("s"), "thick/a_s itself is mounted at .*: close it first")
            snapshot_mounts.close()
        ok("snapset", absent("s"))
    lvm.run("e2fsck", "-fn", "/dev/thick/a")
    with storage.mounted("thick/a") as root:
        assert (root / "later").read_bytes() == content
        (root / "later").unlink()


def test_a_member_overflows_while_its_merge_waits() -> None:
    """LVM cannot cancel the merge of the thin member: the suggested commands continue without the lost member."""
    content = os.urandom(16 * MIB)
    with in_use("thick/a") as thick, in_use("thin/t1") as thin:
        ok("snapset", present("s", "thick/a", "thin/t1", size="8MiB"))
        (thin / "later").write_text("x")
        ok("snapset", merged("s"))
        (thick / "later").write_bytes(content)
        lvm.run("sync", "-f", str(thick))
        refused("snapset", absent("s"), "LVM cannot remove it before thick/a is next activated", "accept_loss_of")
        lost = "thick/a_s overflowed while its merge was pending: the rollback is lost"
        message = refused("snapset", merged("s"), lost, r"accept_loss_of: \[s\]")["msg"]
        lvm.run("umount", str(thick))
        run_suggested_commands(message)
        continued = ok("snapset", merged("s", accept_loss_of=["s"]))
        assert states(continued) == ("merge_pending", ["merge_pending"])
        lvm.run("umount", str(thin))
    assert states(rolled_back("snapset", merged("s"))) == ("rolled_back", ["rolled_back"])
    with storage.mounted("thick/a") as thick, storage.mounted("thin/t1") as thin:
        assert (thick / "later").read_bytes() == content
        assert not (thin / "later").exists()
        (thick / "later").unlink()
    ok("snapset", absent("s"))
    assert not lvm.tags("thick/a") | lvm.tags("thin/t1")


def test_writes_to_the_origin_do_not_fill_a_store_that_is_being_merged() -> None:
    with slow_group() as disk:
        taken = Path("/dev/slow/o").read_bytes()
        ok("snapset", present("s", "slow/o", size="8MiB"))
        write_chunks("slow/o", CAPACITY)
        disk.delay(300)
        assert states(ok("snapset", merged("s", min_headroom="0")))[0] == "merging"
        content = os.urandom(MIB)
        with open("/dev/slow/o", "r+b", buffering=0) as device:  # noqa: PTH123
            for place in (0, 10, 12, 14, 16, 18):
                device.seek(place * MIB)
                device.write(content)
        lvm.run("sync", "/dev/slow/o")
        assert shown()["state"] == "merging"
        disk.work()
        rolled_back("snapset", merged("s"))
        expected = bytearray(taken)
        for place in (0, 10, 12, 14, 16, 18):
            expected[place * MIB : (place + 1) * MIB] = content
        assert storage.checksum("slow/o") == sha256(expected).hexdigest()


def two_snapshots(chunks: int) -> list[str]:
    """Take two snapshots of thick/c: older with ``chunks`` chunks, younger with 8 MiB. Return their checksums."""
    contents = [storage.checksum("thick/c")]
    ok("snapset", present("older", "thick/c", size="16MiB"))
    write_chunks("thick/c", chunks)
    ok("snapset", present("younger", "thick/c", size="8MiB"))
    return [*contents, storage.checksum("thick/c")]


def test_a_sibling_with_just_enough_room_for_the_merge() -> None:
    """The percentage of LVM has two decimals: we may require one chunk too many, but never one too few."""
    older, younger = two_snapshots(CAPACITY - 1)
    ok("snapset", merged("older"))
    rolled_back("snapset", merged("older"))
    assert storage.checksum("thick/c") == older
    assert (shown("younger")["state"], shown("younger")["members"][0]["used_percent"]) == ("active", 99.95)
    assert storage.checksum("thick/c_younger") == younger
    ok("snapset", merged("younger"))
    rolled_back("snapset", merged("younger"))
    assert storage.checksum("thick/c") == younger


def test_a_sibling_without_enough_room_for_the_merge() -> None:
    older, younger = two_snapshots(CAPACITY + 1)
    refused("snapset", merged("older"), r"into thick/c_younger \(younger\), .* extend or remove it first")
    ok("snapset", present("younger", "thick/c", size="12MiB"))
    ok("snapset", merged("older"))
    rolled_back("snapset", merged("older"))
    assert storage.checksum("thick/c") == older
    assert storage.checksum("thick/c_younger") == younger


def test_a_sibling_filled_by_the_merge() -> None:
    older, _younger = two_snapshots(CAPACITY + 1)
    refused("snapset", merged("older"), "or list younger in accept_loss_of")
    ok("snapset", merged("older", accept_loss_of=["younger"]))
    rolled_back("snapset", merged("older"))
    assert storage.checksum("thick/c") == older
    assert shown("younger")["state"] == "invalid"
    refused("snapset", merged("younger"), "thick/c_younger overflowed and is invalid")
    four_runs("snapset", absent("younger"), commands=3)
    assert storage.checksum("thick/c") == older


POOL_BLOCKS = 320
BLOCK = 64 * 1024


@contextmanager
def small_pool() -> Iterator[None]:
    """Create the VG brim with a pool of 320 data blocks and 512 metadata blocks, and the larger volume v in it."""
    disk = storage.new_disk("brim", 48)
    storage.new_group("brim", disk, extent="1m")
    sizes = ("-L", f"{POOL_BLOCKS * BLOCK}b", "--chunksize", "64k", "--poolmetadatasize", "2m")
    lvm.run("lvcreate", "-q", "-y", "--type", "thin-pool", *sizes, "-n", "pool", "brim")
    lvm.run("lvchange", "--errorwhenfull", "y", "brim/pool")
    lvm.run("lvcreate", "-q", "-y", "-V", "40m", "--thinpool", "brim/pool", "-n", "v")
    try:
        yield
    finally:
        storage.remove_disks(disk)


@pytest.fixture
def _pool() -> Iterator[None]:
    with small_pool():
        yield


def fill(start: int, end: int) -> None:
    """Write v until it uses ``end`` blocks of the pool. It already uses ``start`` blocks."""
    storage.write("brim/v", (end - start) * BLOCK / MIB, at=start * BLOCK / MIB)


def written(blocks: int) -> bytes:
    """The content of the first blocks of v, read from the pool."""
    lvm.run("blockdev", "--flushbufs", "/dev/brim/v")
    with Path("/dev/brim/v").open("rb") as device:
        return device.read(blocks * BLOCK)


@pytest.mark.usefixtures("_pool")
def test_how_full_the_data_of_a_pool_may_be() -> None:
    """Exactly the reserve is accepted, one block less is refused. Below the limit is accepted, at it is refused."""
    cases = (
        (240, "25%", None),
        (240, "5MiB", None),
        (241, "25%", r"has 4.9 MiB free, less than pool_reserve \(25%\)"),
        (241, "5MiB", r"has 4.9 MiB free, less than pool_reserve \(5MiB\)"),
        (255, "0", None),
        (255, "20%", None),
        (256, "0", r"has 80\.00% of its data used \(limit 80%\)"),
        (256, "20%", r"has 80\.00% of its data used \(limit 80%\): extend it$"),
    )
    have = 0
    for blocks, reserve, reason in cases:
        fill(have, blocks)
        have = blocks
        task = present("s", "brim/v", pool_reserve=reserve)
        if reason is None:
            ok("snapset", task)
            ok("snapset", absent("s"))
        else:
            refused("snapset", task, f"thin pool brim/pool {reason}")
    lvm.run("lvextend", "-L", "+1m", "brim/pool")
    ok("snapset", task)


def metadata_blocks() -> int:
    """How many of the 512 metadata blocks are used, as the kernel reports."""
    (used,) = re.findall(r" thin-pool \d+ (\d+)/512 ", lvm.run("dmsetup", "status", "brim-pool-tpool"))
    return int(used)


def add_devices(blocks: int) -> None:
    """Add devices that LVM does not know until ``blocks`` metadata blocks are used."""
    while (used := metadata_blocks()) < blocks:
        lvm.run("dmsetup", "message", "brim-pool-tpool", "0", f"create_thin {10_000 + used}")


@pytest.mark.usefixtures("_pool")
def test_how_full_the_metadata_of_a_pool_may_be() -> None:
    """384 of 512 blocks are 75%, which is also the limit of LVM."""
    # The kernel reserves a tenth for deletions, and reports it as used.
    storage.fill_metadata("brim/pool", 300)
    lvm.run("lvchange", "-ay", "brim/v")
    task = present("s", "brim/v")
    add_devices(383)
    assert metadata_blocks() == 383
    ok("snapset", task)
    ok("snapset", absent("s"))
    add_devices(384)
    refused("snapset", task, r"brim/pool has 75\.00% of its metadata used \(limit 75%\): .*lvextend --poolmetadatasize")
    lvm.run("lvextend", "--poolmetadatasize", "+1m", "brim/pool")
    ok("snapset", task)


@pytest.mark.usefixtures("_pool")
@pytest.mark.parametrize("task", [merged, absent])
def test_a_pool_out_of_data(task: Callable[[str], Arguments]) -> None:
    """Writes to the origin fail then, so pools are refused earlier. Both merge and removal free space."""
    fill(0, 64)
    old = written(64)
    ok("snapset", present("s", "brim/v"))
    fill(0, 64)
    new = written(64)
    with pytest.raises(AssertionError, match="Input/output error"):
        fill(64, 64 + POOL_BLOCKS)
    warned = str(ok("snapset_info", {})["warnings"])
    assert "thin pool brim/pool is not healthy (out_of_data)" in warned
    refused("snapset", present("t", "brim/v"), r"brim/pool has 100\.00% of its data used \(limit 80%\): extend it")
    assert not ok("snapset", present("s", "brim/v"))["changed"]
    ok("snapset", task("s"))
    if task is merged:
        rolled_back("snapset", merged("s"))
    assert written(64) == (old if task is merged else new)
    fill(100, 132)


@pytest.mark.usefixtures("_pool")
def test_a_pool_out_of_metadata() -> None:
    """LVM would stop halfway in a merge or a removal, and leave the origin of a merge inactive."""
    fill(0, 64)
    taken = storage.checksum("brim/v")
    ok("snapset", present("s", "brim/v"))
    fill(0, 64)
    # The kernel reserves a tenth for deletions.
    storage.fill_metadata("brim/pool", 435)
    lvm.run("lvchange", "-ay", "brim/v")
    changed = storage.checksum("brim/v")
    add_devices(512)
    with pytest.raises(AssertionError, match=r"Input/output error|No space left"):
        fill(100, 132)
    warned = str(ok("snapset_info", {})["warnings"])
    assert "thin pool brim/pool is not healthy (metadata_read_only)" in warned
    for task in (present("t", "brim/v"), present("s", "brim/v"), absent("s"), merged("s")):
        message = refused("snapset", task, "thin pool brim/pool has no space for metadata")["msg"]
    assert storage.checksum("brim/v") == changed
    (command,) = re.findall(r"lvextend --poolmetadatasize \+SIZE brim/pool", message)
    lvm.run(*command.replace("SIZE", "1m").split())
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksum("brim/v") == taken
    fill(100, 132)
