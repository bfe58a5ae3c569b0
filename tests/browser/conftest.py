# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One browser for all tests. Pictures are kept in `<cache>/report`, for people to look at."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import Browser
from unit.conftest import link_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(link_checkout()))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("chromium"))
    yield one
    one.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    folder = Path(os.environ.get("SAFEPOINT_CACHE") or ROOT / ".cache").resolve() / "report"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
