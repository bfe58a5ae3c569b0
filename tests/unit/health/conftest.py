# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory in which the health program runs. Each test has one of the shells, always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from health_directory import Health
from timer_directory import shell_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def health(request: pytest.FixtureRequest, tmp_path: Path) -> Health:
    return Health(tmp_path, shell_of(request.node.name))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Health:
    """One directory for many examples of a property."""
    return Health(tmp_path_factory.mktemp("judge"), "dash")
