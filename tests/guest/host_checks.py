# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked on a host with a fault, and after the fault is removed.

A task either works as on a host without the fault, or it reports the fault and damages nothing. After the fault is
removed, the same task has the same result as without the fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import processes
import storage
from calls import absent, merged, ok, present, rolled_back, states

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calls import Result

ORIGINS = ("thick/c", "thin/t2")


def host_is_consistent() -> bool:
    """Whether no device is suspended and the host lock is free."""
    assert processes.suspended_for_good() == []
    return not ok("snapset", {**absent("nothing"), "lock_timeout": 0})["changed"]


def failed(result: Result, *parts: str) -> Result:
    """Check that a task has failed, has changed nothing, and that its message contains these ``parts``."""
    assert result.get("failed"), result
    assert result["changed"] is False, result["msg"]
    assert [part for part in parts if part not in result["msg"]] == [], result["msg"]
    assert "Traceback" not in str(result)
    return result


def whole_lifecycle(env: Mapping[str, str] | None = None) -> list[str]:
    """Take a set, change the origins, roll back, take it again, change them again, commit. Return the checksums."""
    task = present("s", *ORIGINS, size="8MiB")
    taken = storage.checksums(*ORIGINS)
    assert states(ok("snapset", task, env=env)) == ("active", ["active"] * 2)
    change()
    assert ok("snapset", merged("s"), env=env)["changed"]
    assert states(rolled_back("snapset", merged("s"))) == ("rolled_back", ["rolled_back"] * 2)
    assert storage.checksums(*ORIGINS) == taken
    assert states(ok("snapset", task, env=env)) == ("active", ["active"] * 2)
    change()
    changed = storage.checksums(*ORIGINS)
    assert ok("snapset", absent("s"), env=env)["changed"]
    return changed


def change() -> None:
    """Write to the origins."""
    for origin in ORIGINS:
        storage.write(origin, 1, at=3)
