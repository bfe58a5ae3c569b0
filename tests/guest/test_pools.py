# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thin pools without enough free space for a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import ok, present, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

# Metadata of 2 MiB, the minimum of LVM, has 512 blocks. Each of these devices uses one block for its only mapping.
DEVICES = 390


@pytest.fixture(scope="module", autouse=True)
def _pools(keeper: storage.Keeper) -> Iterator[None]:
    """The VG brim with the pools data and metadata, and their thin volumes vdata and vmetadata."""
    disk = storage.new_disk("brim", 96)
    storage.new_group("brim", disk, extent="1m")
    for pool in ("data", "metadata"):
        lvm.run(
            "lvcreate", "-q", "-y", "--type", "thin-pool", "-L", "16m", "--poolmetadatasize", "2m", "-n", pool, "brim"
        )
        lvm.run("lvcreate", "-q", "-y", "-V", "24m", "--thinpool", f"brim/{pool}", "-n", f"v{pool}")
    storage.write("brim/vdata", 13)
    storage.fill_metadata("brim/metadata", DEVICES)
    lvm.run("lvchange", "-q", "-ay", "brim")
    yield
    lvm.run("vgremove", "-q", "-ff", "-y", "brim")
    storage.remove_disks(disk)
    keeper.restore()


def test_data_are_nearly_full() -> None:
    refused(
        "snapset",
        present("s", "brim/vdata", pool_reserve="0"),
        r"brim/data has 8\d\.\d+% of its data used \(limit 80%\)",
    )


def test_metadata_are_nearly_full() -> None:
    refused(
        "snapset",
        present("s", "brim/vmetadata"),
        r"brim/metadata has (7[5-9]|[89]\d)\.\d+% of its metadata used \(limit 75%\)",
    )


def test_both_at_once_and_for_a_single_snapshot() -> None:
    refused("snapset", present("s", "brim/vdata", "brim/vmetadata"), "brim/data has", "brim/metadata has")
    refused("snapshot", {"vg": "brim", "lv": "vdata", "snapshot": "x"}, "brim/data has")


@pytest.mark.parametrize("reserve", ["10GiB", "95%"])
def test_less_than_the_reserve_is_free(reserve: str) -> None:
    task = present("s", "thin/t1", "thin/t2", pool_reserve=reserve)
    refused("snapset", task, rf"thin/pool has .* free, less than pool_reserve \({reserve}\)")
    assert ok("snapset", {**task, "pool_reserve": "1MiB"}, check=True)["changed"]


def test_the_default_reserve() -> None:
    refused("snapset", present("s", "brim/vdata"), r"less than pool_reserve \(20%\)")


def test_an_inactive_pool() -> None:
    lvm.run("lvchange", "-q", "-an", "brim/vdata", "brim/data")
    refused("snapset", present("s", "brim/vdata"), "brim/data is not active")
    lvm.run("lvchange", "-q", "-ay", "brim/vdata")
