# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused because of a thin pool."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import builders as b
import driver
import modules
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._module.changes import ChangeSession
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import SnapshotsCase

T = b.thin("vg/t")


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
@pytest.mark.parametrize("health", ["metadata_read_only", "failed"])
def test_nothing_can_be_done_in_a_pool_that_cannot_write_its_metadata(health: str, state: Any) -> None:
    pool = replace(b.thin_pool(), health=health)
    for volumes in ([T, pool], [T, b.member(T), pool]):
        if len(volumes) > 2 or state == "present":
            reasons = driver.reasons(b.host_state(volumes), b.request("vg/t", state=state))
            assert any(reason.startswith("thin pool vg/pool has no space for metadata") for reason in reasons), reasons
    (warning,) = host_info(b.host_state([T, pool]), None)["warnings"]
    assert warning.startswith(f"thin pool vg/pool is not healthy ({health})")


@pytest.mark.parametrize("state", ["merged", "absent"])
def test_a_pool_without_space_for_data_allows_merge_and_removal(state: Any) -> None:
    pool = replace(b.thin_pool(data=100), health="out_of_data")
    assert driver.reasons(b.host_state([T, b.member(T), pool]), b.request("vg/t", state=state)) == ()


POOLS: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "just enough data": ({"data": Fraction("79.99")}, {}, None),
    "data": ({"data": 80}, {}, "thin pool vg/pool has 80.00% of its data used (limit 80%)"),
    "just enough metadata": ({"metadata": Fraction("74.99")}, {}, None),
    "metadata": ({"metadata": 75}, {}, "thin pool vg/pool has 75.00% of its metadata used (limit 75%)"),
    "just enough reserve": ({"data": 70}, {"pool_reserve": "30%"}, None),
    "reserve": ({"data": 70}, {"pool_reserve": "30.01%"}, "thin pool vg/pool has 300 MiB free, less than pool_reserve"),
    "reserve in bytes": ({"data": 70}, {"pool_reserve": "301MiB"}, "thin pool vg/pool has 300 MiB free"),
}


@pytest.mark.parametrize("case", POOLS)
def test_pool(case: str) -> None:
    facts, wish, expected = POOLS[case]
    reasons = driver.reasons(b.host_state([T, b.thin_pool(**facts)]), b.request("vg/t", **wish))
    assert len(reasons) == (expected is not None)
    assert all(reason.startswith(expected or "") for reason in reasons)


@pytest.mark.parametrize(
    ("data", "metadata", "limit", "refused"),
    [(60, 10, 60, True), (10, 60, 60, True), (59, 59, 60, False), (79, 74, 100, False), (60, 10, None, False)],
)
def test_a_pool_above_its_threshold(data: int, metadata: int, limit: int | None, *, refused: bool) -> None:
    """LVM would refuse it. The exact numbers may be a little above what its report shows."""
    pool = replace(b.thin_pool(data=data, metadata=metadata), creation_limit=limit)
    reasons = driver.reasons(b.host_state([T, pool]), b.request("vg/t"))
    says = (
        f"{data}.00% of its data and {metadata}.00% of its metadata used, and LVM creates nothing in it above {limit}%"
    )
    assert [says in reason for reason in reasons] == [True] * refused


def test_the_limit_is_read_for_the_pools_in_which_something_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the profile of the pool, or that of its VG; and no more when the snapset exists."""
    u, pool2 = b.thin("vg/u", pool="pool2"), replace(b.thin_pool("vg/pool2"), profile="own")
    other = [b.thin("vg/v", pool="pool3"), b.thin_pool("vg/pool3")]
    session = ChangeSession(modules.module())
    asked: list[str] = []

    def limit(profile: str) -> int:
        asked.append(profile)
        return len(profile)

    monkeypatch.setattr(session.lvm, "creation_limit", limit)
    for volumes, expected in (([T, u], {"pool": 5, "pool2": 3}), ([T, b.member(T)], {})):
        host_state = b.host_state([*volumes, b.thin_pool(), pool2, *other], groups=[b.group(profile="group")])
        monkeypatch.setattr(session, "observe", lambda seen=host_state: seen)
        wanted = [volume.full_name for volume in volumes if not volume.is_snapshot]
        read = SnapshotsCase("snapset", b.request(*wanted)).read(session)
        assert {v.name: v.creation_limit for v in read.volumes if v.creation_limit is not None} == expected
    assert asked == ["group", "own"]
    SnapshotsCase("snapset", b.request("vg/t", state="absent")).read(session)
    assert len(asked) == 2


def test_a_pool_that_is_not_active() -> None:
    pool = replace(b.inactive(b.thin_pool()), metadata_percent=None)
    (reason,) = driver.reasons(b.host_state([T, pool]), b.request("vg/t"))
    assert reason.startswith("thin pool vg/pool is not active")


def test_a_pool_is_reported_once() -> None:
    host_state = b.host_state([T, b.thin("vg/u"), b.thin_pool(data=90)])
    assert len(driver.reasons(host_state, b.request("vg/t", "vg/u"))) == 1
