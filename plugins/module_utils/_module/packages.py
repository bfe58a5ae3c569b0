# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots and package managers: wait for them, and check that none works meanwhile. Private to this collection."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._errors import FilesFailed
from .._host.packages import read_database
from .._snapset.packages import package_problems
from .._steps import HostStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._host_model import PackageDatabase
    from .._steps import Runner

_RETRY_SECONDS = 1


def wait_for_packages(databases: Sequence[PackageDatabase], timeout: int) -> None:
    """Wait until no package manager works in ``databases``, at most ``timeout`` seconds. Raises OSError."""
    end = time.monotonic() + timeout
    while any(one.user for one in _now(databases)) and time.monotonic() < end:
        time.sleep(_RETRY_SECONDS)


def _now(databases: Sequence[PackageDatabase]) -> list[PackageDatabase]:
    return [read_database(one.manager, one.directory) for one in databases]


@dataclass(frozen=True)
class CheckPackages(HostStep):
    """Check that no package manager has worked since the plan was made; ``databases`` are as they were then."""

    databases: tuple[PackageDatabase, ...]

    changes = False

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "check_packages", "databases": [one.directory for one in self.databases]}

    def carry_out(self, _runner: Runner) -> None:
        """Look again. Raises FilesFailed, OSError."""
        now = _now(self.databases)
        problems = list(package_problems(now)) or [
            f"{new.manager} installed or removed packages while the snapshots were created, so they may be only half "
            "installed there: run this again"
            for old, new in zip(self.databases, now)
            if old.version != new.version
        ]
        if problems:
            raise FilesFailed("; ".join(problems))
