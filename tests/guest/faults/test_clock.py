# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clocks that are wrong, while a set exists and from one task to the next."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import storage
from calls import absent, merged, ok, present, rolled_back, states
from host_checks import ORIGINS, change, whole_lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator


YEAR = 365 * 24 * 3600


@contextmanager
def clock(seconds: int) -> Iterator[None]:
    """Set the clock wrong by ``seconds`` temporarily."""
    real, steady = time.time(), time.monotonic()
    time.clock_settime(time.CLOCK_REALTIME, real + seconds)
    try:
        yield
    finally:
        time.clock_settime(time.CLOCK_REALTIME, real + time.monotonic() - steady)


def test_a_wrong_clock() -> None:
    task = present("s", *ORIGINS, size="8MiB")
    taken = storage.checksums(*ORIGINS)
    with clock(YEAR):
        future = ok("snapset", task)["snapset"]
        assert 0 <= future["age"] < 60
    assert ok("snapset", task)["snapset"]["age"] == 0
    change()
    with clock(-YEAR):
        (shown,) = ok("snapset_info", {})["snapsets"]
        assert (shown["age"], shown["created"], shown["state"]) == (0, future["created"], "active")
        ok("snapset", merged("s"))
    assert states(rolled_back("snapset", merged("s"))) == ("rolled_back", ["rolled_back"] * 2)
    assert storage.checksums(*ORIGINS) == taken
    with clock(-YEAR):
        past = ok("snapset", task)["snapset"]
        assert past["created"] < future["created"]
    again = ok("snapset", task)
    assert not again["changed"]
    assert abs(again["snapset"]["age"] - YEAR) < 3600
    assert ok("snapset", absent("s"))["changed"]


# The kernel refuses a time that is less than its uptime.
@pytest.mark.parametrize("epoch", [24 * 3600, 2**32 + 1])
def test_a_very_wrong_clock(epoch: int) -> None:
    with clock(epoch - int(time.time())):
        whole_lifecycle()
    assert storage.visible() == set(storage.VOLUMES)
