# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which shell runs the program of a timer in a test: each test has one of them, always the same."""

from __future__ import annotations

import os
import zlib

import pytest
from timer_directory import SHELLS


@pytest.fixture
def shell(request: pytest.FixtureRequest) -> str:
    """The name of a shell. With TIMER_SHELL=bash in the environment it is that one."""
    names = sorted(SHELLS)
    return os.environ.get("TIMER_SHELL") or names[zlib.crc32(request.node.name.encode()) % len(names)]
