# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volumes for the whole run, restored after each test; and options that select a part of the tests."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# This must happen before they are imported for the first time.
pytest.register_assert_rewrite("calls", "host_checks", "lvm", "processes", "storage", "timers")

import storage  # noqa: E402
import timers  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_HIBERNATION = Path("/run/systemd/sleep.conf.d/zzz-safepoint-lvm.conf")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", default="all", help="how many tests of faults/ to run")
    parser.addoption("--shard", default="1/1", metavar="PART/PARTS", help="run only this part of the tests")
    parser.addoption("--seed", default="1", help="decides which tests of faults/ are run, and when their faults happen")


def pytest_report_header(config: pytest.Config) -> str:
    return f"faults: {config.getoption('--faults')}, seed: {config.getoption('--seed')}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part, parts = map(int, config.getoption("--shard").split("/"))
    wanted, seed = config.getoption("--faults"), config.getoption("--seed")
    faults = [item for item in items if item.path.parent.name == "faults"]
    chosen = sorted(faults, key=lambda item: hashlib.sha256(f"{seed}{item.nodeid}".encode()).digest())
    sampled = chosen if wanted == "all" else chosen[: int(wanted)]
    left = [item for item in items if item not in faults or item in sampled][part - 1 :: parts]
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = left


@pytest.fixture(scope="session")
def keeper() -> Iterator[storage.Keeper]:
    storage.set_up()
    yield storage.Keeper()
    storage.tear_down()


@pytest.fixture(autouse=True)
def _clean(keeper: storage.Keeper) -> Iterator[None]:
    yield
    keeper.restore()
    # A merge that nobody has looked at since it ended leaves it.
    NO_HIBERNATION.unlink(missing_ok=True)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[timers.SimulatedHost]:
    """A host whose clocks, boots and reboots are simulated for the program of a timer, which is removed at the end."""
    found = timers.SimulatedHost(monkeypatch)
    yield found
    timers.remove()
    shutil.rmtree(found.place)
