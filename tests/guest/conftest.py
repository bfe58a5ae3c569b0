# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One set of volumes for the whole run, brought back to clean after each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

# Before they are imported for the first time.
pytest.register_assert_rewrite("calls", "lvm", "storage")

import storage  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def keeper() -> Iterator[storage.Keeper]:
    storage.set_up()
    yield storage.Keeper()
    storage.tear_down()


@pytest.fixture(autouse=True)
def _clean(keeper: storage.Keeper) -> Iterator[None]:
    yield
    keeper.restore()
