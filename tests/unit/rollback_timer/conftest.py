# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which shell runs the program of a timer in a test: each test has one of them, always the same. And a timer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from timer_directory import make_timer, shell_of

if TYPE_CHECKING:
    from pathlib import Path

    from timer_directory import Timer


@pytest.fixture
def shell(request: pytest.FixtureRequest) -> str:
    """The name of a shell."""
    return shell_of(request.node.name)


@pytest.fixture
def due(tmp_path: Path, shell: str) -> Timer:
    """A timer whose time is over a minute after the program starts."""
    found = make_timer(tmp_path, shell=shell)
    found.term(after=60)
    return found
